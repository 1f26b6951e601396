"""PyTorch, to be compared with: ResNet and GPT-2, bf16 autocast, one batch in memory. One JSON line."""
import argparse
import contextlib
import json
import time

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True, help="resnet18, resnet50 or gpt")
parser.add_argument("--device", default="cuda")
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--compile", action="store_true")
for name, value in (("side", 224), ("classes", 1000), ("layers", 12), ("heads", 12), ("width", 768), ("sequence", 1024),
                    ("vocabulary", 50257)):
    parser.add_argument(f"--{name}", type=int, default=value)
opts = parser.parse_args()


def convolution(inputs, outputs, size, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """He et al. 2016; of the deep ones the stride is in the 3x3 convolution."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)] if bottleneck else \
            [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        self.parts = nn.ModuleList(convolution(*each) for each in plan)
        self.shortcut = convolution(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        y = x
        for i, part in enumerate(self.parts):
            y = part(y) if i + 1 == len(self.parts) else F.relu(part(y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck):
        super().__init__()
        self.stem = convolution(3, 64, 7, 2)
        layers, inputs = [], 64
        for stage, count in enumerate(blocks):
            for i in range(count):
                layers.append(Residual(inputs, 64 << stage, 2 if i == 0 and stage > 0 else 1, bottleneck))
                inputs = (64 << stage) * (4 if bottleneck else 1)
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(inputs, opts.classes)

    def forward(self, x):
        return self.head(self.layers(F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)).mean((2, 3)))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        d = opts.width
        self.first, self.second = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out, self.up, self.down = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (z.view(b, t, opts.heads, -1).transpose(1, 2) for z in self.qkv(self.first(x)).split(d, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.second(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(opts.vocabulary, opts.width), nn.Embedding(opts.sequence, opts.width)
        self.layers, self.last = nn.Sequential(*(Layer() for _ in range(opts.layers))), nn.LayerNorm(opts.width)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.places.weight[:ids.shape[1]]
        return F.linear(self.last(self.layers(x)), self.tokens.weight).flatten(0, 1)


def make():
    if opts.model == "gpt":
        ids = torch.randint(0, opts.vocabulary, (opts.batch, opts.sequence + 1), device=opts.device)
        net = Gpt().to(opts.device)
        return net, torch.optim.AdamW(net.parameters(), 3e-4, fused=True), ids[:, :-1].contiguous(), ids[:, 1:].flatten()
    net = ResNet((2, 2, 2, 2) if opts.model == "resnet18" else (3, 4, 6, 3), opts.model != "resnet18").to(opts.device)
    x = torch.rand(opts.batch, 3, opts.side, opts.side, device=opts.device)
    y = torch.randint(0, 256, (opts.batch,), device=opts.device)
    return net, torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, fused=True), x, y


def main():
    torch.manual_seed(1)
    net, optimizer, x, y = make()
    run = torch.compile(net) if opts.compile else net
    cuda = opts.device == "cuda"

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(opts.device, torch.bfloat16) if cuda else contextlib.nullcontext():
            out = run(x)
        loss = F.cross_entropy(out.float(), y)
        loss.backward()
        optimizer.step()
        return loss.item()  # as our log_every_steps: 1 does
    warm = min(20, opts.steps // 2)
    for _ in range(warm):
        step()
    begun = time.perf_counter()
    for _ in range(opts.steps - warm):
        loss = step()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    print(json.dumps({"samples_per_second": opts.batch * (opts.steps - warm) / seconds, "loss": loss, "torch": torch.__version__,
                      "parameters": sum(p.numel() for p in net.parameters()),
                      "peak_memory": torch.cuda.max_memory_allocated() if cuda else 0}))


main()
