"""A job whose checkpoints go to a real Ceph RADOS Gateway: verified, damaged, unreachable, and no secret told."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse

import pytest

from cluster import bytes_of, files_below, BIN, Cluster, kill, wait_until
from test_train import points

GOOD = ("CHECKPOINT_COMMITTED", "CHECKPOINT_VERIFIED")
OUTAGE_S = float(os.environ.get("COXSWAIN_TEST_OUTAGE_S", "30"))


@pytest.fixture(scope="module")
def store(ceph_gateway):
    return ceph_gateway.make_bucket("s3-job") + "/team"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, ceph_gateway):
    """The credentials are in the worker's environment and nowhere else. Used by the tests below one after another."""
    with Cluster(tmp_path_factory.mktemp("s3")) as c:
        c.start_coordinator()
        c.start_worker("node-a", env=ceph_gateway.environment())
        c.wait_nodes(1)
        yield c


def s3_job(cluster, data, store, name, epochs, every_steps=32, keep=5, **kwargs):
    text = f"store: {store}\nevery_steps: {every_steps}\nkeep: {keep}"
    return cluster.job_file(data, name=name, epochs=epochs, checkpoint=text, evaluate=False, **kwargs)


def checkpoints(cluster, job):
    """Newest first."""
    listed = cluster.json("checkpoints", job).get("checkpoints", [])
    return sorted(listed, key=lambda c: int(c["step"]), reverse=True)


def wait_verified(cluster, job):
    """Two checkpoints or more that a restore may use, once one of them is verified."""
    def settled():
        listed = [c for c in checkpoints(cluster, job) if c["state"] in GOOD]
        verified = any(c["state"] == "CHECKPOINT_VERIFIED" for c in listed)
        return listed if len(listed) >= 2 and verified else None
    return wait_until(settled, f"a checkpoint of {job} is verified", pause=0.1)


def one_step_each(cluster, job, first, last):
    def steps_told():
        return sorted(int(p["step"]) for p in points(cluster, job, "loss"))
    wait_until(lambda: steps_told()[-1:] == [last], f"the points of step {last} are there: they may follow the job's end")
    steps = steps_told()
    assert steps == list(range(first, last + 1)), f"hole near {sorted(set(range(first, last + 1)) - set(steps))[:5]}"


def damage(ceph_gateway, checkpoint):
    shard = f"{checkpoint['uri']}/rank-00001.safetensors"
    ceph_gateway.flip_bit(shard, len(ceph_gateway.get(shard)) - 9)
    return shard


@pytest.fixture(scope="module")
def trained(fleet, tiny_data, store):
    """A job that has ended (640 steps), and its checkpoints in the store, newest first."""
    job = fleet.submit(s3_job(fleet, tiny_data, store, "first", epochs=20))
    assert fleet.cox("wait", job).returncode == 0
    return job, wait_verified(fleet, job)


def test_checkpoints_are_in_the_bucket_and_verified(fleet, ceph_gateway, store, trained):
    job, listed = trained
    assert int(listed[0]["step"]) == 640 and listed[0]["final"], listed
    for checkpoint in listed[:2]:
        assert checkpoint["uri"].startswith(f"{store}/"), checkpoint
        manifest = json.loads(ceph_gateway.get(f"{checkpoint['uri']}/manifest.json"))
        sizes = [len(ceph_gateway.get(f"{checkpoint['uri']}/rank-0000{rank}.safetensors")) for rank in (0, 1)]
        assert [s["bytes"] for s in manifest["shards"]] == sizes and sum(sizes) == int(checkpoint["bytes"])
        done = subprocess.run([BIN / "cox-trainer", "--task", "verify", "--uri", checkpoint["uri"]], capture_output=True,
                              env={**os.environ, **ceph_gateway.environment()}, text=True, timeout=60)
        result = json.loads(done.stdout)["result"]
        assert result["manifest_hash"] == checkpoint["manifestHash"] and result["committed"], done
        assert checkpoint["manifestHash"] in ceph_gateway.get(f"{checkpoint['uri']}/committed").decode()
    done = fleet.job(job)
    assert done["state"] == "COMPLETED" and done["attempt"] == 1
    assert b"mlp" in ceph_gateway.get(f"{done['modelUri']}/config.json")
    one_step_each(fleet, job, 1, 640)


