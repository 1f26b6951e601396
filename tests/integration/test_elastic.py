"""The number of a job's workers is moved while it trains, and no sample is lost or seen twice."""
from cluster import wait_until


CONFIG = """
scheduling:
  policy: elastic
  resize_after: 2s
  replan: 1s
"""


def test_grows_into_free_slots_and_makes_room_again(bare_cluster, tiny_data):
    cluster = bare_cluster
    file = cluster.folder / "coordinator.yaml"
    file.write_text(CONFIG)
    cluster.start_coordinator("--config", file)
    cluster.start_worker("node-a", slots=2)
    cluster.wait_nodes(1)
    # With a part of the optimizer on each rank: these are split anew with each number of ranks.
    spec = cluster.job_file(tiny_data, name="moves", workers=1, epochs=4000, train="optimizer: {sharded: true}")
    job = cluster.submit(spec, "--set", "spec.min_workers=1", "--set", "spec.max_workers=2")

    # Alone it is given both slots, as soon as it was measured on one.
    wait_until(lambda: len(cluster.job(job)["attempts"]) == 2 and cluster.job(job)["state"] == "RUNNING"
               and cluster.job(job)["progress"]["step"] != "0", "a second attempt of " + job)
    grown = cluster.job(job)
    assert grown["attempts"][0]["cause"] == "FAILURE_CAUSE_RESIZED", grown
    assert "resized: from 1 rank to 2: expected to go 1." in grown["attempts"][0]["reason"], grown
    assert [a["workers"] for a in grown["attempts"]] == [1, 2] and len(grown["ranks"]) == 2, grown
    assert grown["attempts"][1]["resumedFrom"].startswith("c"), grown

    assert "2 (1-2)" in cluster.cox("jobs").stdout, "what it has now"

    # Another job waits: it is given one of them, and nobody is preempted.
    other = cluster.submit(cluster.job_file(tiny_data, name="other", workers=1, epochs=1))
    assert cluster.wait_state(other, "COMPLETED")["attempt"] == 1
    shrunk = cluster.job(job)
    assert int(shrunk["resizes"]) >= 2 and int(shrunk["preemptions"]) == 0, shrunk
    assert "others wait for slots" in shrunk["attempts"][1]["reason"], shrunk
    assert int(shrunk["failedAttempts"]) == 0, shrunk

    cluster.cox("cancel", job, "--save")
    cluster.cox("wait", job, check=False)
    assert "Ranks:      - (1-2), moved" in cluster.cox("describe", job).stdout, "it has none any more"
    points = cluster.json("metrics", job, "--name", "loss")["points"]
    steps = [int(p["step"]) for p in points]
    assert steps == list(range(1, steps[-1] + 1)), steps
    events = cluster.cox("events", "--job", job).stdout
    assert "JobResized" in events and "JobPreempted" not in events, events


def test_a_range_is_checked(bare_cluster, tiny_data):
    cluster = bare_cluster
    cluster.start_coordinator()
    spec = cluster.job_file(tiny_data, name="range", workers=2, epochs=1)
    for words, text in ((("spec.min_workers=3",), "spec.min_workers"), (("spec.max_workers=1",), "spec.max_workers"),
                        (("spec.max_workers=5000",), "spec.max_workers")):
        flags = [w for each in words for w in ("--set", each)]
        refused = cluster.cox("submit", spec, *flags, check=False)
        assert refused.returncode == 106 and text in refused.stderr, (words, refused)
