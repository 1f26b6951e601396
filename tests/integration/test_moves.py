"""Jobs that leave a node that is drained or lost, and jobs that cannot; when a job that waits would start."""
import json
import re

from cluster import wait_until
from test_kill import ENDLESS, long_job, now_us

# All workers of one machine see the same file:// folder, and nobody has told the coordinator.


def start_node_a(cluster):
    cluster.start_coordinator("--lease", "1s")
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)


def saved_on_a(cluster, data):
    """A job that runs on node-a and has a checkpoint; node-b is there, and idle."""
    start_node_a(cluster)
    job = long_job(cluster, data, epochs=ENDLESS, workers=1, checkpoint="every_steps: 200")
    wait_until(lambda: saved(cluster, job), "a checkpoint is committed")
    cluster.start_worker("node-b")
    cluster.wait_nodes(2)
    return job


def runs_again(cluster, job):
    return wait_until(lambda: (now := cluster.job(job))["attempt"] == 2 and now["state"] == "RUNNING" and now,
                      "the job goes on elsewhere", pause=0.1)


def saved(cluster, job):
    listed = cluster.json("checkpoints", job).get("checkpoints", [])
    return [c for c in listed if c["state"] in ("CHECKPOINT_COMMITTED", "CHECKPOINT_VERIFIED")]


def nodes_of(job):
    return sorted({r["node"] for r in job["ranks"]})


def kinds(cluster, job):
    return [e["kind"] for e in cluster.json("events", "--job", job)["events"]]


def cancel(cluster, job):
    cluster.cox("cancel", job)
    cluster.wait_state(job, "CANCELLED")


def test_job_goes_on_where_its_checkpoints_are_seen_after_its_node_is_lost(bare_cluster, tiny_data):
    cluster = bare_cluster
    job = saved_on_a(cluster, tiny_data)
    cluster.workers["node-a"].kill()
    moved = runs_again(cluster, job)
    assert nodes_of(moved) == ["node-b"], moved["ranks"]
    events = cluster.json("events", "--job", job)["events"]
    away = next(e["text"] for e in events if e["kind"] == "NodeUnreachable")
    assert "others are asked whether they see its checkpoints (file://" in away, away
    shared = next(e["text"] for e in events if e["kind"] == "StoreShared")
    assert shared.startswith("node-b sees the job's checkpoints"), shared
    assert int(moved["attempts"][1]["resumedPosition"]) > 0, moved["attempts"]
    cluster.start_worker("node-a")
    wait_until(lambda: len(cluster.rank_pids()) == 1, "what still ran on node-a is stopped")
    cancel(cluster, job)


def test_job_whose_checkpoints_nobody_else_sees_waits_for_its_node_and_says_so(bare_cluster, tiny_data):
    """The checkpoints are not where node-b looks for them, as with disks of their own."""
    cluster = bare_cluster
    job = saved_on_a(cluster, tiny_data)
    cluster.workers["node-a"].kill()
    cluster.store.rename(cluster.store.with_name("store-of-node-a"))
    tied = wait_until(lambda: "waiting for node-a" in (now := cluster.job(job))["reason"]
                      and "StoreNotShared" in kinds(cluster, job) and now, "it is said what it waits for", pause=0.1)
    reason = tied["reason"]
    assert "on node-a: its checkpoints are in file://" in reason, reason
    assert "which no other node is known to see" in reason and "room elsewhere" not in reason, reason
    assert "no checkpoint is taken while rank 0 on node-a is unreachable; the last one is c" in reason, reason
    explained = cluster.cox("explain", job)
    assert "cancel it and submit it again" in explained.stderr, explained.stderr
    assert "nobody can ask it to save" in explained.stdout, explained.stdout
    assert re.search(r"Ends: +not known", explained.stdout), explained.stdout
    cancel(cluster, job)


def test_drain_warns_of_what_cannot_leave_and_moves_what_can(bare_cluster, tiny_data):
    cluster = bare_cluster
    job = saved_on_a(cluster, tiny_data)
    drained = cluster.cox("drain", "node-a", "--deadline", "5s")
    assert "node-a is DRAINING: 1 job to end, or to save and let go before" in drained.stdout, drained.stdout
    assert f"warning: {job} (long) can run on node-a only: its checkpoints are in file://" in drained.stderr, drained.stderr
    moved = runs_again(cluster, job)
    assert nodes_of(moved) == ["node-b"] and moved["preemptions"] == 1, moved
    again = cluster.cox("drain", "node-b")
    assert "warning" not in again.stderr, "it is known by now that both see the store"
    cancel(cluster, job)


def test_dry_run_tells_queue_and_start_as_explain_does_after_the_submission(bare_cluster, tiny_data):
    cluster = bare_cluster
    start_node_a(cluster)
    first = long_job(cluster, tiny_data, epochs=ENDLESS, workers=4, extra_spec="expected_time: 30m")
    cluster.wait_state(first, "RUNNING")
    cluster.wait_step(first, 1)
    waits = cluster.job_file(tiny_data, name="waits", workers=2)

    def dry_run():
        return json.loads(cluster.cox("submit", waits, "--dry-run", "-o", "json").stdout)

    dry = dry_run()
    assert dry["queue"] == "default" and int(dry["expectedStartUs"]) > 0, dry
    assert f"next release {first} (long) in about" in dry["reason"] and "it starts in about" in dry["reason"], dry["reason"]
    job = cluster.submit(waits)

    def told_alike():
        """What the ranks of the first say of their end moves all the time."""
        told = cluster.json("explain", job)
        starts = int(told["job"]["expectedStartUs"])
        cluster.cox("cancel", cluster.submit(cluster.job_file(tiny_data, name="makes-a-plan", workers=2)))
        return starts and abs(starts - int(cluster.json("explain", first)["expectedEndUs"])) < 0.2 * (starts - now_us()) and told

    told = wait_until(told_alike, "explain tells when it starts: when the first one ends")
    assert any(r.startswith("it starts in about") for r in told["reasons"]), told["reasons"]
    cancel(cluster, job)
    cancel(cluster, first)
