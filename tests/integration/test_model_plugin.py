"""A model from a plugin: the example, built as a user builds it, out of the tree and against what is installed."""
import json
import pathlib
import shutil
import subprocess

import pytest

from cluster import BIN, Cluster, ROOT
from test_train import path_of, read_safetensors

EXAMPLE = ROOT / "configs" / "model-plugin"
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A copy of the example's folder, with build/libmy_model.so."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "example")
    run("cmake", "--install", BIN.parent, "--component", "plugin", "--prefix", folder / "prefix")
    installed = sorted(str(p.relative_to(folder / "prefix")) for p in (folder / "prefix").rglob("*") if p.is_file())
    assert [p for p in installed if p.endswith(".h")] == ["include/coxswain/model_plugin.h"], installed
    build = folder / "example" / "build"
    run("cmake", "-S", folder / "example", "-B", build, f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}")
    run("cmake", "--build", build)
    assert (build / "libmy_model.so").exists()
    return folder / "example"


@pytest.fixture
def submit(cluster, example):
    def submit(*sets):
        flags = [part for change in sets for part in ("--set", change)]
        return cluster.cox("submit", example / "fashion-mnist.yaml", *flags, "-o", "json", check=False)
    return submit


@pytest.mark.skipif(not DATA.exists(), reason="no Fashion-MNIST (Debian: dataset-fashion-mnist)")
class TestExample:
    def test_it_trains_on_two_ranks(self, cluster, submit):
        done = submit("spec.train.max_steps=90", "spec.model.options.width=8", "spec.data.limit=6000")
        assert done.returncode == 0, done.stderr
        job = json.loads(done.stdout)["id"]
        assert cluster.cox("wait", job).returncode == 0
        end = cluster.job(job)
        assert end["state"] == "COMPLETED" and end["progress"]["evalAccuracy"] > 0.3, end
        model = path_of(end["modelUri"])
        tensors, _ = read_safetensors(model / "model.safetensors")
        assert tensors["conv1.weight"]["shape"] == [16, 8, 3, 3] and "norm0.running_var" in tensors
        config = json.loads((model / "config.json").read_text())
        assert config["model"]["recipe"] == "plugin" and config["model"]["options"] == {"width": "8", "dropout": "0.1"}

    def test_what_is_wrong_is_said_at_the_submission(self, cluster, submit, example):
        def refused(words, *sets):
            done = submit(*sets)
            assert done.returncode == 106 and words in done.stderr, (done.returncode, done.stderr)
        refused("no such option (did you mean 'width'?)", "spec.model.options.widht=8")
        refused('spec.model.options.width: found "2", expected 4 to 1024', "spec.model.options.width=2")
        library = (example / "build" / "libmy_model.so").read_bytes()
        other = cluster.folder / "libother.so"
        other.write_bytes(library.replace(b"plugin abi=1 ", b"plugin abi=2 "))
        refused("was built for version 2 of the plugin interface", f"spec.model.plugin={other}")
        other.write_bytes(library.replace(b"torch=2.11.0;", b"torch=2.10.0;"))
        refused("was built with LibTorch 2.10.0, this trainer has LibTorch 2.11.0", f"spec.model.plugin={other}")
        other.write_bytes(library[:4000])
        refused("it does not use COXSWAIN_MODEL_PLUGIN", f"spec.model.plugin={other}")
        refused("the file has to be on every machine", "spec.model.plugin=none.so")


@pytest.mark.skipif(not DATA.exists(), reason="no Fashion-MNIST (Debian: dataset-fashion-mnist)")
def test_a_plugin_and_a_module_on_s3(ceph_gateway, tmp_path, example):
    bucket = ceph_gateway.make_bucket("models")
    run(BIN / "torchscript_file", "images", tmp_path / "model.pt")
    ceph_gateway.put(f"{bucket}/libmy_model.so", (example / "build" / "libmy_model.so").read_bytes())
    ceph_gateway.put(f"{bucket}/model.pt", (tmp_path / "model.pt").read_bytes())
    with Cluster(tmp_path) as cluster:
        cluster.start_coordinator()
        cluster.start_worker("node-a", env=ceph_gateway.environment())
        cluster.wait_nodes(1)
        for model in (f"{{plugin: '{bucket}/libmy_model.so'}}", f"{{module: '{bucket}/model.pt'}}"):
            job = cluster.submit(example / "fashion-mnist.yaml", "--set", f"spec.model={model}", "--set",
                                 "spec.train.max_steps=50", "--set", "spec.data.limit=2000")
            assert cluster.cox("wait", job).returncode == 0, cluster.cox("describe", job).stdout
