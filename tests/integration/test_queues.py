"""Who goes first, who makes room, and what users see of it."""
import json
import time

from cluster import wait_until


CONFIG = """
scheduling:
  policy: priority
  default_queue: students
  queues:
    science:  {quota: {cpus: 2}}
    research: {parent: science, quota: {cpus: 1}}
    students: {parent: science, quota: {cpus: 1}, user_limit: {jobs: 5}}
"""


def start(cluster, config=CONFIG):
    file = cluster.folder / "coordinator.yaml"
    file.write_text(config)
    cluster.start_coordinator("--config", file)
    cluster.start_worker("node-a", slots=2)
    cluster.wait_nodes(1)


def test_a_job_lets_go_for_another_and_loses_no_sample(bare_cluster, tiny_data):
    cluster = bare_cluster
    start(cluster)
    long = cluster.submit(cluster.job_file(tiny_data, name="long", workers=2, epochs=4000))
    cluster.wait_step(long, 20)

    dry = cluster.cox("submit", cluster.job_file(tiny_data, name="dry", workers=1, epochs=1), "--dry-run")
    assert "it would wait: needs 1 rank of 1 CPU slot" in dry.stdout + dry.stderr, dry

    urgent = cluster.submit(cluster.job_file(tiny_data, name="urgent", workers=1, epochs=1), "--set", "spec.priority=7")
    assert cluster.wait_state(urgent, "COMPLETED")["attempt"] == 1
    cluster.wait_state(long, "RUNNING")
    cluster.cox("cancel", long, "--save")
    cluster.cox("wait", long, check=False)
    job = cluster.job(long)
    assert int(job["preemptions"]) == 1 and job["state"] == "CANCELLED", job
    first, second = job["attempts"][:2]
    assert first["cause"] == "FAILURE_CAUSE_PREEMPTED" and "urgent) has a higher priority (7, its own is 0)" in first["reason"], first
    assert second["resumedFrom"].startswith("c"), second
    # Every sample once: steps go on where the save was, none is done again.
    points = cluster.json("metrics", long, "--name", "loss")["points"]
    steps = [int(p["step"]) for p in points]
    assert steps == list(range(1, steps[-1] + 1)), steps


def test_what_a_queue_borrowed_goes_back(bare_cluster, tiny_data):
    cluster = bare_cluster
    start(cluster)
    file = cluster.job_file(tiny_data, name="borrows", workers=1, epochs=4000)
    jobs = [cluster.submit(file) for _ in range(2)]
    for job in jobs:
        cluster.wait_step(job, 5)
    owner = cluster.submit(cluster.job_file(tiny_data, name="owner", workers=1, epochs=4000), "--set", "spec.queue=research")
    cluster.wait_step(owner, 5)

    def listed(*flags):
        return [job["id"] for job in cluster.json("jobs", *flags).get("jobs", [])]
    assert listed("--queue", "research") == [owner] and listed("--queue", "students") == jobs[::-1]
    assert listed("--queue", "science") == [owner, *jobs[::-1]], "those of the queues below it"
    by = cluster.job(owner)["submittedBy"]
    assert owner in listed("--user", by) and owner in listed("--user", by.split("@")[0]) and listed("--user", "nobody") == []
    wrong = cluster.cox("jobs", "--queue", "art", check=False)
    assert wrong.returncode != 0 and "the queues are: research, science, students" in wrong.stderr, wrong
    # What each queue has had, and what `fair` would compare: what they hold counts for an hour more.
    used = {q["name"]: q for q in cluster.json("queues")["queues"]}
    assert all(0 < used[name]["usedSlotHours"] < 1 <= used[name]["fairSlotHours"] for name in used), used
    assert used["science"]["usedSlotHours"] >= used["students"]["usedSlotHours"] > 0, used
    wide = cluster.cox("queues", "-o", "wide").stdout.splitlines()
    assert wide[2].split()[-2:] == ["USED", "FAIR"] and wide[3].count(" slot-h") == 2, wide
    assert "USED" not in cluster.cox("queues").stdout
    waiting = cluster.wait_state(jobs[1], "PENDING")
    assert "owner) is within the quota of queue research (1 CPU slot), and queue students has borrowed" in waiting["reason"], waiting
    assert waiting["queue"] == "students"

    queues = {q["name"]: q for q in cluster.json("queues")["queues"]}
    assert (queues["science"].get("running"), queues["students"].get("pending")) == (2, 1), queues
    text = cluster.cox("queues", "-o", "wide").stdout
    assert "Policy priority" in text and "  research" in text, text
    explained = cluster.cox("explain", jobs[1]).stdout
    for part in (f"{jobs[1]} (borrows) is PENDING since", "needs 1 rank of 1 CPU slot", "Starts: ", "Queue:  students",
                 "a rank needs 1 CPU slot, 0 of 2 free"):
        assert part in explained, explained
    explained = cluster.cox("explain", owner).stdout
    for part in (f"{owner} (owner) is RUNNING since", "attempt 1 (0 of at most 3 failed), 1 rank", "Ends:  in ", "node-a",
                 "a waiting job of queue research with a priority above 0"):
        assert part in explained, explained
    told = cluster.json("explain", owner)
    assert [q["name"] for q in told["queues"]] == ["research", "science"] and told["nodes"][0]["used"] is True, told
    assert int(told["expectedEndUs"]) > int(told["sinceUs"]) > 0 and told["job"]["id"] == owner, told
    waits = cluster.json("explain", jobs[1])["nodes"][0]
    assert waits["ranks"] == 0 and waits["node"]["name"] == "node-a" and "0 of 2 free" in waits["whyNot"], waits

    refused = cluster.cox("submit", file, "--set", "spec.queue=reserch", "--dry-run", "-o", "json", check=False)
    answer = json.loads(refused.stdout)
    assert refused.returncode == 106 and not answer["accepted"] and "(did you mean 'research'?)" in answer["reason"], refused

    for words, text in ((("spec.queue=nowhere",), "there is no queue nowhere; the queues are: research, students"),
                        (("spec.queue=science",), "jobs go to the queues below science"),
                        (("spec.priority=2000", "spec.queue=nowhere"), "there is no queue nowhere; the queues are"),
                        (("spec.queue=nowhere", "spec.priority=2000"), "spec.priority"),
                        (("spec.priority=2000",), "spec.priority"), (("spec.workers=3", "spec.queue=research"), "has room for 2")):
        flags = [w for each in words for w in ("--set", each)]
        refused = cluster.cox("submit", file, *flags, check=False)
        assert refused.returncode == 106 and text in refused.stderr, (words, refused)


