"""The command line with the real binaries: what scripts rely on, and what a slip of the finger gets."""
import contextlib
import json
import os
import sqlite3
import subprocess

import pytest

from cluster import BIN, files_below

JOB = """apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: small}
spec:
  data: {format: idx, train: {images: a.gz, labels: b.gz}}
"""


def alone(*args, text="", **kwargs):
    """cox without any coordinator."""
    return subprocess.run([str(BIN / "cox"), *map(str, args)], input=text, capture_output=True, text=True, timeout=30,
                          env={**os.environ, "COX_SERVER": "127.0.0.1:1", "COX_TOKEN": "x", "NO_COLOR": "1"}, **kwargs)


def usage(*args, text=""):
    """A usage error of one line; returns it."""
    done = alone(*args, text=text)
    assert done.returncode == 2 and done.stdout == "", (done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith("cox") and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_resume_from_nothing_is_a_mistake(job_file, verb):
    assert "--resume-from: found nothing" in usage(verb, job_file, "--resume-from", "")
    assert "--resume-from" in usage(verb, job_file, "--uncommitted")


def test_flags_that_cannot_be_meant(job_file):
    assert "--idempotency-key: found 300 bytes, expected at most 128" in usage("submit", job_file, "--idempotency-key", "k" * 300)
    assert "--idempotency-key: found nothing" in usage("submit", job_file, "--idempotency-key", "")
    assert "--reason: found 10,000 bytes" in usage("drain", "node", "--reason", "r" * 10_000)
    assert "control characters" in usage("cancel", "j1", "--reason", "one\ntwo \x1b[31m")
    assert "--rank: found \"-1\"" in usage("logs", "j1", "--rank", "-1")
    assert "--limit: found \"-1\"" in usage("jobs", "--limit", "-1")
    assert "--limit: found \"-1\"" in usage("events", "--limit", "-1")
    assert "--stream: found \"both of them\"" in usage("logs", "j1", "--stream", "both of them")


@pytest.mark.parametrize("server, hint", [("127.0.0.1:99999", "HOST:PORT"), ("http://127.0.0.1:7070", "did you mean 127.0.0.1:7070?"),
                                          ("nohost", "did you mean nohost:7070?")])
def test_server_that_is_no_address(server, hint):
    line = usage("jobs", "--server", server)
    assert line.startswith("cox: --server: found ") and hint in line, line


def test_host_that_does_not_exist():
    done = alone("jobs", "--server", "no-such-host.invalid:7070")
    assert done.returncode == 1 and "the host name cannot be resolved" in done.stderr, done.stderr
    assert "C-ares" not in done.stderr, done.stderr


def test_paths_that_cannot_be_looked_at(monkeypatch, tmp_path, job_file):
    """A home that the user may not enter, a name that is too long, a current folder that is gone: said, never a crash."""
    monkeypatch.setenv("XDG_STATE_HOME", "/" + "x" * 300)
    done = alone("jobs")
    assert done.returncode == 1 and "cannot reach 127.0.0.1:1" in done.stderr, done.stderr
    done = alone("submit", "x" * 300 + ".yaml")
    assert done.returncode == 2 and "File name too long" in done.stderr, done.stderr
    gone = tmp_path / "gone"
    gone.mkdir()
    relative = os.path.relpath(job_file, gone)
    for args in (("validate", relative), ("submit", "job.yaml"), ("submit", job_file, "--timeout", "1s", "--resume-from", "x/y"),
                 ("run", job_file, "--data-dir", "here")):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", str(BIN / "cox"), *map(str, args)], cwd=gone,
                              env={**os.environ, "COX_SERVER": "127.0.0.1:1"}, capture_output=True, text=True, timeout=30)
        assert done.returncode in (0, 1, 2) and "terminate" not in done.stderr, (args, done.returncode, done.stderr)


def test_help_and_version(job_file):
    assert "--server HOST:PORT" in alone("jobs", "--help").stdout
    assert alone("help", "submit").stdout == alone("submit", "--help").stdout
    assert alone("help").stdout == alone("--help").stdout
    done = alone("--version")
    assert done.returncode == 0 and done.stdout.startswith("cox ") and len(done.stdout.split()) == 2, done.stdout
    assert "unknown flag '--foo'" in usage("--foo")
    assert "expected a verb: run, submit" in usage()


