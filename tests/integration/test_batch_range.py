"""A batch that is moved while a job trains: what the real trainer measures, keeps and makes of it."""
import json
import math
import subprocess

from cluster import BIN, Cluster

RATE = 0.002


def train(spec, folder, *flags):
    """cox-trainer without worker and coordinator; its points by name, in order of their steps."""
    metrics = folder / f"metrics-{len(list(folder.glob('metrics-*')))}.jsonl"
    done = subprocess.run([BIN / "cox-trainer", "--standalone", "--spec", spec, "--store", f"file://{folder}/store",
                           "--metrics", metrics, *flags], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    points = {}
    for line in metrics.read_text().splitlines():
        point = json.loads(line)
        points.setdefault(point["name"], {})[point["step"]] = point["value"]
    return points


def test_noise_is_measured_kept_and_sets_the_rate_of_a_larger_batch(tmp_path, tiny_data):
    spec = Cluster(tmp_path).job_file(tiny_data, workers=1, epochs=2, batch="{min: 16, max: 128}",
                                      train=f"optimizer: {{name: adamw, learning_rate: {RATE}}}")
    small = train(spec, tmp_path)
    noise = small["gradient_noise"]
    assert len(small["loss"]) == 2 * 2048 // 16
    assert 49 < min(noise) < 100, "the fourth measurement, at every 16th step"
    assert all(0 < value < 1e9 for value in noise.values())
    assert set(small["learning_rate"].values()) == {RATE}, "at its own batch the rate is the file's"

    saved, = (path.parent for path in (tmp_path / "store").glob("run/*/committed"))
    assert "gradient_noise" in json.loads((saved / "manifest.json").read_text())["state"]
    spec.write_text(spec.read_text().replace("epochs: 2", "epochs: 4"))
    large = train(spec, tmp_path, "--resume-from", f"file://{saved}", "--global-batch", "128")
    first = 2 * 2048 // 16 + 1
    assert sorted(large["loss"]) == list(range(first, first + 2 * 2048 // 128)), "on from the same sample, to the same end"
    assert math.isclose(large["gradient_noise"][first], noise[first - 1]), "it was not measured anew"
    for step, rate in large["learning_rate"].items():
        b = large["gradient_noise"][step]
        assert math.isclose(rate, RATE * math.sqrt(128 / 16 * (b + 16) / (b + 128))), step
    assert large["loss"][max(large["loss"])] < small["loss"][1] / 2


def test_a_job_without_a_range_measures_nothing(tmp_path, tiny_data):
    points = train(Cluster(tmp_path).job_file(tiny_data, workers=1, epochs=1, batch=16), tmp_path)
    assert "loss" in points and "gradient_noise" not in points
