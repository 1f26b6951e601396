"""A job's whole way: submitted, placed, trained, saved, verified, exported, reported."""
import json
import pathlib
import re
import struct
import urllib.parse

from cluster import wait_until


def path_of(uri):
    return pathlib.Path(urllib.parse.urlparse(uri).path)


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    return {k: v for k, v in header.items() if k != "__metadata__"}, len(raw) - 8 - size


def points(cluster, job, name):
    return [p for p in cluster.json("metrics", job, "--name", name)["points"] if p["name"] == name]


def losses(cluster, job, steps):
    """Of each step, once that of step `steps` is there."""
    return [p["value"] for p in sorted(points(cluster, job, "loss"), key=lambda p: int(p["step"]))]


def test_two_ranks_train_to_the_end(cluster, tiny_data):
    file = cluster.job_file(tiny_data, epochs=3, checkpoint="every_steps: 20")
    job = cluster.submit(file)
    assert cluster.cox("wait", job).returncode == 0
    done = cluster.job(job)
    assert done["state"] == "COMPLETED" and done["attempt"] == 1
    assert int(done["progress"]["step"]) == 96 and int(done["progress"]["position"]) == 3 * 2048
    assert done["progress"]["evalAccuracy"] > 0.95, done["progress"]

    model = path_of(done["modelUri"])
    config = json.loads((model / "config.json").read_text())
    assert config["model"]["recipe"] == "mlp" and config["output"]["classes"] == 10
    tensors, payload = read_safetensors(model / "model.safetensors")
    assert sum(t["data_offsets"][1] - t["data_offsets"][0] for t in tensors.values()) == payload
    assert [64, 784] in [t["shape"] for t in tensors.values()]

    steps = sorted(int(p["step"]) for p in points(cluster, job, "loss"))
    assert steps == list(range(1, 97)), "the metrics have a hole"


def test_checkpoints_are_verified_and_old_ones_collected(cluster, tiny_data):
    file = cluster.job_file(tiny_data, epochs=3, checkpoint="every_steps: 10\nkeep: 2")
    job = cluster.submit(file)
    cluster.cox("wait", job)

    def settled():
        listed = cluster.json("checkpoints", job)["checkpoints"]
        return listed if all(c["state"] == "CHECKPOINT_VERIFIED" for c in listed) and len(listed) <= 3 else None
    kept = wait_until(settled, "the kept checkpoints are verified and the old ones are gone", pause=0.2)
    assert kept[0].get("final") and int(kept[0]["step"]) == 96
    for checkpoint in kept:
        folder = path_of(checkpoint["uri"])
        assert (folder / "manifest.json").exists() and (folder / "committed").exists()
    on_disk = {p.parent for p in cluster.store.rglob("manifest.json")}
    assert on_disk == {path_of(c["uri"]) for c in kept}


def test_logs_events_nodes_and_pages(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=1))
    cluster.cox("wait", job)
    done = cluster.cox("logs", job, "--rank", "0")
    log = done.stdout + done.stderr
    assert log.strip(), "rank 0 wrote nothing"
    kinds = [e["kind"] for e in cluster.json("events", "--job", job)["events"]]
    assert kinds[0] == "JobSubmitted" and "JobCompleted" in kinds, kinds
    nodes = cluster.json("nodes")["nodes"]
    assert [n["name"] for n in nodes] == ["node-a"]
    assert cluster.http("/healthz") and cluster.http("/readyz")
    assert job in cluster.http("/") and job in cluster.http("/api/v1/jobs")
    detail = json.loads(cluster.http(f"/api/v1/jobs/{job}"))
    assert detail["state"] == "COMPLETED"
    assert "node-a" in cluster.http("/api/v1/nodes")
    assert "coxswain_" in cluster.http("/metrics")


def test_resume_from_another_job_goes_on_where_it_ended(cluster, tiny_data):
    first = cluster.submit(cluster.job_file(tiny_data, name="first", epochs=1))
    cluster.cox("wait", first)
    file = cluster.job_file(tiny_data, name="second", epochs=2)
    second = cluster.submit(file, "--resume-from", first)
    cluster.cox("wait", second)
    steps = sorted(int(p["step"]) for p in points(cluster, second, "loss"))
    assert steps == list(range(33, 65)), "a resumed run goes on at the next sample"
    uri = cluster.json("checkpoints", first)["checkpoints"][0]["uri"]
    third = cluster.submit(cluster.job_file(tiny_data, name="third", epochs=2), "--resume-from", uri)
    cluster.cox("wait", third)
    assert cluster.job(third)["state"] == "COMPLETED"