def test_output_that_cannot_be_written(job_file):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BIN / "cox"), "validate", str(job_file)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr == "cox: cannot write to standard output: No space left on device\n", done
    for words in (["--help"], ["version", "--client"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(BIN / "cox"), *words], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "No space left" in done.stderr, done
    done = subprocess.run(["sh", "-c", '"$0" version --client >&-', str(BIN / "cox")], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write to standard output: Bad file descriptor" in done.stderr, done
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([str(BIN / "cox"), "version", "--client"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode in (-13, 141) and done.stderr == "", done


def test_validate_for_machines(tmp_path, job_file):
    done = alone("validate", job_file, "-o", "json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert json.loads(done.stdout) == {"valid": True, "mistakes": [], "warnings": []}
    done = alone("validate", "-", "-o", "json", text=JOB + "  epochs: 3\n  workers: many\n")
    assert done.returncode == 106 and done.stderr == "", done.stderr
    told = json.loads(done.stdout)
    assert not told["valid"] and len(told["mistakes"]) == 2, told
    assert [(m["file"], m["line"], m["key"]) for m in told["mistakes"]] == [("stdin", 6, "spec.epochs"), ("stdin", 7, "spec.workers")]
    assert "found \"many\"" in told["mistakes"][1]["text"]
    assert alone("validate", job_file, "-o", "yaml").stdout == "valid: true\nmistakes: []\nwarnings: []\n"
    assert alone("validate", "-", text=JOB).stdout.startswith("stdin is a valid job: small, 1 rank.")


def test_validate_shows_no_control_characters(tmp_path):
    file = tmp_path / "odd.yaml"
    for odd in (b"\xff", b"\xc2\x9b31m", b"\x1b[31m"):
        file.write_bytes(JOB.encode() + b"  workers: " + odd + b"\n")
        done = subprocess.run([str(BIN / "cox"), "validate", str(file)], capture_output=True)
        assert done.returncode == 106 and b"control characters" in done.stderr, done.stderr
        assert odd[:1] not in done.stderr and done.stderr.isascii(), done.stderr
    file.write_text(JOB + '  "\\e[31m\\n": 1\n')
    done = subprocess.run([str(BIN / "cox"), "validate", str(file)], capture_output=True)
    assert b"unknown key '\\x1b[31m\\x0a' in spec" in done.stderr and b"\x1b" not in done.stderr, done.stderr


def test_logs_are_one_stream_and_events_keep_the_newest(cluster, tiny_data):
    done = cluster.cox("submit", cluster.job_file(tiny_data, epochs=1), "--wait")
    job = done.stdout.strip()
    assert job == "j1" and "COMPLETED" in done.stderr, "a script reads the id, with --wait too"
    both = cluster.cox("logs", job)
    assert both.stderr == "" and "[0 err] " in both.stdout and "[1 err] " in both.stdout, both
    only = cluster.cox("logs", job, "--stream", "stderr")
    assert len(only.stdout.splitlines()) > 1 and all(line[:4] in ("[0] ", "[1] ") for line in only.stdout.splitlines()), only
    assert cluster.cox("logs", job, "--stream", "stdout").stdout == ""
    unmarked = cluster.cox("logs", job, "--rank", "0").stdout
    assert unmarked and not unmarked.startswith("["), unmarked
    every = cluster.cox("events").stdout.splitlines()
    assert every[0].split() == ["TIME", "ABOUT", "EVENT", "TEXT"], every[0]
    assert len(every) > 5
    for flag in ("--tail", "--limit"):
        assert cluster.cox("events", flag, "3").stdout.splitlines() == [every[0], *every[-3:]]
    events = cluster.json("events")["events"]
    page = cluster.json("events", "--after", events[0]["cursor"], "--limit", "2")["events"]
    assert page == events[1:3]
    assert cluster.json("events", "--tail", "2")["events"] == events[-2:]
    done = cluster.cox("metrics", job, "--name", "los", check=False)
    assert done.returncode == 102 and "no metric 'los'" in done.stderr and "did you mean 'loss'" in done.stderr, done.stderr
    assert "epochs" not in cluster.cox("metrics", job, "--name", "loss").stderr


def test_metric_points_that_were_left_out_are_told(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=1))
    assert cluster.cox("wait", job).returncode == 0
    assert "left out" not in cluster.cox("metrics", job).stderr + cluster.cox("describe", job).stdout
    database = next(path for path in files_below(cluster.folder) if path.name == "metrics.db")
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as metrics, metrics:
        metrics.execute("INSERT INTO dropped VALUES (?, 1204, 1700000000000000)", (int(job[1:]),))
    told = cluster.cox("metrics", job).stderr
    assert "1,204 points were left out, because a buffer or a disk was full; last at 2023-11-1" in told, told
    assert "1204 points left out on the way, last at 22:13:20 UTC" in " ".join(cluster.cox("describe", job).stdout.split())
    assert cluster.json("describe", job)["metricPointsDropped"] == "1204"


def test_nothing_is_said_to_have_been_accepted_that_did_not_arrive(job_file):
    done = alone("submit", job_file, "--timeout", "1s")
    assert done.returncode != 0 and "Connection refused" in done.stderr and "accepted" not in done.stderr, done.stderr
