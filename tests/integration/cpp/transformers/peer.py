"""The real `transformers`, at the other end of transformers_peer_test.

    peer.py logits FOLDER IDS ROWS OUT         loads a model that we wrote; its logits as 64-bit numbers
    peer.py classes FOLDER PIXELS ROWS OUT       likewise, of a resnet for images of 3 x 40 x 40 pixels
    peer.py make KIND DTYPE FOLDER IDS ROWS OUT  makes a model of its own and saves it; its logits likewise
    peer.py make-resnet KIND DTYPE FOLDER PIXELS ROWS OUT  likewise, a resnet for 5 classes, away from its running statistics
    peer.py train FOLDER BATCHES LENGTH OUT    trains a model that we wrote (fused AdamW, 64 bits); the loss of each step
    peer.py train_bf16 ...                     the same in 32 bits under torch.autocast with bfloat16
"""
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy  # noqa: E402
import torch  # noqa: E402
from transformers import (AutoModelForCausalLM, AutoModelForImageClassification, GPT2Config,  # noqa: E402
                          GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, ResNetConfig,
                          ResNetForImageClassification)


def logits(model, ids, rows, out):
    model.eval()
    tokens = torch.from_numpy(numpy.fromfile(ids, dtype="<i8").reshape(int(rows), -1))
    with torch.no_grad():
        model.double()(tokens).logits.numpy().astype("<f8").tofile(out)


def make(kind, dtype):
    torch.manual_seed(3)
    if kind == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=24, vocab_size=53))
    else:
        model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                             hidden_size=32, intermediate_size=48, max_position_embeddings=24,
                                             vocab_size=53, tie_word_embeddings=kind == "llama-tied"))
    for parameter in model.parameters():  # away from zeros and ones, so that each of them counts
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.to(getattr(torch, dtype))


def load(folder, kind=AutoModelForCausalLM, **how):
    loaded, report = kind.from_pretrained(folder, output_loading_info=True, **(how or {"attn_implementation": "eager"}))
    # How many batches there were is told to nobody, and used by nobody.
    wrong = {key: [name for name in report[key] if not str(name).endswith("num_batches_tracked")]
             for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    if any(wrong.values()):
        sys.exit(f"{folder} does not fit: {wrong}")
    return loaded


def make_resnet(kind, dtype):
    torch.manual_seed(4)
    shape = {"basic": ([2, 2, 2, 2], [64, 128, 256, 512]), "bottleneck": ([3, 4, 6, 3], [256, 512, 1024, 2048])}[kind]
    model = ResNetForImageClassification(ResNetConfig(depths=shape[0], hidden_sizes=shape[1], layer_type=kind, num_labels=5))
    with torch.no_grad():
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer += 0.1 * torch.rand_like(buffer)
    return model.to(getattr(torch, dtype))


def classes_of(model, pixels, rows, out):
    model = model.double().eval()
    images = torch.from_numpy(numpy.fromfile(pixels, dtype="<i8").reshape(int(rows), 3, 40, 40)).double() / 255
    with torch.no_grad():
        model(images).logits.numpy().astype("<f8").tofile(out)


def classes(folder, pixels, rows, out):
    classes_of(load(folder, AutoModelForImageClassification, dtype=torch.float64), pixels, rows, out)


def train(model, batches, length, out, mixed):
    """Each batch: how many rows, their tokens, their labels."""
    model = (model.float() if mixed else model.double()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01, fused=True)
    numbers, at, losses = numpy.fromfile(batches, dtype="<i8"), 0, []
    while at < len(numbers):
        count = numbers[at] * length
        ids, labels = (torch.from_numpy(numbers[at + 1 + i * count:at + 1 + (i + 1) * count].reshape(-1, length).copy())
                       for i in range(2))
        at += 1 + 2 * count
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    numpy.array(losses, dtype="<f8").tofile(out)


if sys.argv[1] == "logits":
    folder, ids, rows, out = sys.argv[2:]
    logits(load(folder), ids, rows, out)
elif sys.argv[1] == "classes":
    classes(*sys.argv[2:])
elif sys.argv[1] == "make-resnet":
    kind, dtype, folder, pixels, rows, out = sys.argv[2:]
    made = make_resnet(kind, dtype)
    made.save_pretrained(folder)
    classes_of(made, pixels, rows, out)
elif sys.argv[1] in ("train", "train_bf16"):
    folder, batches, length, out = sys.argv[2:]
    train(load(folder), batches, int(length), out, sys.argv[1] == "train_bf16")
else:
    kind, dtype, folder, ids, rows, out = sys.argv[2:]
    made = make(kind, dtype)
    made.save_pretrained(folder, max_shard_size="20KB" if dtype == "float16" else "5GB")
    logits(made, ids, rows, out)
