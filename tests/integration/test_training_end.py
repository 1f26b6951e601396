"""How training ends: by its evaluations, by its best checkpoint, by its time."""
import json
import os
import pathlib
import signal
import urllib.parse

from cluster import wait_until


def folder_of(uri):
    return pathlib.Path(urllib.parse.urlparse(uri).path)


def evaluations(cluster, job, name):
    """By step: the points of a job that has ended, once all of them are there."""
    points = {}

    def there():
        done = cluster.cox("metrics", job, "--name", name, "-o", "json", check=False)
        points.update({int(p["step"]): p["value"] for p in json.loads(done.stdout or '{"points": []}')["points"]})
        return done.returncode == 0 and int(cluster.job(job)["progress"]["step"]) in points
    wait_until(there, f"{name} of the last step of {job} is there")
    return points


def tensors(file):
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: data[8 + length:][slice(*entry["data_offsets"])] for name, entry in header.items() if name != "__metadata__"}


def test_early_stopping_ends_the_job_well_and_says_why(cluster, tiny_data):
    """The weights do not move, so that no evaluation is better than the first, whatever is killed meanwhile."""
    file = cluster.job_file(tiny_data, epochs=4000, checkpoint="every_steps: 20", train="""
optimizer: {name: sgd, learning_rate: 1e-12}
evaluate_every_steps: 100
early_stopping: {metric: loss, patience: 4, min_delta: 0.001}""")
    job = cluster.submit(file)
    cluster.wait_step(job, 250)
    os.kill(cluster.rank_pids()[0], signal.SIGKILL)
    assert cluster.cox("wait", job).returncode == 0
    done = cluster.job(job)
    assert done["state"] == "COMPLETED" and int(done["progress"]["step"]) == 500, done
    assert done["reason"].startswith("early stopping: loss has not been better than "), done["reason"]
    assert done["reason"].endswith(" (step 100) by more than 0.001 in 4 evaluations"), done["reason"]
    last = cluster.json("checkpoints", job)["checkpoints"][0]
    assert int(last["step"]) == 500 and last["final"], last
    assert folder_of(done["modelUri"]).joinpath("model.safetensors").exists()
    more = cluster.submit(file, "--set", "metadata.name=more", "--resume-from", job)
    assert cluster.cox("wait", more).returncode == 0
    done = cluster.job(more)
    assert int(done["progress"]["step"]) == 900 and " (step 500) by more than " in done["reason"], ("from its first evaluation on", done)


def check_best(cluster, job, name, sign, last, prefix=""):
    """Of the points of `name` the best is saved, kept besides the last one, shown and exported; prefix: of its tensors."""
    values = evaluations(cluster, job, name)
    step = min(values, key=lambda s: (sign * values[s], s))

    def kept():
        listed = cluster.json("checkpoints", job)["checkpoints"]
        settled = {c["state"] for c in listed} == {"CHECKPOINT_VERIFIED"} and {int(c["step"]) for c in listed} == {step, last}
        return listed if settled else None
    listed = wait_until(kept, f"of {job} only the steps {step}, the best, and {last}, the last, are kept, and read back")
    best = next(c for c in listed if int(c["step"]) == step)
    assert best["best"] and best["metric"] == values[step], (values, listed)
    shown = cluster.cox("checkpoints", job).stdout
    assert shown.count("best: ") == 1 and best["id"] in next(line for line in shown.splitlines() if "best: " in line), shown
    described = next(line for line in cluster.cox("describe", job).stdout.splitlines() if line.startswith("Best"))
    assert best["id"] in described and best["uri"] in described, described
    assert f"best: {name.removeprefix('eval.')} " in shown and f"({name.removeprefix('eval.')} " in described, (shown, described)
    assert f"(best: {name.removeprefix('eval.')} " in cluster.http(f"/jobs/{job}")
    assert cluster.job(job)["bestCheckpoint"]["id"] == best["id"]
    model = tensors(folder_of(cluster.job(job)["modelUri"]) / "model.safetensors")
    whole = {name: data for name, data in model.items() if len(data) < 300}  # small enough to be in one shard
    assert whole, {name: len(data) for name, data in model.items()}
    for checkpoint in listed:
        saved = b""
        for shard in sorted(folder_of(checkpoint["uri"]).glob("rank-*.safetensors")):
            saved += b"".join(data for name, data in tensors(shard).items() if name.startswith(prefix))
        found = all(data in saved for data in whole.values())
        assert found == (checkpoint is best), f"the model is of step {checkpoint['step']}: {found}"
    return step


def test_the_best_checkpoint_is_kept_shown_and_exported(cluster, tiny_data):
    file = cluster.job_file(tiny_data, epochs=6, checkpoint="every_steps: 8\nkeep: 1\nbest: {metric: loss, export: true}", train="""
optimizer: {name: sgd, learning_rate: 1.5, momentum: 0.5}
evaluate_every_steps: 16""")
    job = cluster.submit(file)
    assert cluster.cox("wait", job).returncode == 0
    assert sorted(evaluations(cluster, job, "eval.loss")) == list(range(16, 193, 16))
    check_best(cluster, job, "eval.loss", 1, 192)


def test_the_best_checkpoint_outlives_a_killed_rank(cluster, tiny_data):
    """The accuracy is at its highest long before the kill: what it was then only the coordinator knows afterwards."""
    file = cluster.job_file(tiny_data, epochs=40, checkpoint="every_steps: 8\nkeep: 1\nbest: {metric: accuracy, export: true}", train="""
ema: {decay: 0.9, warmup: true}
evaluate_every_steps: 32""")
    job = cluster.submit(file)
    cluster.wait_step(job, 600)
    for pid in cluster.rank_pids():
        os.kill(pid, signal.SIGKILL)
    assert cluster.cox("wait", job).returncode == 0
    assert cluster.job(job)["attempt"] == 2
    assert check_best(cluster, job, "eval.accuracy", -1, 1280, prefix="ema.") < 600


def test_a_job_at_its_time_limit_has_saved_and_says_so(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=4000, evaluate=False, extra_spec="time_limit: 3s"))
    assert cluster.cox("wait", job, check=False).returncode == 105
    done = cluster.job(job)
    assert done["state"] == "TIMEOUT" and done["cause"] == "FAILURE_CAUSE_TIME_LIMIT", done
    assert done["reason"].startswith("the time limit of 3 s has passed"), done["reason"]
    last = cluster.json("checkpoints", job)["checkpoints"][0]
    assert int(last["step"]) == int(done["progress"]["step"]) > 0, (last, done["progress"])
    more = cluster.submit(cluster.job_file(tiny_data, name="more", epochs=4000, evaluate=False), "--resume-from", job)
    cluster.wait_step(more, int(last["step"]) + 10)
    cluster.cox("cancel", more)
