"""A PyTorch DDP job for torchrun (gloo, fused AdamW): the peer of our `startup` and `train` benchmarks.
Prints JSON lines: {"event": "first_step", "time": ...} by rank 0. With --stamps it trains on until it is killed."""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["mlp", "cnn"], required=True)
parser.add_argument("--batch", type=int, required=True, help="samples per rank and step")
parser.add_argument("--stamps", help="go on until killed; each rank writes its pid, then the time of each step, to FILE.RANK")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402

torch.set_num_threads(options.threads)
dist.init_process_group("gloo")
torch.manual_seed(0)
if options.model == "mlp":
    net = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    x = torch.randn(options.batch, 784)
else:
    net = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, 10))
    x = torch.randn(options.batch, 1, 28, 28)
y = torch.randint(0, 10, (options.batch,))
net = DistributedDataParallel(net, gradient_as_bucket_view=True)
optimizer = torch.optim.AdamW(net.parameters(), 1e-3, fused=True)


def step():
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()


def say(**fields):
    if dist.get_rank() == 0:
        print(json.dumps(fields), flush=True)


step()
say(event="first_step", time=time.time())
if options.stamps:
    with open(f"{options.stamps}.{dist.get_rank()}", "w", buffering=1) as stamps:
        print(os.getpid(), file=stamps)
        while True:
            step()
            print(time.time(), file=stamps)
dist.destroy_process_group()
