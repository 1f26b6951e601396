"""A node that is away for longer than its leases allow."""
import os
import signal

from cluster import wait_until
from test_kill import ENDLESS, long_job, went_on


def test_node_lost_with_no_other_place_gives_nothing_up(bare_cluster, tiny_data):
    """Away for longer than a node may be (6 leases), but there is nowhere else to go: the ranks go on."""
    cluster = bare_cluster
    cluster.start_coordinator("--lease", "1s")
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    job = long_job(cluster, tiny_data, epochs=ENDLESS)
    cluster.wait_step(job, 60)
    ranks = cluster.rank_pids()
    cluster.workers["node-a"].kill()
    held = wait_until(lambda: "no other place for it" in (now := cluster.job(job))["reason"] and now, "the job is held")
    assert held["state"] == "RUNNING" and "waiting for node-a" in held["reason"], held["reason"]
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    step = int(cluster.job(job)["progress"]["step"])
    went_on(cluster, job, step, "the same ranks go on")
    assert cluster.rank_pids() == ranks
    assert cluster.job(job)["attempt"] == 1
    kinds = [e["kind"] for e in cluster.json("events", "--job", job)["events"]]
    assert kinds.count("JobHeld") == kinds.count("JobReleased") == 1 and "AttemptFailed" not in kinds, kinds
    cluster.cox("cancel", job)
    cluster.wait_state(job, "CANCELLED")


def test_a_rank_that_stands_still_is_named(bare_cluster, tiny_data):
    """Its process lives and says nothing: no exit tells of it, and the job must not look healthy."""
    cluster = bare_cluster
    cluster.start_coordinator("--lease", "1s")
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    job = long_job(cluster, tiny_data, epochs=ENDLESS)
    cluster.wait_step(job, 60)
    pid = next(int(rank["pid"]) for rank in cluster.job(job)["ranks"] if rank.get("rank", 0) == 1)
    os.kill(pid, signal.SIGSTOP)
    silent = wait_until(lambda: "not said anything" in (now := cluster.job(job)).get("reason", "") and now, "it is named")
    assert silent["reason"].startswith("rank 1 has not said anything since "), silent["reason"]
    assert silent["state"] == "RUNNING" and silent["reason"] in silent["conditions"]
    assert not silent["progress"].get("samplesPerSecond"), "no step is made, and yet it has a speed"
    assert "rank 1 has not said anything" in cluster.cox("describe", job).stdout
    os.kill(pid, signal.SIGCONT)
    went_on(cluster, job, int(silent["progress"]["step"]), "the same ranks go on")
    assert "reason" not in (now := cluster.job(job)) or "not said" not in now["reason"]
    cluster.cox("cancel", job)
    cluster.wait_state(job, "CANCELLED")
