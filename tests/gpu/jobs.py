"""Data that is made here, and job files. Sizes come in two: `full` for a GPU, `dry` to try the checks themselves on a CPU."""
import array
import os
import random
import struct


def write_idx(path, data, shape):
    with open(path, "wb") as f:
        f.write(struct.pack(">HBB", 0, 8, len(shape)) + b"".join(struct.pack(">I", n) for n in shape))
        f.write(data)


def images(folder, name, count, channels, side, classes=10):
    """Noise with a brighter band of rows at the label's place; (images, labels)."""
    rng = random.Random(11)
    size = channels * side * side
    labels = bytes(rng.randrange(classes) for _ in range(count))
    noise = os.urandom(size + 4096)
    body = bytearray()
    for i, label in enumerate(labels):
        shift = rng.randrange(4096)
        one = bytearray(noise[shift:shift + size])
        row = (label * side // classes) * side
        one[row:row + 2 * side] = b"\xff" * len(one[row:row + 2 * side])
        body += one
    write_idx(folder / f"{name}-images.idx", bytes(body), (count, channels, side, side) if channels > 1 else (count, side, side))
    write_idx(folder / f"{name}-labels.idx", labels, (count,))
    return f"train: {{images: 'file://{folder}/{name}-images.idx', labels: 'file://{folder}/{name}-labels.idx'}}"


def table(folder, count):
    rng = random.Random(12)
    lines = ["a,b,c,kind,target"]
    for _ in range(count):
        a, b, c = (rng.gauss(0, 1) for _ in range(3))
        kind = rng.choice(["red", "green", "blue"])
        lines.append(f"{a:.5f},{b:.5f},{c:.5f},{kind},{'yes' if a + 0.5 * b + (kind == 'red') > 0.3 else 'no'}")
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return f"format: csv\n    train: {{files: ['file://{path}']}}\n    target: target"


def text(folder, words, sequence):
    rng = random.Random(13)
    some = ["the", "ship", "goes", "by", "eight", "oars", "and", "one", "voice", "calls", "time"]
    path = folder / f"words-{words}.txt"
    path.write_text(" ".join(rng.choice(some) for _ in range(words)) + "\n")
    return f"format: text\n    train: {{files: ['file://{path}']}}\n    sequence_length: {sequence}"


def tokens(folder, count, vocabulary, sequence):
    rng = random.Random(14)
    numbers = array.array("H", (rng.randrange(vocabulary) for _ in range(count)))
    path = folder / f"tokens-{vocabulary}.bin"
    path.write_bytes(numbers.tobytes())
    return f"format: tokens\n    train: {{files: ['file://{path}']}}\n    sequence_length: {sequence}\n    vocabulary: {vocabulary}"


def job(name, model, data, train, gpus, cpus=4, workers=1, more=""):
    """`more`: further keys of spec, indented by two spaces."""
    return f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: {workers}
  resources: {{gpus: {gpus}, cpus: {cpus}}}
  model: {model}
  data:
    {data}
  train: {train}
{more}"""


def recipes(folder, dry):
    """name: (model, data, batch, optimizer) of a small job of each recipe."""
    side, count = (12, 256) if dry else (32, 2048)
    pictures = images(folder, "small", count, 1, side)
    small = images(folder, "colour", count, 3, side) + "\n    classes: 10"
    words = text(folder, 4000 if dry else 200000, 32 if dry else 128)
    shape = "layers: 2, heads: 2, width: 32" if dry else "layers: 4, heads: 4, width: 256"
    adamw = "{name: adamw, learning_rate: 1e-3}"
    return {
        "mlp": ("{recipe: mlp, hidden: [64, 32]}", table(folder, count), 64, adamw),
        "cnn": ("{recipe: cnn, channels: [8, 16], hidden: [32], dropout: 0.1}", pictures, 64, adamw),
        "resnet": ("{recipe: resnet, depth: 18, stem: small}", small, 8 if dry else 64,
                   "{name: sgd, learning_rate: 1e-3, momentum: 0.9}"),
        "gpt": (f"{{recipe: gpt, {shape}, dropout: 0.1}}", words, 8, adamw),
        "llama": (f"{{recipe: llama, {shape}, kv_heads: 2}}", words, 8, adamw),
    }
