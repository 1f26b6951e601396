"""Plain PyTorch DDP: nothing in here knows of Coxswain, and `torchrun --nproc-per-node 2 train.py` runs it as well.

It saves to --checkpoints every --save-every steps and at SIGTERM, and goes on from the newest one it finds there."""
import argparse
import os
import pathlib
import signal

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--save-every", type=int, default=100)
parser.add_argument("--checkpoints", type=pathlib.Path, required=True)
options = parser.parse_args()
options.checkpoints.mkdir(parents=True, exist_ok=True)

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
net = DistributedDataParallel(nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)))
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
truth = torch.randn(32, 1)

first = 0
newest = max(options.checkpoints.glob("step-*.pt"), default=None)
if newest:
    state = torch.load(newest)
    net.module.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    first = state["step"]
    print(f"rank {rank}: going on from step {first} ({newest})", flush=True)

stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))


def save(step):
    if rank == 0:
        path = options.checkpoints / f"step-{step:08}.pt"
        torch.save({"net": net.module.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, f"{path}.part")
        os.rename(f"{path}.part", path)


for step in range(first + 1, options.steps + 1):
    x = torch.randn(64, 32, generator=torch.Generator().manual_seed(step * world + rank))
    loss = nn.functional.mse_loss(net(x), x @ truth)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    told = torch.tensor(float(bool(stop)))
    dist.all_reduce(told)  # all ranks stop at the same step
    if step % options.save_every == 0 or step == options.steps or told:
        save(step)
        if rank == 0:
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
    if told:
        break
dist.destroy_process_group()
