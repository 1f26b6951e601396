"""`cox run`: a coordinator, a worker and a job from one command, and nothing left when it ends."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from cluster import BIN, Daemon, files_below, fill, free_port, kill, size_of, wait_until

PROGRAMS = ("cox-coordinator", "cox-worker", "cox-shim", "cox-trainer")


class Run:
    def __init__(self, cluster, file, *args, programs=BIN):
        self.cluster = cluster
        self.data_dir = cluster.folder / "run"
        self.process = subprocess.Popen(
            [programs / "cox", "run", file, "--data-dir", self.data_dir, *args], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"})

    def end(self, timeout=120):
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, out

    def family(self):
        return [p for name in PROGRAMS for p in self.cluster._pids(name)]

    def gone(self):
        wait_until(lambda: not self.family(), "every process of cox run has ended", 60)


def test_run_trains_and_shows_the_result(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=3))
    code, out = run.end()
    assert code == 0, out
    for words in ("j1 COMPLETED", "accuracy", "loss", "Model:", "Checkpoint:", "Next:"):
        assert words in out, out
    models = list(run.data_dir.rglob("model.safetensors"))
    assert len(models) == 1 and str(models[0].parent) in out and (models[0].parent / "config.json").exists(), out
    run.gone()


def test_run_twice_in_one_data_directory(bare_cluster, tiny_data):
    file = bare_cluster.job_file(tiny_data, epochs=1)
    for job in ("j1", "j2"):  # the second run goes on with what the first left
        run = Run(bare_cluster, file)
        code, out = run.end()
        assert code == 0 and f"{job} COMPLETED" in out, (code, out)
    run.gone()


def test_two_runs_at_once_in_one_data_directory(bare_cluster, tiny_data):
    first = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(first)
    second = Run(bare_cluster, bare_cluster.job_file(tiny_data, name="second"))
    code, out = second.end()
    assert code not in (0, 106) and str(first.data_dir) in out, (code, out)
    assert first.process.poll() is None and first.family(), "the first one goes on"
    first.process.send_signal(signal.SIGINT)
    first.end()
    first.gone()


def test_run_of_a_wrong_file_starts_nothing(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, train="epoch: 3"))
    code, out = run.end()
    assert code == 106 and "did you mean 'epochs'" in out, (code, out)
    run.gone()


def incomplete(folder, data):
    """The programs alone, without what lies in ../lib; and a job's file."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("cox", *PROGRAMS):
        shutil.copy(BIN / name, programs)
    (folder / "rows.csv").write_text("x,y\n" + "1,a\n2,b\n" * 20)
    file = folder / "job.yaml"
    file.write_text(f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: incomplete}}
spec:
  model: {{recipe: mlp}}
  data: {{{data}}}
  train: {{epochs: 1, global_batch_size: 8}}
