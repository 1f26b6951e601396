"""Trains in plain PyTorch what same_losses_test.cc trains in our engine.

    train.py FOLDER...    in each reads model/config.json, model/model.safetensors, batches.safetensors and job.json,
                          which says how; writes `losses`, the loss of each step as 64-bit numbers, and `torch`,
                          PyTorch's version
"""
import array
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import models  # noqa: E402

DTYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}


def tensors_of(path):
    """A safetensors file: the length of its header, the header as JSON, then the tensors' bytes."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    out = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name != "__metadata__":
            first, last = (begin + offset for offset in entry["data_offsets"])
            flat = torch.frombuffer(bytearray(data[first:last]), dtype=DTYPES[entry["dtype"]])
            out[name] = flat.reshape(entry["shape"])
    return out


def optimizer_of(job, parameters):
    if job["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, lr=job["learning_rate"], weight_decay=job["weight_decay"],
                               momentum=job["momentum"], nesterov=job["nesterov"])
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    fused = {"fused": True} if version >= (2, 4) else {}  # as ours is; on CPUs since then
    return torch.optim.AdamW(parameters, lr=job["learning_rate"], weight_decay=job["weight_decay"], **fused)


def loss_of(outputs, batch):
    if "targets" in batch:
        return F.mse_loss(outputs.squeeze(1), batch["targets"].to(outputs.dtype))
    return F.cross_entropy(outputs.flatten(0, -2), batch["labels"].flatten())


def train(folder):
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    model = models.make(json.loads((folder / "model" / "config.json").read_text()))
    weights = tensors_of(folder / "model" / "model.safetensors")
    model.to(next(each.dtype for each in weights.values() if each.is_floating_point())).train()
    model.load_state_dict(weights)
    optimizer = optimizer_of(job, model.parameters())
    batches, losses = {}, array.array("d")
    for name, tensor in tensors_of(folder / "batches.safetensors").items():
        step, part = name.split(".")
        batches.setdefault(int(step), {})[part] = tensor
    for _, batch in sorted(batches.items()):
        optimizer.zero_grad()
        loss = loss_of(model(**{part: batch[part] for part in ("dense", "ids") if part in batch}), batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    (folder / "losses").write_bytes(losses.tobytes())
    (folder / "torch").write_text(torch.__version__)


for argument in sys.argv[1:]:
    train(pathlib.Path(argument))
