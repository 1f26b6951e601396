"""A coordinator started on what an older one left behind."""
import sqlite3
import time

from cluster import ROOT, wait_until


def test_a_state_of_version_1_is_brought_forward_and_served(bare_cluster, tiny_data):
    cluster = bare_cluster
    cluster.coordinator_dir.mkdir(mode=0o700)
    state = cluster.coordinator_dir / "state.db"
    with sqlite3.connect(state) as old:
        text = (ROOT / "tests/unit/coordinator/store/state_v1.sql").read_text()
        today = str(int(time.time()) - 200)[:8]  # retention would take what ended in 2025
        old.executescript(text.replace(" 17630000", f" {today}"))
    old.close()
    cluster.start_coordinator()
    with sqlite3.connect(f"file:{state}.v1-backup?mode=ro", uri=True) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)
        assert backup.execute("SELECT count(*) FROM jobs").fetchone() == (4,)
    listed = {j["id"]: (j["name"], j["state"]) for j in cluster.json("jobs", "--limit", "0")["jobs"]}
    assert listed == {"j1": ("digits", "COMPLETED"), "j2": ("typo", "FAILED"), "j3": ("waits", "PENDING"),
                      "j4": ("runs", "RUNNING")}
    typo = cluster.job("typo")
    assert typo["exit"]["code"] == 3 and typo["exit"]["lastLog"] == "no such column\n", typo
    kept = cluster.json("checkpoints", "digits")["checkpoints"]
    assert [(c["id"], c["state"]) for c in kept] == [("c3", "CHECKPOINT_COMMITTED"), ("c2", "CHECKPOINT_VERIFIED")]
    assert "digits" in cluster.http("/") and "no such column" in cluster.http("/jobs/j2")
    # Ids go on where they were, and the same cluster does new work once the queue's head is out of the way.
    cluster.cox("cancel", "waits")
    assert cluster.job("waits")["state"] == "CANCELLED"
    cluster.start_worker("node-b")
    cluster.wait_nodes(1)
    job = cluster.submit(cluster.job_file(tiny_data, name="new", epochs=1))
    assert job == "j5" and cluster.cox("wait", job).returncode == 0
    wait_until(lambda: cluster.json("checkpoints", job)["checkpoints"][0]["id"] == "c5", "its checkpoint is the next")
