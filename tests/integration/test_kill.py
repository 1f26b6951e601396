"""kill -9 of each process while a job trains: nothing acknowledged is lost, and the job completes.

`pytest -s` shows how long each recovery took.
"""
import os
import random
import signal
import subprocess
import threading
import time

from cluster import BIN, alive, kill, wait_until
from test_train import path_of, points

ENDLESS = 100_000  # epochs of a job that is cancelled in the end, however fast the machine
EPOCHS = 50
STEPS = EPOCHS * 32  # of 2,048 samples in batches of 64


def long_job(cluster, data, name="long", epochs=EPOCHS, checkpoint="every_steps: 50", **kwargs):
    """Some seconds of steps: long enough to be killed in the middle."""
    return cluster.submit(cluster.job_file(data, name=name, epochs=epochs, checkpoint=checkpoint, evaluate=False,
                                           **kwargs))


def now_us():
    return int(time.time() * 1e6)


def went_on(cluster, job, step, what):
    """Waits until the job is past `step`, and says how long that took from here."""
    begin = time.monotonic()
    cluster.wait_step(job, step + 1)
    print(f"\n{what}: progress is seen again after {time.monotonic() - begin:.2f} s")


def step_of(cluster, job):
    return int(cluster.job(job)["progress"]["step"])


def assert_whole(cluster, job, attempt=1, steps=STEPS):
    """Completed in that attempt, every sample used once, a loss for every step."""
    done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "COMPLETED" and done["attempt"] == attempt, done["reason"]
    last = cluster.json("checkpoints", job)["checkpoints"][0]
    assert last["final"] and int(last["position"]) == steps * 64, "every sample of every epoch exactly once"
    cluster.wait_point(job, steps)
    seen = points(cluster, job, "loss")
    numbers = sorted(int(p["step"]) for p in seen)
    assert numbers == list(range(1, steps + 1)), f"hole near {sorted(set(range(1, steps + 1)) - set(numbers))[:20]}"
    return done, seen


def assert_trained_between(seen, begin_us, end_us):
    """Points of steps made while a daemon was away."""
    assert any(begin_us < int(p["timeUs"]) < end_us for p in seen), "no step was made while it was away"