def test_resume_from_a_job_whose_newest_checkpoint_is_damaged(fleet, ceph_gateway, store, tiny_data, trained):
    job, listed = trained
    shard = damage(ceph_gateway, listed[0])
    again = fleet.submit(s3_job(fleet, tiny_data, store, "second", epochs=21), "--resume-from", job)
    done = fleet.wait_state(again, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 1, done["reason"]
    assert done["attempts"][0]["resumedFrom"] == listed[1]["uri"], "the checkpoint before the damaged one"
    one_step_each(fleet, again, int(listed[1]["step"]) + 1, 21 * 32)
    told = [e["text"] for e in fleet.json("events", "--job", again)["events"] if e["kind"] == "CheckpointCorrupt"]
    assert len(told) == 1 and f"{shard} is corrupt: found hash" in told[0], told
    newest = checkpoints(fleet, job)[0]
    assert newest["state"] == "CHECKPOINT_CORRUPT" and shard in newest["reason"], newest


def test_a_killed_trainer_resumes_from_the_newest_sound_checkpoint(fleet, ceph_gateway, store, tiny_data):
    job = fleet.submit(s3_job(fleet, tiny_data, store, "third", epochs=60, keep=1000))
    wait_until(lambda: len(checkpoints(fleet, job)) >= 3, "three checkpoints are begun", pause=0.05)
    ranks = [int(rank["pid"]) for rank in fleet.job(job)["ranks"]]
    for pid in ranks:
        kill(pid, signal.SIGSTOP)  # so that no newer one follows
    good = wait_verified(fleet, job)
    shard = damage(ceph_gateway, good[0])
    for pid in ranks:
        kill(pid)
    done = fleet.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 2, done["reason"]
    second = done["attempts"][-1]
    assert second["resumedFrom"] == good[1]["id"] and int(second["resumedPosition"]) == int(good[1]["position"])
    bad = next(c for c in checkpoints(fleet, job) if c["id"] == good[0]["id"])
    assert bad["state"] == "CHECKPOINT_CORRUPT" and f"{shard} is corrupt: found hash" in bad["reason"], bad
    assert shard in fleet.cox("checkpoints", job, "-o", "wide").stdout
    one_step_each(fleet, job, 1, 60 * 32)


def test_training_goes_on_while_the_gateway_is_away(fleet, ceph_gateway, store, tiny_data):
    job = fleet.submit(s3_job(fleet, tiny_data, store, "outage", epochs=100000, every_steps=50, keep=1000))
    wait_until(lambda: any(c["state"] == "CHECKPOINT_VERIFIED" for c in checkpoints(fleet, job)), "one is verified")
    ceph_gateway.stop()
    away_since = time.monotonic()
    try:
        told = wait_until(lambda: fleet.job(job).get("conditions"), "the delay shows in `cox describe`")
        assert f"checkpoint store {store}" in told[0] and " unreachable since " in told[0], told
        standing = told[0].split(": ")[0]  # what follows is the newest error, and changes between two reads
        assert standing in fleet.cox("describe", job).stdout
        assert "unreachable since" in fleet.http(f"/jobs/{job}")
        steps = [int(fleet.job(job)["progress"]["step"])]
        while time.monotonic() - away_since < OUTAGE_S:
            time.sleep(1)
            steps.append(int(fleet.job(job)["progress"]["step"]))
        assert all(a < b for a, b in zip(steps, steps[1:])), f"training must go on: {steps}"
    finally:
        ceph_gateway.start()
    wait_until(lambda: not fleet.job(job).get("conditions"), "the delay is over in `cox describe`")
    wait_until(lambda: any(int(c["step"]) > steps[-1] and c["state"] == "CHECKPOINT_VERIFIED"
                           for c in checkpoints(fleet, job)), "a later checkpoint is verified", pause=0.2)
    fleet.cox("cancel", job, "--save")
    done = fleet.wait_state(job, "CANCELLED", "FAILED", "NODE_FAIL")
    assert done["state"] == "CANCELLED" and done["attempt"] == 1, done["reason"]
    listed = checkpoints(fleet, job)
    assert {c["state"] for c in listed} <= set(GOOD), "no upload was lost"
    one_step_each(fleet, job, 1, int(done["lastCheckpoint"]["step"]))


def everything_told(cluster, jobs):
    """All that a person, a scraper or a thief of the disk can read: (where, bytes)."""
    for path in files_below(cluster.folder):
        yield str(path), bytes_of(path)
    pages = ["/", "/nodes", "/metrics", "/api/v1/jobs", "/api/v1/nodes"]
    for job in jobs:
        pages += [f"/jobs/{job}", f"/api/v1/jobs/{job}"]
        for words in (["describe", job, "-o", "wide"], ["describe", job, "-o", "json"], ["checkpoints", job, "-o", "json"],
                      ["logs", job], ["events", "--job", job, "-o", "json"]):
            done = cluster.cox(*words)
            yield " ".join(words), (done.stdout + done.stderr).encode()
    for page in pages:
        yield page, cluster.http(page).encode()


def test_credentials_are_told_nowhere(fleet, ceph_gateway):
    secret = ceph_gateway.secret_key
    forms = [secret, urllib.parse.quote(secret, safe=""), secret.replace("/", "\\/"), secret.replace("+", "%2B"),
             base64.b64encode(secret.encode()).decode().rstrip("="), ceph_gateway.access_key]
    jobs = [j["id"] for j in fleet.json("jobs")["jobs"]]
    assert len(jobs) >= 3
    read = 0
    for where, text in everything_told(fleet, jobs):
        read += 1
        for form in forms:
            assert form.encode() not in text, f"{where} holds {form}"
    assert read > 50, "there was too little to look at"


def refusal(cluster, *submit):
    """The one line of a submission that is refused."""
    done = cluster.cox("submit", *submit, check=False)
    assert done.returncode == 106, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and not done.stdout, done
    return lines[0]


def test_a_store_that_cannot_be_used_is_refused_at_submit(fleet, ceph_gateway, store, tiny_data):
    jobs = len(fleet.json("jobs")["jobs"])
    file = s3_job(fleet, tiny_data, "s3://no-such-bucket/x", "nowhere", epochs=1)
    line = refusal(fleet, file)
    assert "nowhere.yaml:" in line and "spec.checkpoint.store: cannot write s3://no-such-bucket/x" in line, line
    assert "create the bucket, or correct the URI" in line, line
    file = s3_job(fleet, tiny_data, store + "\nendpoint: http://127.0.0.1:1", "away", epochs=1)
    line = refusal(fleet, file)
    assert "away.yaml:" in line and "spec.checkpoint.store: cannot write" in line and "http://127.0.0.1:1" in line, line
    assert len(fleet.json("jobs")["jobs"]) == jobs, "nothing was accepted"


def test_wrong_credentials_are_refused_at_submit(bare_cluster, ceph_gateway, store, tiny_data):
    bare_cluster.start_coordinator()
    wrong = {**ceph_gateway.environment(), "AWS_SECRET_ACCESS_KEY": "not-the-secret-of-anybody"}
    bare_cluster.start_worker("node-a", env=wrong)
    bare_cluster.wait_nodes(1)
    line = refusal(bare_cluster, s3_job(bare_cluster, tiny_data, store, "stranger", epochs=1))
    assert "stranger.yaml:" in line and "spec.checkpoint.store" in line, line
    assert "SIGNATURE_DOES_NOT_MATCH" in line and "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in line, line
    for path in files_below(bare_cluster.folder):
        assert b"not-the-secret-of-anybody" not in bytes_of(path), path
