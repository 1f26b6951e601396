"""A model that the user brings along: a TorchScript file, trained as it is."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from cluster import BIN, kill, wait_until
from test_run import Run
from test_train import losses, path_of, read_safetensors

IRIS = pathlib.Path(__file__).parent / "data" / "iris.csv"


def job_file(cluster, data, name="own", model="module: model.pt", epochs=6, spec=""):
    return cluster.job_file(data, name, epochs=epochs, model=model, extra_spec=spec, checkpoint="every_steps: 25",
                            train="precision: float64\nmicro_batch_size: 16\nevaluate_every_epochs: 100")


@pytest.fixture
def module(tmp_path):
    """module("images"): such a model at model.pt, beside the job files."""
    def make(kind, name="model.pt"):
        subprocess.run([BIN / "torchscript_file", kind, tmp_path / name], check=True)
        return tmp_path / name
    return make


def test_a_torchscript_file_is_trained_killed_and_goes_on(cluster, tiny_data, module):
    module("images")
    steps = 6 * 32
    whole = cluster.submit(job_file(cluster, tiny_data, "whole"))
    assert cluster.cox("wait", whole).returncode == 0
    expected = losses(cluster, whole, steps)
    assert len(expected) == steps and expected[-1] < 0.5 * expected[0]

    job = cluster.submit(job_file(cluster, tiny_data, "killed"))
    wait_until(lambda: cluster.job(job).get("lastCheckpoint"), "a checkpoint is committed", pause=0.02)
    for pid in cluster.rank_pids():
        kill(pid)
    assert cluster.cox("wait", job).returncode == 0
    done = cluster.job(job)
    assert done["state"] == "COMPLETED" and done["attempt"] == 2, done
    assert losses(cluster, job, steps) == pytest.approx(expected, rel=1e-9), "batch norm, dropout: as if nothing had been"
    assert done["progress"]["evalAccuracy"] > 0.9, done["progress"]

    model = path_of(done["modelUri"])
    tensors, _ = read_safetensors(model / "model.safetensors")
    assert {name: t["shape"] for name, t in tensors.items()} == {
        "first": [32, 784], "scale": [32], "shift": [32], "last": [10, 32], "mean": [32], "var": [32]}
    config = json.loads((model / "config.json").read_text())
    assert config["model"]["recipe"] == "torchscript" and config["model"]["file"] == "model.pt"
    # The trained file is a module again, and another job goes on with it.
    more = cluster.submit(job_file(cluster, tiny_data, "more", model=f"module: {model}/model.pt", epochs=1))
    assert cluster.cox("wait", more).returncode == 0
    assert losses(cluster, more, 32)[0] < 0.5 * expected[0]
    # What it was trained with belongs to it: another module cannot go on with its checkpoint.
    module("narrow", "other.pt")
    refused = cluster.cox("submit", job_file(cluster, tiny_data, "other", model="recipe: mlp"), "--resume-from", job, check=False)
    assert refused.returncode == 106 and "it has no tensor 'layers.0.weight'" in refused.stderr, refused.stderr


def test_what_is_wrong_with_a_module_is_said_at_the_submission(cluster, tiny_data, module):
    def refused(file, *words):
        done = cluster.cox("submit", file, check=False)
        assert done.returncode == 106, (done.stdout, done.stderr)
        for word in words:
            assert word in done.stderr, done.stderr
    file = job_file(cluster, tiny_data)
    refused(file, "own.yaml:8: spec.model.module", "model.pt", "the file has to be on every machine")
    (cluster.folder / "model.pt").write_bytes(b"no model")
    refused(file, "own.yaml:8: spec.model.module", "is no TorchScript file; write one with torch.jit.script(model).save")
    module("narrow")
    refused(file, "gives Double of (2, 9) for 2 rows, expected (2, 10): a number for each of the 10 classes")
    module("text")
    refused(file, "own.yaml:8: spec.model.module")
    module("images")
    refused(job_file(cluster, tiny_data, spec="resources: {memory: 1KiB}"), "spec.resources.memory", "spec.model.module smaller")
    refused(job_file(cluster, tiny_data, model="module: model.pt\n    recipe: mlp"), "spec.model.recipe: cannot stand beside 'module'")


def test_a_module_for_tables_and_one_for_text(bare_cluster, tmp_path, module):
    module("table")
    shutil.copy(IRIS, tmp_path / "iris.csv")
    table = tmp_path / "table.yaml"
    table.write_text("""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: table}
spec:
  model: {module: model.pt}
  data: {format: csv, train: {files: [iris.csv]}, evaluate: {fraction: 0.2}, target: target}
  train: {epochs: 40, global_batch_size: 16, optimizer: {learning_rate: 1e-2}}
""")
    code, out = Run(bare_cluster, table).end()
    assert code == 0 and "j1 COMPLETED" in out, out
    module("text")
    (tmp_path / "words.txt").write_text("and the word was with others. " * 300)
    text = tmp_path / "text.yaml"
    text.write_text("""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: text}
spec:
  workers: 2
  model: {module: model.pt}
  data: {format: text, train: {files: [words.txt]}, sequence_length: 16}
  train: {epochs: 4, global_batch_size: 16, optimizer: {learning_rate: 1e-2}}
""")
    code, out = Run(bare_cluster, text).end()
    assert code == 0 and "j2 COMPLETED" in out, out
    models = list((tmp_path / "run").rglob("model.pt"))
    assert len(models) == 2


PYTORCH = pathlib.Path(os.environ.get("COXSWAIN_PEERS") or
                       pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "coxswain" / "peers") / "bin" / "python"
BY_PYTORCH = '''
import sys
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.dropout = torch.nn.Dropout(0.2)
        self.one, self.two = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        self.two.weight = self.one.weight
        self.last = torch.nn.Linear(8, 10)
        self.frozen = torch.nn.Linear(10, 10).requires_grad_(False)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean([2, 3])
        return self.frozen(self.last(self.dropout(self.two(torch.relu(self.one(x))))))

if sys.argv[1] == "make":
    torch.manual_seed(1)
    torch.jit.script(Net()).save(sys.argv[2])
else:
    before, after = (torch.jit.load(path) for path in sys.argv[2:])
    assert not after.training and after(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert torch.equal(before.frozen.weight, after.frozen.weight) and not torch.equal(before.last.weight, after.last.weight)
    assert after.one.weight.data_ptr() == after.two.weight.data_ptr()
    assert after.norm.num_batches_tracked == 12 and after.norm.running_mean.abs().sum() > 0
'''


@pytest.mark.skipif(not PYTORCH.exists(), reason=f"no Python with torch at {PYTORCH}")
def test_what_pytorch_has_saved_comes_back_to_it(bare_cluster, tiny_data, tmp_path):
    script = tmp_path / "net.py"
    script.write_text(BY_PYTORCH)
    subprocess.run([PYTORCH, script, "make", tmp_path / "model.pt"], check=True)
    file = job_file(bare_cluster, tiny_data, epochs=1)
    code, out = Run(bare_cluster, file, "--set", "spec.train.max_steps=12", "--set", "spec.train.precision=float32").end()
    assert code == 0, out
    trained = next(p for p in (tmp_path / "run").rglob("model.pt"))
    subprocess.run([PYTORCH, script, "look", tmp_path / "model.pt", trained], check=True)