""")
    return programs, file


@pytest.mark.parametrize("data, missing", [
    ("format: csv, train: {files: [rows.csv]}, target: y", "libcoxswain_tables.so"),
    ("train: {images: s3://bucket/images, labels: s3://bucket/labels}", "libcoxswain_s3.so")])
def test_an_incomplete_installation_refuses_the_job_and_names_the_missing_file(bare_cluster, tmp_path, data, missing):
    """No wait can mend that."""
    programs, file = incomplete(tmp_path, data)
    run = Run(bare_cluster, file, programs=programs)
    code, out = run.end()
    assert code == 106 and f"{missing} is neither beside {programs}/cox-trainer" in out, (code, out)
    run.gone()


def test_a_job_whose_check_comes_later_fails_of_an_incomplete_installation(bare_cluster, tmp_path, monkeypatch):
    """Submitted while there is no worker to check it."""
    programs, file = incomplete(tmp_path, f"format: csv, train: {{files: ['{tmp_path}/rows.csv']}}, target: y")
    bare_cluster.start_coordinator()
    job = bare_cluster.submit(file)
    monkeypatch.setattr("cluster.BIN", programs)
    bare_cluster.start_worker("node-a")
    failed = bare_cluster.wait_state(job, "FAILED", "COMPLETED")
    assert failed["state"] == "FAILED" and "libcoxswain_tables.so is neither beside" in failed["reason"], failed


def started(run):
    """All four programs run, and the ranks make steps."""
    wait_until(lambda: all(run.cluster._pids(name) for name in PROGRAMS), "ranks run", 60)
    logs = lambda: [p for p in files_below(run.data_dir) if "metrics" in str(p.parent) and p.suffix == ".seg" and size_of(p)]
    wait_until(logs, "points of metrics come, so steps are made", 60)


def test_interrupt_saves_and_stops_everything(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(run)
    run.process.send_signal(signal.SIGINT)
    code, out = run.end()
    assert code == 103, (code, out)
    run.gone()
    assert list(run.data_dir.rglob("committed")), "Ctrl-C saves first\n" + out


def read_until(run, words):
    """What it has written up to these words."""
    text = ""
    while words not in text:
        line = run.process.stdout.readline()
        assert line, "it ended before it said: " + words + "\n" + text
        text += line
    return text


def test_second_interrupt_stops_at_once(bare_cluster, tiny_data):
    """Although its ranks do nothing any more, so that the save of the first Ctrl-C would never end."""
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(run)
    for pid in run.cluster.rank_pids():
        kill(pid, signal.SIGSTOP)
    run.process.send_signal(signal.SIGINT)
    read_until(run, "saving a checkpoint, then stopping; Ctrl-C again stops now")
    run.process.send_signal(signal.SIGINT)
    code, out = run.end(20)
    assert code == 103 and "stopping now" in out, (code, out)
    run.gone()


def test_timeout_saves_and_ends_with_124(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False), "--timeout", "10s")
    code, out = run.end()
    assert code == 124, (code, out)
    for words in ("--timeout ran out: saving and stopping", "CANCELLED", "Checkpoint:"):
        assert words in out, out
    run.gone()
    assert list(run.data_dir.rglob("committed")), "it saves first\n" + out


def test_killed_run_ends_its_children(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(run)
    run.process.kill()
    run.process.wait()
    run.gone()


def test_second_interrupt_says_how_the_job_stands(bare_cluster, tiny_data):
    """Within a moment, with the newest checkpoint and a command that goes on from it."""
    file = bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False, checkpoint="every_steps: 20")
    run = Run(bare_cluster, file)
    started(run)
    wait_until(lambda: list(run.data_dir.rglob("committed")), "a checkpoint is committed", 60)
    wait_until(lambda: any("RUNNING" in line or "step" in line for line in [run.process.stdout.readline()]), "progress", 60)
    for pid in run.cluster.rank_pids():
        kill(pid, signal.SIGSTOP)
    run.process.send_signal(signal.SIGINT)
    read_until(run, "Ctrl-C again stops now")
    run.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    code, out = run.end(20)
    took = time.monotonic() - begin
    assert code == 103 and "j1 was RUNNING" in out, (code, out)
    last = out.strip().splitlines()[-1]
    assert out.endswith("\n") and "its newest checkpoint is " in out and "--resume-from j1" in last, out
    assert took < 8, f"{took:.1f} s, although the ranks are killed at once"
    run.gone()


def test_jobs_of_a_killed_run_are_ended_by_the_next(bare_cluster, tiny_data):
    file = bare_cluster.job_file(tiny_data, name="long", epochs=5000, evaluate=False, checkpoint="every_steps: 20")
    run = Run(bare_cluster, file)
    started(run)
    wait_until(lambda: list(run.data_dir.rglob("committed")), "a checkpoint is committed", 60)
    run.process.kill()
    run.process.wait()
    run.gone()
    again = Run(bare_cluster, bare_cluster.job_file(tiny_data, name="short", epochs=1))
    code, out = again.end()
    assert code == 0 and "j2 COMPLETED" in out, (code, out)
    line = next(line for line in out.splitlines() if line.startswith("j1 (long) of an earlier run was cut off"))
    resume = f"cox run {file} --data-dir {run.data_dir} --resume-from j1"  # cox by its path, which PATH does not lead to
    assert "it is ended here. Go on with it: " in line and line.endswith(resume), line
    again.gone()
    code, out = Run(bare_cluster, file, "--resume-from", "j1", "--set", "spec.train.epochs=1", "--timeout", "60s").end()
    assert "of an earlier run" not in out, "each is told once\n" + out


def test_what_the_summary_offers_answers_about_the_run(bare_cluster, tiny_data):
    """A coordinator on what the run has left, started as the summary says (on free ports)."""
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=1))
    code, out = run.end()
    offer = next(line.strip() for line in out.splitlines() if "cox-coordinator --data-dir" in line and "describe" in line)
    coordinator, question = (part.split() for part in offer.split(" & sleep 2; "))
    assert coordinator[0].endswith("cox-coordinator"), offer
    assert coordinator[1:] == ["--data-dir", str(run.data_dir / "coordinator")], offer
    api = f"127.0.0.1:{free_port()}"
    daemon = Daemon("coordinator", [BIN / coordinator[0], *coordinator[1:], "--listen", api, "--worker-listen",
                                    "127.0.0.1:0", "--http-listen", "127.0.0.1:0"], bare_cluster.folder / "again.log")
    try:
        wait_until(lambda: (run.data_dir / "coordinator" / "endpoint").exists(), "it serves", 30)
        done = subprocess.run([BIN / question[0], *question[1:], "--server", api], capture_output=True, text=True,
                              env={**os.environ, "COX_TOKEN": ""}, timeout=60)
        assert done.returncode == 0 and "COMPLETED" in done.stdout, done.stdout + done.stderr
    finally:
        daemon.stop()


NO_SPACE = "the coordinator cannot write its store: no space left"


def run_on_a_full_disk(cluster, data, mount_tmpfs, **job):
    disk = mount_tmpfs("run", "size=64m")
    run = Run(cluster, cluster.job_file(data, evaluate=False, checkpoint="every_steps: 20", extra_spec="grace: 2s", **job))
    started(run)
    filler = fill(disk)
    text = read_until(run, NO_SPACE)
    line = next(line for line in text.splitlines() if NO_SPACE in line)
    assert "free some space" in line and str(disk) in line, line
    return run, filler


def test_full_disk_is_said_and_the_run_can_be_ended(bare_cluster, tiny_data, mount_tmpfs):
    run, _ = run_on_a_full_disk(bare_cluster, tiny_data, mount_tmpfs, epochs=5000)
    run.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    code, out = run.end(60)
    assert code == 103, (code, out)
    for words in ("cannot save: " + NO_SPACE, "no checkpoint could be saved within 7 s", "j1 was RUNNING"):
        assert words in out, out
    assert time.monotonic() - begin < 30, out
    run.gone()


def test_run_goes_on_when_the_disk_has_space_again(bare_cluster, tiny_data, mount_tmpfs):
    run, filler = run_on_a_full_disk(bare_cluster, tiny_data, mount_tmpfs, epochs=60)
    wait_until(lambda: not run.cluster.rank_pids() or time.sleep(3) is None, "it stays full for a while")
    filler.unlink()
    code, out = run.end()
    assert code == 0 and "j1 COMPLETED" in out, (code, out)
    log = (run.data_dir / "coordinator.log").read_text()
    assert log.count("the store takes writes again") <= 3, "no flapping\n" + log
    run.gone()


def test_run_of_a_program_shows_what_it_prints_over_all_attempts(bare_cluster):
    script = "echo rank $RANK is here, attempt $COXSWAIN_ATTEMPT; echo careful >&2; [ $COXSWAIN_ATTEMPT = 2 ]"
    run = Run(bare_cluster, bare_cluster.program_job("sh", "-c", script, workers=2))
    code, out = run.end()
    assert code == 0 and "j1 COMPLETED" in out, out
    for rank in range(2):
        for attempt in (1, 2):
            assert out.count(f"[{rank}] rank {rank} is here, attempt {attempt}\n") <= 1, out
        assert f"[{rank}] rank {rank} is here, attempt 2\n" in out and f"[{rank} err] careful\n" in out, out
    assert "is here, attempt 1\n" in out, out
    run.gone()
