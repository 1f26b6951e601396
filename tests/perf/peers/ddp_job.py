"""A PyTorch DDP job for torchrun (gloo, fused AdamW): the peer of our `startup` and `train` benchmarks.
Prints JSON lines: {"event": "first_step", "time": ...} by rank 0. With --stamps it trains on until it is killed."""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["mlp", "cnn", "gpt"], required=True)
parser.add_argument("--batch", type=int, required=True, help="samples per rank and step")
parser.add_argument("--stamps", help="go on until killed; each rank writes its pid, then the time of each step, to FILE.RANK")
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.parallel import DistributedDataParallel  # noqa: E402



class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        rows, tokens, width = x.shape
        q, k, v = (z.view(rows, tokens, self.heads, -1).transpose(1, 2) for z in self.qkv(self.norm_1(x)).split(width, 2))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, tokens, width))
        return x + self.down(nn.functional.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    """GPT-2's shapes: the output layer is the embedding."""

    def __init__(self, vocabulary=256, width=192, heads=6, layers=6, context=128):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.blocks(self.tokens(ids) + self.positions.weight[: ids.shape[1]])
        return nn.functional.linear(self.norm(x), self.tokens.weight).transpose(1, 2)  # (rows, vocabulary, tokens)


torch.set_num_threads(options.threads)
dist.init_process_group("gloo")
torch.manual_seed(0)
if options.model == "mlp":
    net = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    x = torch.randn(options.batch, 784)
elif options.model == "gpt":
    net = Gpt()
    x = torch.randint(0, 256, (options.batch, 128))
else:
    net = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, 10))
    x = torch.randn(options.batch, 1, 28, 28)
y = torch.randint(0, 256, x.shape) if options.model == "gpt" else torch.randint(0, 10, (options.batch,))
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
