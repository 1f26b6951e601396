"""What is wrong, absurd or too large is refused with a clear line, and the state is unharmed."""
import json
import re
import subprocess
import time

import pytest

from cluster import BIN, wait_until

REJECTED, USAGE = 106, 2


def jobs(cluster):
    return [j["id"] for j in cluster.json("jobs")["jobs"]]


@pytest.mark.parametrize("change,text", [
    ("spec.workers=-1", "spec.workers: found \"-1\", expected a whole number"),
    ("spec.workers=0", "spec.workers"),
    ("spec.workers=1e9", "spec.workers"),
    ("spec.workers=99999999999999999999", "spec.workers"),
    ("spec.resources.cpus=-4", "spec.resources.cpus"),
    ("spec.resources.gpus=1000000000000", "spec.resources.gpus"),
    ("spec.resources.memory=-1GiB", "spec.resources.memory"),
    ("spec.resources.memory=9999999999TiB", "spec.resources.memory"),
    ("spec.priority=1001", "spec.priority"),
    ("spec.priority=-1001", "spec.priority"),
    ("spec.time_limit=-5m", "spec.time_limit"),
    ("spec.time_limit=99999999999h", "spec.time_limit"),
    ("spec.expected_time=-1s", "spec.expected_time"),
    ("spec.train.epochs=-1", "spec.train.epochs"),
    ("spec.retries.max_attempts=-1", "spec.retries.max_attempts"),
    ("spec.queue=a\x07", "spec.queue"),
    ("metadata.name=bell\x07", "metadata.name"),
    ("metadata.name=two\nlines", "metadata.name"),
    ("metadata.name=" + "x" * 64, "metadata.name"),
    ("metadata.labels.team=\x1b[31mred", "metadata.labels"),
])
def test_absurd_values_are_refused_before_anything_is_asked(bare_cluster, tiny_data, change, text):
    """No coordinator runs: `cox` says it with the flag's name, in text without control characters."""
    file = bare_cluster.job_file(tiny_data)
    done = bare_cluster.cox("validate", file, "--set", change, check=False)
    assert done.returncode == REJECTED and text in done.stderr, (change, done)
    assert all(c.isprintable() or c == "\n" for c in done.stderr), done.stderr
    made = json.loads(bare_cluster.cox("submit", file, "--set", change, "-o", "json", check=False).stdout)
    assert made["accepted"] is False and made["mistakes"][0]["key"].startswith(text.split(":")[0]), made


