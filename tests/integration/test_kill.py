"""kill -9 of each process while a job trains: nothing acknowledged is lost, the job completes."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from cluster import BIN, alive, kill, wait_until
from test_train import points


def long_job(cluster, data, name="long", epochs=40, checkpoint="every_steps: 50", **kwargs):
    """Some ten seconds of steps: long enough to be killed in the middle."""
    return cluster.submit(cluster.job_file(data, name=name, epochs=epochs, checkpoint=checkpoint, evaluate=False, **kwargs))


def test_coordinator_killed_ranks_go_on_and_metrics_have_no_hole(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    ranks = cluster.rank_pids()
    assert len(ranks) == 2
    cluster.coordinator.kill()
    time.sleep(1.0)  # the coordinator is away for a while: that is the test
    assert cluster.rank_pids() == ranks, "ranks must go on without a coordinator"
    cluster.start_coordinator()
    done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 1, done["reason"]
    steps = sorted(int(p["step"]) for p in points(cluster, job, "loss"))
    assert steps == list(range(1, 40 * 32 + 1)), f"hole near {set(range(1, 1281)) - set(steps)}"


def test_worker_killed_ranks_are_adopted_again(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    ranks = cluster.rank_pids()
    cluster.workers["node-a"].kill()
    time.sleep(0.5)
    assert cluster.rank_pids() == ranks, "ranks must go on without their worker"
    cluster.start_worker("node-a")
    done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 1, done["reason"]
    steps = sorted(int(p["step"]) for p in points(cluster, job, "loss"))
    assert steps == list(range(1, 40 * 32 + 1)), f"hole near {set(range(1, 1281)) - set(steps)}"


def test_worker_term_leaves_ranks_running(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 10)
    ranks = cluster.rank_pids()
    cluster.workers["node-a"].kill(signal.SIGTERM)
    assert cluster.rank_pids() == ranks
    cluster.start_worker("node-a")
    assert cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")["state"] == "COMPLETED"


def test_trainer_dies_while_its_worker_is_down(cluster, tiny_data):
    job = long_job(cluster, tiny_data, extra_spec="retries:\n  max_attempts: 1")
    cluster.wait_step(job, 30)
    victim = next(r for r in cluster.job(job)["ranks"] if r.get("rank", 0) == 1)
    cluster.workers["node-a"].kill()
    kill(int(victim["pid"]), signal.SIGKILL)
    wait_until(lambda: not alive(int(victim["pid"])), "the trainer is dead")
    cluster.start_worker("node-a")
    done = cluster.wait_state(job, "NODE_FAIL", "FAILED", "COMPLETED")
    assert done["state"] == "NODE_FAIL", done["reason"]
    assert done["exit"]["signal"] == 9 and done["exit"].get("rank", 0) == 1
    assert done["exit"]["node"], done["exit"]
    assert done["exit"]["lastLog"].strip(), "the last log lines must be there"
    assert cluster.cox("wait", job, check=False).returncode == 104


def test_trainer_killed_job_resumes_from_the_newest_checkpoint(cluster, tiny_data):
    job = long_job(cluster, tiny_data, checkpoint="every_steps: 25")
    wait_until(lambda: cluster.job(job).get("lastCheckpoint"), "a checkpoint is committed", pause=0.05)
    cluster.wait_step(job, 60)
    kill(cluster.rank_pids()[-1])
    done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 2, done["reason"]
    second = done["attempts"][-1]
    assert int(second["resumedPosition"]) >= 25 * 64 and second["resumedFrom"]
    assert int(done["progress"]["position"]) == 40 * 2048, "every sample of every epoch exactly once"
    steps = sorted(int(p["step"]) for p in points(cluster, job, "loss"))
    assert steps == list(range(1, 40 * 32 + 1))


def test_shim_killed_is_told_and_retried(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 60)
    kill(cluster.shim_pids()[0])
    done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == 2, done["reason"]
    assert len(cluster.rank_pids()) == 0, "no rank of the first attempt may be left over"


def submit_rounds(cluster, job_file, rounds, per_round):
    """Each round: submissions from 4 clients until the coordinator is killed in the middle of them."""
    acknowledged = {}
    for number in range(rounds):
        end = cluster.endpoint()
        load = subprocess.Popen(
            [BIN / "submit-load", "--server", end["api"], "--token-file", end["token_file"], "--job", job_file, "--count",
             str(per_round), "--clients", "4", "--key-prefix", f"round{number}"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(load.stdout))
        reader.start()
        wait_until(lambda: len(seen) >= per_round, "all are acknowledged", pause=0.002)
        cluster.coordinator.kill()  # right after the last acknowledgement
        reader.join()
        load.wait()
        for line in seen:
            if line.startswith("ACK "):
                _, key, job, _ = line.split()
                acknowledged[key] = job
        cluster.start_coordinator()
    return acknowledged


def test_acknowledged_submissions_survive_kill_9(bare_cluster, tiny_data):
    """20 rounds of 1,000 by COXSWAIN_TEST_ROUNDS=20; CI runs 3."""
    cluster = bare_cluster
    cluster.start_coordinator()
    rounds = int(os.environ.get("COXSWAIN_TEST_ROUNDS", "3"))
    acknowledged = submit_rounds(cluster, cluster.job_file(tiny_data), rounds, 1000)
    assert len(acknowledged) == rounds * 1000
    assert len(set(acknowledged.values())) == len(acknowledged), "an id was used twice"
    listed = [j["id"] for j in cluster.json("jobs", "--limit", "0")["jobs"]]
    assert len(listed) == len(set(listed)), "a job is listed twice"
    assert set(acknowledged.values()) == set(listed), "lost or doubled"
    # Repeating every acknowledged key gives the same job, and no new one.
    again = {}
    end = cluster.endpoint()
    for number in range(rounds):
        done = subprocess.run([BIN / "submit-load", "--server", end["api"], "--token-file", end["token_file"], "--job",
                               cluster.folder / "job.yaml", "--count", "1000", "--clients", "4", "--key-prefix",
                               f"round{number}"], capture_output=True, text=True, timeout=120)
        again.update(line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("ACK "))
    assert again == acknowledged