def test_resume_is_checked_at_submit(cluster, tiny_data):
    first = cluster.submit(cluster.job_file(tiny_data, name="first", epochs=1))
    cluster.cox("wait", first)
    file = cluster.job_file(tiny_data, name="second", epochs=1)

    def refused(*flags):
        done = cluster.cox("submit", file, *flags, check=False)
        assert done.returncode == 106, (done.stdout, done.stderr)
        return done.stderr
    assert "no checkpoint at file:///nonexistent" in refused("--resume-from", "file:///nonexistent")
    assert "give another one to --resume-from" in refused("--resume-from", "no/such/folder")
    for place, wrong in (("ftp://host/c1", "found the scheme \"ftp\""), ("s3:/bucket/c1", "found \"s3:/bucket/c1\", expected a job")):
        done = cluster.cox("submit", file, "--resume-from", place, check=False)
        assert done.returncode == 2 and f"resume_from: {wrong}" in done.stderr, (done.returncode, done.stderr)
    for change, word in (("spec.model.hidden=[32]", "F32 [32, 784]"), ("spec.train.precision=float64", "F64"),
                         ("spec.train.optimizer.name=sgd", "has no place in this job")):
        assert word in refused("--resume-from", first, "--set", change)
    path = path_of(cluster.json("checkpoints", first)["checkpoints"][0]["uri"])
    done = cluster.cox("submit", file, "--resume-from", path, "--set", "spec.train.seed=9", "-o", "json")
    for words in ("warning: ", "nothing is left to train", "spec.train.seed is 9, the checkpoint's is 1"):
        assert words in done.stderr, done.stderr
    job = json.loads(done.stdout)["id"]
    cluster.cox("wait", job)
    end = cluster.job(job)
    assert end["state"] == "COMPLETED" and end["reason"].startswith("nothing was left to train"), end["reason"]
    assert "loss" not in end["progress"], end["progress"]
    assert "JobWarning" in [e["kind"] for e in cluster.json("events", "--job", job)["events"]]


def test_a_damaged_checkpoint_given_by_its_folder_is_the_storages_fault(cluster, tiny_data):
    first = cluster.submit(cluster.job_file(tiny_data, name="first", epochs=1))
    cluster.cox("wait", first)
    folder = path_of(cluster.json("checkpoints", first)["checkpoints"][0]["uri"])
    shard = max(folder.glob("*.safetensors"), key=lambda file: file.stat().st_size)
    with open(shard, "r+b") as file:  # a flipped bit that only reading it all can find
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    second = cluster.submit(cluster.job_file(tiny_data, name="second", epochs=2), "--resume-from", str(folder))
    assert cluster.cox("wait", second, check=False).returncode == 104
    end = cluster.job(second)
    assert end["state"] == "FAILED" and end["cause"] == "FAILURE_CAUSE_INFRASTRUCTURE", end
    for words in ("the checkpoint to resume from is damaged: ", f"{shard} is corrupt: found hash ", ", expected ",
                  "give another one to --resume-from"):
        assert words in end["reason"], end["reason"]
    assert f"  .../{folder.name}  " in cluster.cox("describe", second).stdout, "short, so that the table keeps its shape"
    assert f"  file://{folder}  " in cluster.cox("describe", second, "-o", "wide").stdout
    with open(shard, "r+b") as file:  # one that the look at the submission finds
        file.truncate(shard.stat().st_size - 1)
    done = cluster.cox("submit", cluster.job_file(tiny_data, name="third", epochs=2), "--resume-from", str(folder), check=False)
    assert done.returncode == 106 and f"{shard} is truncated: found " in done.stderr, (done.returncode, done.stderr)


def test_a_job_that_fits_nowhere_waits_and_says_why(cluster, tiny_data):
    done = cluster.cox("submit", cluster.job_file(tiny_data, name="wide", workers=9, batch=90), "-o", "json", check=False)
    if done.returncode == 0:
        job = json.loads(done.stdout)["id"]
        reason = cluster.job(job)["reason"]
        assert "9" in reason and "4" in reason, reason
        cluster.cox("cancel", job)
        assert cluster.cox("wait", job, check=False).returncode == 103
    else:
        assert done.returncode == 106 and "4" in done.stderr