def test_too_much_is_refused_and_the_coordinator_goes_on(cluster, tiny_data):
    file = cluster.job_file(tiny_data, epochs=1)
    text = file.read_text()
    big = cluster.folder / "big.yaml"
    big.write_text(text + "# filler\n" * (10 * 1024 * 1024 // 9))
    labels = cluster.folder / "labels.yaml"
    labels.write_text(text.replace("metadata:\n", "metadata:\n  labels: {" + ", ".join(f"l{i}: x" for i in range(100_000)) + "}\n"))
    deep = cluster.folder / "deep.yaml"
    deep.write_text(text + "  env: " + "[" * 50_000 + "]" * 50_000 + "\n")
    for name, words in ((big, "at most 1MiB"), (labels, ""), (deep, "")):
        begun = time.monotonic()
        done = cluster.cox("submit", name, check=False)
        assert done.returncode in (REJECTED, USAGE) and words in done.stderr, (name, done.returncode, done.stderr[:500])
        assert len(done.stderr) < 20_000, "a person has to find the mistake"
        assert time.monotonic() - begun < 20, name
    assert jobs(cluster) == []
    assert cluster.submit(file) == "j1", "no id was used up"
    assert cluster.cox("wait", "j1").returncode == 0


def test_an_idempotency_key_belongs_to_one_job(bare_cluster, tiny_data):
    cluster = bare_cluster
    cluster.start_coordinator()
    file = cluster.job_file(tiny_data, epochs=1)
    key = ("--idempotency-key", "pipeline-7")
    first = cluster.submit(file, *key)

    def other():
        done = cluster.cox("submit", file, "--set", "spec.train.epochs=2", *key, "-o", "json", check=False)
        assert done.returncode == REJECTED, done
        assert f"was used for a different submission ({first})" in done.stderr, done
        assert json.loads(done.stdout)["accepted"] is False
        dry = cluster.cox("submit", file, "--set", "spec.train.epochs=2", *key, "--dry-run", check=False)
        assert dry.returncode == done.returncode and f"a different submission ({first})" in dry.stderr, dry
    other()
    assert cluster.submit(file, *key) == first, "a repeat is the same job"
    same = cluster.cox("submit", file, *key, "--dry-run")
    assert f"this idempotency key made {first}: the submission would be answered with that job" in same.stderr, same
    cluster.coordinator.kill()
    cluster.start_coordinator()
    other()
    cluster.start_worker("node-a")
    assert cluster.cox("wait", first).returncode == 0
    other()
    assert cluster.submit(file, *key) == first, "also once it has ended"
    assert jobs(cluster) == [first]
    too_long = cluster.cox("submit", file, "--idempotency-key", "k" * 129, check=False)
    assert too_long.returncode == USAGE and "128" in too_long.stderr, too_long


def test_quotas_that_the_fleet_cannot_keep_are_told(bare_cluster):
    cluster = bare_cluster
    config = cluster.folder / "coordinator.yaml"
    config.write_text("scheduling: {queues: {a: {quota: {cpus: 3}}, b: {quota: {cpus: 4}}}}\n")
    cluster.start_coordinator("--config", config)
    cluster.start_worker("node-a", slots=4)
    cluster.wait_nodes(1)
    text = "the quotas sum up to 7 CPU slots, the fleet has 4"
    wait_until(lambda: text in cluster.cox("queues").stderr, "cox queues says it")
    assert text in json.loads(cluster.http("/api/v1/queues", {"Authorization": f"Bearer {cluster.token()}"}))["warnings"][0]


def test_a_wall_clock_that_jumps_harms_nothing(bare_cluster, tiny_data):
    """Back by an hour, on by two: leases, time limits and the order of events do not depend on it."""
    cluster = bare_cluster
    clock = cluster.folder / "clock"
    clock.write_text("0")

    def jump(seconds):
        new = clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(clock)
    env = {"LD_PRELOAD": str(BIN / "libshifted_clock.so"), "COXSWAIN_TEST_CLOCK": str(clock)}
    cluster.start_coordinator(env=env)
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    long = cluster.submit(cluster.job_file(tiny_data, name="long", workers=1, epochs=4000, extra_spec="time_limit: 30m"))
    cluster.wait_step(long, 20)
    for offset in (-3600, 3600):
        jump(offset)
        now = int(cluster.job(long)["progress"]["step"])
        cluster.wait_step(long, now + 50)
        job = cluster.job(long)
        assert job["state"] == "RUNNING" and job["attempt"] == 1 and not job["conditions"], job
        short = cluster.submit(cluster.job_file(tiny_data, name="short", workers=1, epochs=1))
        assert cluster.cox("wait", short).returncode == 0
        for words in (("explain", long), ("queues", "-o", "wide"), ("nodes",), ("jobs",), ("describe", long)):
            assert not re.search(r"(^|\s)-\d", cluster.cox(*words).stdout), "no negative times"
        assert "READY" in cluster.cox("nodes").stdout
        # cox, whose clock is right, reckons with the coordinator's.
        row = next(r for r in cluster.cox("jobs").stdout.splitlines() if r.startswith(short))
        assert re.search(r"\s\d+s ago", row), row
        cluster.cox("drain", "node-a", "--deadline", "40m")
        by = int(cluster.json("nodes")["nodes"][0]["drainByUs"]) / 1e6
        assert abs(by - (time.time() + offset + 2400)) < 120, (by, offset)
        cluster.cox("drain", "node-a", "--undo")
    # A new life begins an hour before what the last one wrote.
    step = int(cluster.job(long)["progress"]["step"])
    jump(-3600)
    cluster.coordinator.kill()
    cluster.start_coordinator(env=env)
    cluster.wait_nodes(1)
    cluster.wait_step(long, step + 50)
    assert cluster.job(long)["attempt"] == 1, "it was not started again"
    cursors = [int(e["cursor"]) for e in cluster.json("events", "--limit", "0")["events"]]
    assert cursors == sorted(set(cursors)), "events keep their order"
    kinds = {e["kind"] for e in cluster.json("events", "--job", long)["events"]}
    assert not kinds & {"JobTimedOut", "AttemptFailed", "NodeUnreachable"}, kinds
    cluster.cox("cancel", long, "--save")
    assert cluster.cox("wait", long, check=False).returncode == 103


def test_what_a_trace_prints_has_no_digits_of_binary_fractions(tmp_path):
    busy = tmp_path / "busy.csv"
    for seconds in range(50, 2000, 150):
        busy.write_text(f"timestamp,duration,num_gpus\n2017-10-03 00:00:00,{seconds},1\n2017-10-03 00:10:00,2000,3\n")
        done = subprocess.run([BIN / "cox-sim", "trace", "--philly", busy, "--nodes", "1", "--gpus", "4"], capture_output=True,
                              text=True, timeout=60)
        printed = re.search(r'"utilisation": (\S+?),', done.stdout)
        assert printed and len(printed[1]) <= len("0.123"), (seconds, done.stdout, done.stderr)


def test_traces_that_are_none_are_refused(tmp_path):
    good = tmp_path / "good.csv"
    good.write_text("timestamp,duration,num_gpus\n2017-10-09 07:01:55,60,1\n")

    def trace(*words, **kwargs):
        kwargs = {"stdout": subprocess.PIPE, **kwargs}
        return subprocess.run([BIN / "cox-sim", "trace", *map(str, words)], stderr=subprocess.PIPE, text=True, timeout=60, **kwargs)
    assert json.loads(trace("--philly", good).stdout)["jobs"] == 1
    for words, code, text in ((("--philly", tmp_path), 2, "found a folder, expected a CSV file"),
                              (("--philly", BIN / "cox-sim"), 2, ":1: found byte 0x"), (("--philly", good, "--nodes", "1.5"), 2, "--nodes"),
                              (("--philly", tmp_path / "none"), 2, "No such file"), ((), 2, "no arguments")):
        done = trace(*words)
        assert (done.returncode, done.stdout) == (code, "") and text in done.stderr, (words, done)
    assert trace("--help").stdout.startswith("usage: cox-sim trace")
    with open("/dev/full", "w") as full:
        done = trace("--philly", good, stdout=full)
        assert done.returncode == 1 and "No space left" in done.stderr, done


def test_a_submission_without_a_token_is_not_said_to_have_been_accepted_perhaps(cluster):
    file = cluster.program_job("/bin/true", workers=1)
    done = cluster.cox("submit", file, check=False, env={"COX_TOKEN": "", "HOME": str(cluster.folder)})
    assert done.returncode != 0 and "no token" in done.stderr and "accepted" not in done.stderr, done.stderr


def test_cancel_takes_several_jobs_and_goes_on_after_a_wrong_one(cluster):
    jobs = [cluster.submit(cluster.program_job("/bin/sleep", "600", workers=1)) for _ in range(2)]
    done = cluster.cox("cancel", jobs[0], "nobody", jobs[1], check=False)
    assert done.returncode == 102 and "'nobody'" in done.stderr, done
    for job in jobs:
        cluster.wait_state(job, "CANCELLED")