def test_a_node_empties_before_its_deadline(bare_cluster, tiny_data):
    cluster = bare_cluster
    start(cluster, "lease: 1s\n")
    job = cluster.submit(cluster.job_file(tiny_data, workers=1, epochs=4000, extra_spec="grace: 2s"))
    cluster.wait_step(job, 5)
    begun = time.time()
    said = cluster.cox("drain", "node-a", "--deadline", "8s", "--reason", "power")
    assert "1 job to end, or to save and let go before" in said.stdout, said
    assert "to be empty by" in cluster.cox("nodes").stdout
    # The job says it too, and that it would run for longer is not told any more.
    told = "(power): the job saves and lets go of its slots before"
    assert told in cluster.cox("jobs").stdout and told in cluster.cox("describe", job).stdout
    assert int(cluster.job(job).get("expectedEndUs", 0)) == 0
    waiting = cluster.wait_state(job, "PENDING")
    assert time.time() - begun >= 4, "it goes on as long as is safe"
    assert "node-a has to be empty by" in waiting["reason"] and "power" in waiting["reason"], waiting
    for wrong in ("soon", "1000d", "0s"):
        refused = cluster.cox("drain", "node-a", f"--deadline={wrong}", check=False)
        assert refused.returncode == 2 and f'found "{wrong}", expected a duration from now' in refused.stderr, refused
    cluster.cox("drain", "node-a", "--undo")
    cluster.wait_state(job, "RUNNING")


def test_jobs_of_a_queue_that_is_gone_are_told(bare_cluster, tiny_data):
    cluster = bare_cluster
    start(cluster)
    job = cluster.submit(cluster.job_file(tiny_data, workers=1, epochs=4000), "--set", "spec.queue=research")
    cluster.wait_step(job, 5)
    cluster.coordinator.stop()
    config = cluster.folder / "coordinator.yaml"
    config.write_text("scheduling: {default_queue: students, queues: {students: {}}}\n")
    cluster.start_coordinator("--config", config)
    cluster.wait_nodes(1)
    text = "1 job of queue research, which is no longer configured, counts as one of students"
    wait_until(lambda: text in cluster.cox("queues").stderr, "cox queues says it")
    assert "queue research is no longer configured" in cluster.cox("explain", job).stderr
    events = cluster.json("events", "--kind", "QueueGone")["events"]
    assert len(events) == 1 and events[0]["severity"] == "warning", events
    assert cluster.job(job)["attempt"] == 1, "it goes on"


def test_wrong_queues_are_named(bare_cluster):
    cluster = bare_cluster
    for config, text in (
            ("a: {parent: b}, b: {parent: a}", "is its own parent: a -> b -> a"),
            ("a: {parent: c}", 'a.parent: there is no queue "c"'),
            ("a: {quota: {gpus: 4}}, b: {parent: a, quota: {gpus: 3}}, c: {parent: a, quota: {gpus: 2}}",
             "a.quota: the quotas of the queues below it sum up to 5 GPUs, it has 4"),
            ("a: {quota: {cpus: 4}, limit: {cpus: 3}}", "a.quota: more is guaranteed than its limit allows"),
            ("A b: {}", "a queue's name has 1 to 63 of a-z"), ("a: {quota: {gpus: -1}}", "scheduling.queues.a.quota.gpus"),
            ("a: {wieght: 2}", "weight")):
        file = cluster.folder / "wrong.yaml"
        file.write_text(f"scheduling: {{queues: {{{config}}}}}\n")
        done = cluster.start_coordinator("--config", file, wait=False)
        assert done.process.wait(20) == 78 and text in done.text(), (config, done.text())
