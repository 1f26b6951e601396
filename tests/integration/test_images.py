"""A resnet that begins with another's weights, and the example job on real images."""
import json
import pathlib

import pytest

from cluster import ROOT
from test_train import losses, path_of, read_safetensors

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


def job_file(cluster, data, name, model, classes=10, steps=4, seed=1):
    return cluster.job_file(data, name, epochs=1, batch=32, model=model, classes=classes, evaluate=False,
                            train=f"max_steps: {steps}\nseed: {seed}\noptimizer: {{learning_rate: 1e-3}}")


def test_a_resnet_begins_with_an_earlier_jobs_and_with_a_new_head(cluster, tiny_data):
    first = cluster.submit(job_file(cluster, tiny_data, "first", "recipe: resnet", steps=16))
    assert cluster.cox("wait", first).returncode == 0
    before = losses(cluster, first, 16)
    folder = path_of(cluster.job(first)["modelUri"])
    assert json.loads((folder / "config.json").read_text())["model_type"] == "resnet"

    def refused(model, *words, classes=10):
        done = cluster.cox("submit", job_file(cluster, tiny_data, "wrong", model, classes=classes), check=False)
        assert done.returncode == 106, (done.stdout, done.stderr)
        for word in words:
            assert word in done.stderr, done.stderr

    second = cluster.submit(job_file(cluster, tiny_data, "second", f"recipe: resnet\n    from: {folder}"))
    assert cluster.cox("wait", second).returncode == 0
    assert losses(cluster, second, 4)[0] < 0.6 * before[0], "it goes on from the weights"
    refused(f"recipe: resnet\n    from: {folder}", "wrong.yaml:9: spec.model.from: ", "[10, 512], expected floats of [12, 512]",
            "spec.model.head: new begins the last layer anew", classes=12)
    # Of another seed: with the same one it is the head that the first began with, which it has changed little in 16 steps.
    third = cluster.submit(job_file(cluster, tiny_data, "third", f"recipe: resnet\n    from: {folder}\n    head: new", classes=12, seed=2))
    assert cluster.cox("wait", third).returncode == 0
    tensors, _ = read_safetensors(path_of(cluster.job(third)["modelUri"]) / "model.safetensors")
    assert tensors["classifier.1.weight"]["shape"] == [12, 512]
    assert losses(cluster, third, 4)[0] > losses(cluster, second, 4)[0], "its head knows nothing yet"
    refused(f"recipe: resnet\n    from: {cluster.folder}", "wrong.yaml:9: spec.model.from: ", "config.json")
    (cluster.folder / "config.json").write_text('{"model_type": "vit"}')
    refused(f"recipe: resnet\n    from: {cluster.folder}", 'model_type: found "vit", expected "resnet"')


@pytest.mark.skipif(not DATA.exists(), reason="no Fashion-MNIST (Debian: dataset-fashion-mnist)")
def test_the_example_job_of_a_resnet(cluster):
    job = cluster.submit(ROOT / "configs" / "jobs" / "fashion-mnist-resnet.yaml", "--set", "spec.data.limit=4000",
                         "--set", "spec.train.epochs=1", "--set", "spec.train.schedule.warmup_steps=5")
    assert cluster.cox("wait", job).returncode == 0
    assert cluster.job(job)["progress"]["evalAccuracy"] > 0.4