def test_a_loss_that_is_not_finite_is_the_users_error(cluster, tiny_data):
    file = cluster.job_file(tiny_data, epochs=5)
    diverging = {"name": "sgd", "learning_rate": 1000, "weight_decay": 0.5}  # each step makes the weights 500 times larger
    job = cluster.submit(file, *(word for k, v in diverging.items() for word in ("--set", f"spec.train.optimizer.{k}={v}")))
    assert cluster.cox("wait", job, check=False).returncode == 100
    done = cluster.job(job)
    assert done["state"] == "FAILED" and done["cause"] == "FAILURE_CAUSE_USER", done["reason"]
    assert re.search(r"the loss is not finite at step \d+ \(ranks? [0-9, ]+\); (first )?parameter \S+", done["reason"]), done["reason"]
    assert "learning_rate" in done["reason"], done["reason"]
    assert done["attempt"] == 1, "what the job's own settings lead to is not tried again"
    assert done["attempts"][0]["cause"] == "FAILURE_CAUSE_USER", done["attempts"]
    assert done["failureKind"] == done["attempts"][0]["kind"] == "FAILURE_KIND_DIVERGED", done["attempts"]


def test_cancel_with_save_leaves_a_checkpoint(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=2000))
    cluster.wait_step(job, 20)
    cluster.cox("cancel", job, "--save", "--reason", "enough")
    assert cluster.cox("wait", job, check=False).returncode == 103
    done = cluster.job(job)
    assert done["state"] == "CANCELLED" and "enough" in done["reason"]
    assert int(done["lastCheckpoint"]["step"]) >= 20
    wait_until(lambda: not cluster.rank_pids() and not cluster.shim_pids(), "nothing of the job runs any more")


def test_wait_for_several_jobs(cluster, tiny_data):
    def job(name, **more):
        return cluster.submit(cluster.job_file(tiny_data, name=name, workers=1, **more))
    good, other = job("good", epochs=1), job("other", epochs=1)
    bad = job("bad", epochs=1, train="optimizer: {name: sgd, learning_rate: 1000, weight_decay: 0.5}")
    long = job("long", epochs=100000)
    assert cluster.cox("wait", good, other).stdout.count("COMPLETED") == 2
    assert cluster.cox("wait", "--any", long, good).stdout.startswith(f"{good} COMPLETED")
    done = cluster.cox("wait", good, bad, other, "-o", "json", check=False)
    assert [j["id"] for j in json.loads(done.stdout)["jobs"]] == [good, bad, other]
    assert done.returncode == 100 == cluster.cox("wait", bad, check=False).returncode, done.stdout
    assert cluster.cox("wait", "--check", good, long, bad, check=False).returncode == 101, "the first that did not succeed"
    assert cluster.cox("wait", good, long, "--timeout", "500ms", check=False).returncode == 124
    assert cluster.cox("wait", good, "no-such-job", check=False).returncode == 102
    cluster.cox("cancel", long)
    assert cluster.cox("wait", good, long, bad, check=False).returncode == 103
    only = cluster.json("wait", good)
    assert only["id"] == good, "one job is itself, as ever"


def test_events_of_some_kinds(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=3, checkpoint="every_steps: 5"))
    cluster.cox("wait", job)

    def kinds(*flags):
        return [e["kind"] for e in cluster.json("events", "--job", job, *flags)["events"]]
    every = kinds()
    others = [kind for kind in every if not kind.startswith("Checkpoint")]
    assert "CheckpointCommitted" in every and "JobCompleted" in others
    assert kinds("--without", "Checkpoint")[:len(others)] == others
    assert set(kinds("--kind", "CheckpointCommitted")) == {"CheckpointCommitted"}
    assert kinds("--kind", "Job", "--without", "JobS") == [k for k in others if k.startswith("Job") and not k.startswith("JobS")]
    assert kinds("--without", "Checkpoint", "--tail", "1") == ["JobCompleted"]
    assert cluster.cox("events", "--kind", "", check=False).returncode == 2


def test_a_waiting_job_has_no_time_left_to_show(cluster, tiny_data):
    holds = cluster.submit(cluster.job_file(tiny_data, name="holds", workers=4, epochs=100000))
    waits = cluster.submit(cluster.job_file(tiny_data, name="waits", workers=4, epochs=1))
    cluster.wait_step(holds, 20)
    heading, *rows = [re.split(r"\s{2,}", line) for line in cluster.cox("jobs", "-o", "wide").stdout.splitlines()]
    left = {row[0]: row[heading.index("LEFT")] for row in rows}
    assert left[waits] == "-" and re.fullmatch(r"about [\d hdmin]+|less than a minute", left[holds]), left
