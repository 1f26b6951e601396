"""The recipes in plain PyTorch, made from the config.json of an exported model; parameters are named as ours.

Written from the papers and PyTorch's documentation, with nothing of ours in it: that both train alike is the test.
All of it computes in the precision of the parameters.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F


def linear_layers(shapes, prefix):
    """The layers PREFIX0, PREFIX1, ..."""
    found = [shape for name, shape in shapes.items() if name.startswith(prefix) and name.endswith(".weight")]
    return nn.ModuleList(nn.Linear(inputs, outputs) for outputs, inputs in found)


def through(layers, x):
    for layer in layers[:-1]:
        x = F.relu(layer(x))
    return layers[-1](x)


class Mlp(nn.Module):
    """Numbers, and beside them an embedding of each category; then linear layers with ReLU between them."""

    def __init__(self, config):
        super().__init__()
        shapes = config["tensors"]
        self.embeddings = nn.ModuleList(nn.Embedding(*shape) for name, shape in shapes.items()
                                        if name.startswith("embeddings."))
        self.layers = linear_layers(shapes, "layers.")

    def forward(self, dense=None, ids=None):
        columns = [] if dense is None else [dense.flatten(1)]
        columns += [table(ids[:, column]) for column, table in enumerate(self.embeddings)]
        return through(self.layers, torch.cat(columns, 1))


class Cnn(nn.Module):
    """Blocks of a 3x3 convolution, batch norm or none, ReLU and maybe a 2x2 pool; then linear layers."""

    def __init__(self, config):
        super().__init__()
        model, shapes = config["model"], config["tensors"]
        inputs, self.pool_every = config["input"]["shape"][0], model["pool_every"]
        self.blocks = nn.ModuleList()
        for outputs in model["channels"]:
            block = nn.ModuleDict({"conv": nn.Conv2d(inputs, outputs, 3, padding=1, bias=not model["batch_norm"])})
            if model["batch_norm"]:
                block["norm"] = nn.BatchNorm2d(outputs)
            self.blocks.append(block)
            inputs = outputs
        self.head = linear_layers(shapes, "head.")

    def forward(self, dense):
        x = dense
        for number, block in enumerate(self.blocks, 1):
            for layer in block.values():
                x = layer(x)
            x = F.relu(x)
            if number % self.pool_every == 0:
                x = F.max_pool2d(x, 2)
        return through(self.head, x.flatten(1))


class ConvLayer(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride=1, relu=True):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.normalization = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x):
        x = self.normalization(self.convolution(x))
        return F.relu(x) if self.relu else x


class ResidualLayer(nn.Module):
    """He et al. 2016: two 3x3 convolutions, or from 50 layers on 1x1, 3x3 (which has the stride), 1x1."""

    def __init__(self, inputs, outputs, stride, bottleneck):
        super().__init__()
        self.shortcut = None
        if inputs != outputs or stride != 1:
            self.shortcut = ConvLayer(inputs, outputs, 1, stride, relu=False)
        if bottleneck:
            inner = outputs // 4
            self.layer = nn.Sequential(ConvLayer(inputs, inner, 1), ConvLayer(inner, inner, 3, stride),
                                       ConvLayer(inner, outputs, 1, relu=False))
        else:
            self.layer = nn.Sequential(ConvLayer(inputs, outputs, 3, stride), ConvLayer(outputs, outputs, 3, relu=False))

    def forward(self, x):
        return F.relu(self.layer(x) + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        model = config["model"]
        depth, width, self.small_stem = model["depth"], model["width"], model["stem"] == "small"
        bottleneck, counts = depth >= 50, [2, 2, 2, 2] if depth == 18 else [3, 4, 6, 3]
        stem = ConvLayer(config["input"]["shape"][0], width, 3 if self.small_stem else 7, 1 if self.small_stem else 2)
        inputs, stages = width, nn.ModuleList()
        for stage, count in enumerate(counts):
            outputs, layers = width * 2 ** stage * (4 if bottleneck else 1), nn.ModuleList()
            for number in range(count):
                layers.append(ResidualLayer(inputs, outputs, 2 if stage > 0 and number == 0 else 1, bottleneck))
                inputs = outputs
            stages.append(nn.ModuleDict({"layers": layers}))
        self.resnet = nn.ModuleDict({"embedder": nn.ModuleDict({"embedder": stem}),
                                     "encoder": nn.ModuleDict({"stages": stages})})
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(inputs, config["output"]["classes"]))

    def forward(self, dense):
        x = self.resnet["embedder"]["embedder"](dense)
        if not self.small_stem:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in self.resnet["encoder"]["stages"]:
            for layer in stage["layers"]:
                x = layer(x)
        return self.classifier(F.adaptive_avg_pool2d(x, 1))


def attend(q, k, v):
    """Vaswani et al. 2017, each token to itself and those before it; (rows, heads, tokens, width of a head) each."""
    tokens = q.shape[2]
    later = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(later, -math.inf)
    return (scores.softmax(3) @ v).transpose(1, 2).flatten(2)


def in_heads(x, heads):
    return x.unflatten(2, (heads, x.shape[2] // heads)).transpose(1, 2)


class InputsFirst(nn.Module):
    """A linear layer whose weight is (inputs, outputs), as GPT-2 has it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(inputs, outputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class GptLayer(nn.Module):
    def __init__(self, width, heads, inner, eps):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attn = nn.ModuleDict({"c_attn": InputsFirst(width, 3 * width), "c_proj": InputsFirst(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": InputsFirst(width, inner), "c_proj": InputsFirst(inner, width)})

    def forward(self, x):
        q, k, v = (in_heads(part, self.heads) for part in self.attn["c_attn"](self.ln_1(x)).chunk(3, 2))
        x = x + self.attn["c_proj"](attend(q, k, v))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    """GPT-2 (Radford et al. 2019); the output layer is the embedding."""

    def __init__(self, config):
        super().__init__()
        width, eps = config["n_embd"], config["layer_norm_epsilon"]
        inner = config.get("n_inner") or 4 * width
        layers = nn.ModuleList(GptLayer(width, config["n_head"], inner, eps) for _ in range(config["n_layer"]))
        self.transformer = nn.ModuleDict({"wte": nn.Embedding(config["vocab_size"], width),
                                          "wpe": nn.Embedding(config["n_positions"], width),
                                          "h": layers, "ln_f": nn.LayerNorm(width, eps)})

    def forward(self, ids):
        parts = self.transformer
        x = parts["wte"](ids) + parts["wpe"](torch.arange(ids.shape[1]))
        for layer in parts["h"]:
            x = layer(x)
        return F.linear(parts["ln_f"](x), parts["wte"].weight)


class RmsNorm(nn.Module):
    """Zhang and Sennrich 2019."""

    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def turned(x, theta):
    """Positions as rotations (Su et al. 2021): number i of a head's first half pairs with i of its second."""
    tokens, half = x.shape[2], x.shape[3] // 2
    speeds = theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.outer(torch.arange(tokens, dtype=torch.float64), speeds)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    one, two = x[..., :half], x[..., half:]
    return torch.cat([one * cos - two * sin, two * cos + one * sin], 3)


class LlamaLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.theta = config["rope_theta"]
        of_keys = width // self.heads * self.kv_heads
        self.input_layernorm = RmsNorm(width, config["rms_norm_eps"])
        self.post_attention_layernorm = RmsNorm(width, config["rms_norm_eps"])
        sizes = {"q_proj": width, "k_proj": of_keys, "v_proj": of_keys, "o_proj": width}
        self.self_attn = nn.ModuleDict({name: nn.Linear(width, size, bias=False) for name, size in sizes.items()})
        self.mlp = nn.ModuleDict({"gate_proj": nn.Linear(width, inner, bias=False),
                                  "up_proj": nn.Linear(width, inner, bias=False),
                                  "down_proj": nn.Linear(inner, width, bias=False)})

    def attend(self, x):
        part = self.self_attn
        q = turned(in_heads(part["q_proj"](x), self.heads), self.theta)
        k = turned(in_heads(part["k_proj"](x), self.kv_heads), self.theta)
        v = in_heads(part["v_proj"](x), self.kv_heads)
        shared = self.heads // self.kv_heads
        return part["o_proj"](attend(q, k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)))

    def forward(self, x):
        x = x + self.attend(self.input_layernorm(x))
        y = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


class Llama(nn.Module):
    """Touvron et al. 2023."""

    def __init__(self, config):
        super().__init__()
        width, vocabulary = config["hidden_size"], config["vocab_size"]
        layers = nn.ModuleList(LlamaLayer(config) for _ in range(config["num_hidden_layers"]))
        self.model = nn.ModuleDict({"embed_tokens": nn.Embedding(vocabulary, width), "layers": layers,
                                    "norm": RmsNorm(width, config["rms_norm_eps"])})
        self.lm_head = None if config["tie_word_embeddings"] else nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        x = self.model["embed_tokens"](ids)
        for layer in self.model["layers"]:
            x = layer(x)
        x = self.model["norm"](x)
        return F.linear(x, self.model["embed_tokens"].weight) if self.lm_head is None else self.lm_head(x)


RECIPES = {"mlp": Mlp, "cnn": Cnn, "resnet": ResNet, "gpt": Gpt, "llama": Llama}


def make(config):
    """From what stands in config.json; its own part is under a key of its own where `transformers` reads the rest."""
    own = config.get("coxswain", config)
    recipe = own["recipe"] if "recipe" in own else own["model"]["recipe"]
    return RECIPES[recipe](config if recipe in ("gpt", "llama") else own)