def test_coordinator_killed_ranks_go_on_and_metrics_have_no_hole(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    ranks, step = cluster.rank_pids(), step_of(cluster, job)
    assert len(ranks) == 2
    cluster.coordinator.kill()
    killed = now_us()
    time.sleep(1.0)  # the coordinator is away for a while: that is the test
    assert cluster.rank_pids() == ranks, "ranks must go on without a coordinator"
    back = now_us()
    cluster.start_coordinator()
    went_on(cluster, job, step, "coordinator killed")
    _, seen = assert_whole(cluster, job)  # in attempt 1: by the same processes
    assert_trained_between(seen, killed, back)


def test_worker_killed_ranks_are_adopted_again(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    ranks, step = cluster.rank_pids(), step_of(cluster, job)
    cluster.workers["node-a"].kill()
    killed = now_us()
    time.sleep(0.5)
    assert cluster.rank_pids() == ranks, "ranks must go on without their worker"
    back = now_us()
    cluster.start_worker("node-a")
    went_on(cluster, job, step, "worker killed")
    assert sorted(int(r["pid"]) for r in cluster.job(job)["ranks"]) == ranks, "the same processes, adopted"
    _, seen = assert_whole(cluster, job)
    assert_trained_between(seen, killed, back)


def test_worker_term_leaves_ranks_running(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 10)
    ranks = cluster.rank_pids()
    cluster.workers["node-a"].kill(signal.SIGTERM)
    assert cluster.rank_pids() == ranks
    cluster.start_worker("node-a")
    assert_whole(cluster, job)


def test_both_daemons_killed_at_once(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    ranks, step = cluster.rank_pids(), step_of(cluster, job)
    for daemon in (cluster.coordinator, cluster.workers["node-a"]):
        kill(daemon.pid)
    for daemon in (cluster.coordinator, cluster.workers["node-a"]):
        daemon.process.wait(30)
    killed = now_us()
    time.sleep(0.5)
    assert cluster.rank_pids() == ranks, "ranks must go on without either daemon"
    back = now_us()
    cluster.start_coordinator()
    cluster.start_worker("node-a")
    went_on(cluster, job, step, "both daemons killed")
    _, seen = assert_whole(cluster, job)
    assert_trained_between(seen, killed, back)


def test_everything_killed_at_once_resumes_from_the_newest_checkpoint(cluster, tiny_data):
    """What a machine that crashes leaves behind, but for its page cache."""
    job = long_job(cluster, tiny_data, checkpoint="every_steps: 25")
    wait_until(lambda: cluster.job(job).get("lastCheckpoint"), "a checkpoint is committed", pause=0.05)
    saved = int(cluster.job(job)["lastCheckpoint"]["position"])
    for pid in [cluster.coordinator.pid, cluster.workers["node-a"].pid, *cluster.shim_pids(), *cluster.rank_pids()]:
        kill(pid)
    cluster.coordinator.process.wait(30)
    cluster.workers["node-a"].process.wait(30)
    wait_until(lambda: not cluster.rank_pids(), "the ranks are dead")
    cluster.start_coordinator()
    begin = time.monotonic()
    cluster.start_worker("node-a")
    wait_until(lambda: cluster.job(job)["attempt"] == 2, "a second attempt", pause=0.05)
    wait_until(lambda: cluster.job(job)["state"] == "RUNNING", "the second attempt runs", pause=0.05)
    print(f"\neverything killed: the job runs again after {time.monotonic() - begin:.2f} s")
    done, _ = assert_whole(cluster, job, attempt=2)
    assert int(done["attempts"][-1]["resumedPosition"]) >= saved > 0
    assert done["attempts"][0]["reason"], "the first attempt's end must have a reason"


def test_trainer_dies_while_its_worker_is_down(cluster, tiny_data):
    job = long_job(cluster, tiny_data, extra_spec="retries:\n  max_attempts: 1")
    cluster.wait_step(job, 30)
    victim = next(r for r in cluster.job(job)["ranks"] if r.get("rank", 0) == 1)
    cluster.workers["node-a"].kill()
    kill(int(victim["pid"]), signal.SIGKILL)
    wait_until(lambda: not alive(int(victim["pid"])), "the trainer is dead")
    begin = time.monotonic()
    cluster.start_worker("node-a")
    done = cluster.wait_state(job, "NODE_FAIL", "FAILED", "COMPLETED")
    print(f"\nworker and trainer killed: known {time.monotonic() - begin:.2f} s after the worker's start")
    assert done["state"] == "NODE_FAIL", done["reason"]
    assert done["exit"]["signal"] == 9 and done["exit"]["code"] == 0 and done["exit"]["rank"] == 1, done["exit"]
    assert done["exit"]["node"], done["exit"]
    said = (cluster.worker_dir("node-a") / "jobs" / job / "a1" / "r1" / "stderr.0").read_text()
    assert "rank 1 of 2" in said and done["exit"]["lastLog"] == said, "the last log lines must be there"
    assert "SIGKILL" in done["reason"] and "rank 1" in done["reason"], done["reason"]
    assert cluster.cox("wait", job, check=False).returncode == 104


def test_trainer_killed_job_resumes_from_the_newest_checkpoint(cluster, tiny_data):
    job = long_job(cluster, tiny_data, checkpoint="every_steps: 25")
    wait_until(lambda: cluster.job(job).get("lastCheckpoint"), "a checkpoint is committed", pause=0.05)
    cluster.wait_step(job, 60)
    saved = int(cluster.job(job)["lastCheckpoint"]["position"])
    first = cluster.rank_pids()
    begin = time.monotonic()
    kill(first[-1])
    wait_until(lambda: len(cluster.rank_pids()) == 2 and not set(first) & set(cluster.rank_pids()), "new ranks")
    went = time.monotonic() - begin
    wait_until(lambda: cluster.job(job)["state"] == "RUNNING", "the second attempt runs", pause=0.02)
    print(f"\ntrainer killed: new processes after {went:.2f} s, running after {time.monotonic() - begin:.2f} s")
    done, _ = assert_whole(cluster, job, attempt=2)
    second = done["attempts"][-1]
    assert int(second["resumedPosition"]) >= saved > 0 and second["resumedFrom"]
    assert done["attempts"][0]["kind"] == "FAILURE_KIND_KILLED", done["attempts"]


def test_shim_killed_is_told_and_retried(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 60)
    first = cluster.rank_pids()
    kill(cluster.shim_pids()[0])
    done, _ = assert_whole(cluster, job, attempt=2)
    assert "shim" in done["attempts"][0]["reason"], done["attempts"][0]
    assert not [pid for pid in first if alive(pid)], "no rank of the first attempt may be left over"
    wait_until(lambda: not cluster.rank_pids() and not cluster.shim_pids(), "nothing of the job runs any more")


def test_shim_killed_while_its_worker_is_down(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 60)
    first = cluster.rank_pids()
    cluster.workers["node-a"].kill()
    kill(cluster.shim_pids()[0])
    cluster.start_worker("node-a")
    done, _ = assert_whole(cluster, job, attempt=2)
    assert "shim" in done["attempts"][0]["reason"], done["attempts"][0]
    assert not [pid for pid in first if alive(pid)], "no rank of the first attempt may be left over"


def folders_of(cluster, job):
    return set(cluster.store.glob(f"*/{job}/step-*"))


def kill_coordinator_while_saving(cluster, job, rng):
    """Kills it at a random moment, or (two times of three) at the first byte of a new checkpoint.

    Returns the folder of the checkpoint that was open at that time: its row written, its commit not yet answered.
    """
    if rng.random() < 0.33:
        time.sleep(rng.uniform(0.05, 0.3))
    else:
        before = folders_of(cluster, job)
        wait_until(lambda: folders_of(cluster, job) - before, "a new checkpoint is opened", pause=0.0005)
    cluster.coordinator.kill()
    time.sleep(rng.uniform(0, 0.3))
    newest = max(folders_of(cluster, job))  # by step; an older one without the mark is being collected
    return None if (newest / "committed").exists() else newest


def cancel_with_save(cluster, job):
    """Ends an endless job at whatever step it is: that step is saved, and no sample or point is missing before it.

    An attempt that was given up may have been further: what it told of later steps stays, as its own.
    """
    cluster.cox("cancel", job, "--save")
    done = cluster.wait_state(job, "CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL")
    assert done["state"] == "CANCELLED", done["reason"]
    step = int(done["lastCheckpoint"]["step"])
    assert int(done["lastCheckpoint"]["position"]) == step * 64
    cluster.wait_point(job, step)
    told = points(cluster, job, "loss")
    newest = max(int(p["generation"]) for p in told if int(p["step"]) == step)
    numbers = sorted(int(p["step"]) for p in told if int(p["step"]) <= step or int(p["generation"]) == newest)
    assert numbers == list(range(1, step + 1)), f"hole near {sorted(set(range(1, step + 1)) - set(numbers))[:20]}"
    return done


def assert_store_is_tidy(cluster, job, keep):
    """In the end `keep` checkpoints are kept, all verified, and on the disk is what is listed and nothing else."""
    def settled():
        listed = cluster.json("checkpoints", job)["checkpoints"]
        verified = all(c["state"] == "CHECKPOINT_VERIFIED" for c in listed)
        return listed if verified and {path_of(c["uri"]) for c in listed} == folders_of(cluster, job) else None
    listed = wait_until(settled, "what is kept is verified, what is not is gone", pause=0.2)
    assert len(listed) == keep, listed
    for folder in folders_of(cluster, job):
        assert sorted(os.listdir(folder)) == ["committed", "manifest.json", "rank-00000.safetensors",
                                              "rank-00001.safetensors"]


def test_coordinator_killed_during_saves(cluster, tiny_data):
    """COXSWAIN_TEST_SEED repeats a run's choices, COXSWAIN_TEST_ROUNDS asks for more than 5 kills."""
    seed = int(os.environ.get("COXSWAIN_TEST_SEED", "0")) or random.randrange(1, 1 << 31)
    print(f"\nCOXSWAIN_TEST_SEED={seed}")
    rng = random.Random(seed)
    job = long_job(cluster, tiny_data, epochs=ENDLESS, checkpoint="every_steps: 5\nkeep: 3")
    cluster.wait_step(job, 10)
    in_between = 0
    for _ in range(int(os.environ.get("COXSWAIN_TEST_ROUNDS", "5"))):
        step = step_of(cluster, job)
        left_open = kill_coordinator_while_saving(cluster, job, rng)
        cluster.start_coordinator()
        begin = time.monotonic()
        if left_open:
            in_between += 1
            wait_until((left_open / "committed").exists, f"{left_open.name} is committed", pause=0.002)
            print(f"a checkpoint that was open is committed {time.monotonic() - begin:.2f} s after the restart")
        cluster.wait_step(job, step + 1)
    assert in_between > 0, "no kill came between the opening and the commit of a checkpoint"
    done = cancel_with_save(cluster, job)
    assert done["attempt"] == 1, done["reason"]
    assert_store_is_tidy(cluster, job, keep=3)


def stopped_before_its_commit(cluster, data):
    """A job whose only rank is stopped after it wrote its first manifest, before that was reported: (job, pid, saved).

    The first one: what is committed to a folder of one machine would bind the job to that machine.
    """
    for attempt in range(20):
        job = cluster.submit(cluster.job_file(data, name=f"frozen-{attempt}", workers=1, epochs=ENDLESS, evaluate=False,
                                              checkpoint="every_steps: 200"))
        (folder,) = wait_until(lambda: folders_of(cluster, job), "a checkpoint is opened", pause=0.0005)
        (pid,) = cluster.rank_pids()
        manifest = str(folder / "manifest.json")
        wait_until(lambda: os.path.exists(manifest), "its manifest is written", pause=0)
        kill(pid, signal.SIGSTOP)
        time.sleep(0.3)  # what was on its way has arrived
        saved = cluster.json("checkpoints", job)["checkpoints"][-1]
        if saved["state"] == "CHECKPOINT_OPEN":
            return job, pid, saved
        kill(pid, signal.SIGCONT)  # it was quicker
        cluster.cox("cancel", job)
        cluster.wait_state(job, "CANCELLED")
    raise AssertionError("the rank was always quicker")


def test_a_stale_generation_commits_nothing(bare_cluster, tiny_data):
    """A machine freezes just before a commit and its job starts elsewhere; then it is back, and wants to commit."""
    cluster = bare_cluster
    cluster.start_coordinator("--lease", "1s")
    worker = cluster.start_worker("node-a").pid
    cluster.wait_nodes(1)
    job, rank, saved = stopped_before_its_commit(cluster, tiny_data)
    (shim,) = cluster.shim_pids()
    for pid in (shim, worker):
        kill(pid, signal.SIGSTOP)
    cluster.start_worker("node-b")
    wait_until(lambda: cluster.job(job)["attempt"] == 2 and cluster.job(job)["state"] == "RUNNING",
               "the job runs elsewhere", pause=0.05)
    kill(worker, signal.SIGCONT)
    cluster.wait_nodes(2)
    kill(rank, signal.SIGCONT)  # its shim is to stop it, but the shim is not back yet

    def refused():
        return [e for e in cluster.json("events", "--job", job)["events"] if e["kind"] == "CheckpointRefused"]
    event = wait_until(refused, "the commit is refused", pause=0.05)[0]
    # Once it is deleted, its step is not known any more.
    of_step = f" of step {int(saved['step']):,}"
    why = "from rank 0 on node-a: attempt 1 is over; the newest is 2"
    assert event["text"] in (f"{saved['id']}{of_step} {why}", f"{saved['id']} {why}"), event
    assert event["generation"] == "1" and event["attempt"] == 1, event
    kill(shim, signal.SIGCONT)
    wait_until(lambda: not alive(rank), "the old rank is stopped")
    wait_until(lambda: not path_of(saved["uri"]).exists(), "what it had written is removed")
    wait_until(lambda: saved["id"] not in [c["id"] for c in cluster.json("checkpoints", job)["checkpoints"]],
               "its removal is on record")
    (stale,) = [c for c in cluster.json("checkpoints", job, "--all")["checkpoints"] if c["id"] == saved["id"]]
    assert stale["state"] == "CHECKPOINT_DELETED" and stale["committedUs"] == "0", stale
    done = cancel_with_save(cluster, job)
    assert done["attempt"] == 2 and done["attempts"][-1]["resumedFrom"] != saved["id"]


def submissions(cluster, job_file, prefix, count):
    """submit-load on its way, and the list that its acknowledgements arrive in."""
    end = cluster.endpoint()
    load = subprocess.Popen(
        [BIN / "submit-load", "--server", end["api"], "--token-file", end["token_file"], "--job", job_file, "--count",
         str(count), "--clients", "4", "--key-prefix", prefix], stdout=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(line for line in load.stdout if line.startswith("ACK ")))
    reader.start()

    def finish():
        load.wait(120)
        reader.join()
        return dict(line.split()[1:3] for line in lines)
    return lines, finish


def submit_and_kill(cluster, job_file, prefix, after):
    """1,000 submissions; the coordinator dies as soon as `after` of them are acknowledged, and is back."""
    lines, finish = submissions(cluster, job_file, prefix, 1000)
    wait_until(lambda: len(lines) >= after, f"{after} are acknowledged", pause=0.001)
    cluster.coordinator.kill()
    acknowledged = finish()
    begin = time.monotonic()
    cluster.start_coordinator()
    print(f"\n{prefix}: killed after {len(acknowledged)}; serves again after {time.monotonic() - begin:.2f} s")
    return acknowledged


def listed_ids(cluster):
    listed = [j["id"] for j in cluster.json("jobs", "--limit", "0")["jobs"]]
    assert len(listed) == len(set(listed)), "a job is listed twice"
    return set(listed)


def test_acknowledged_submissions_survive_kill_9(bare_cluster, tiny_data):
    """Killed right after 1,000 of them: 20 rounds by COXSWAIN_TEST_ROUNDS=20; CI runs 3."""
    cluster = bare_cluster
    cluster.start_coordinator()
    rounds = int(os.environ.get("COXSWAIN_TEST_ROUNDS", "3"))
    job_file = cluster.job_file(tiny_data)
    acknowledged = {}
    for number in range(rounds):
        acknowledged |= submit_and_kill(cluster, job_file, f"round{number}", 1000)
    assert len(acknowledged) == rounds * 1000
    assert len(set(acknowledged.values())) == len(acknowledged), "an id was used twice"
    assert set(acknowledged.values()) == listed_ids(cluster), "lost or doubled"
    again = {}  # the same keys give the same jobs, and no new one
    for number in range(rounds):
        again |= submissions(cluster, job_file, f"round{number}", 1000)[1]()
    assert again == acknowledged
    assert set(acknowledged.values()) == listed_ids(cluster)


def test_submissions_killed_in_the_middle_are_repeated_without_doubling(bare_cluster, tiny_data):
    """What was acknowledged is there; what was not is there once, after the client has repeated it."""
    cluster = bare_cluster
    cluster.start_coordinator()
    job_file = cluster.job_file(tiny_data)
    acknowledged = submit_and_kill(cluster, job_file, "middle", 400)
    assert 400 <= len(acknowledged) < 1000, "the kill came too late to be in the middle"
    assert set(acknowledged.values()) <= listed_ids(cluster), "an acknowledged submission is lost"
    again = submissions(cluster, job_file, "middle", 1000)[1]()
    assert len(again) == 1000 and again.items() >= acknowledged.items(), "a repeated key gave another job"
    assert len(set(again.values())) == 1000 and set(again.values()) == listed_ids(cluster)
