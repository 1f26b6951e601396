"""`cox run`: a coordinator, a worker and a job from one command, and nothing left when it ends."""
import os
import pathlib
import signal
import subprocess

import pytest

from cluster import BIN, Cluster, alive, kill, wait_until


class Run:
    def __init__(self, cluster, file, *args):
        self.cluster = cluster
        self.data_dir = cluster.folder / "run"
        self.process = subprocess.Popen(
            [BIN / "cox", "run", file, "--data-dir", self.data_dir, *args], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"})

    def end(self, timeout=120):
        out, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, out

    def family(self):
        c = self.cluster
        return [p for name in ("cox-coordinator", "cox-worker", "cox-shim", "cox-trainer") for p in c._pids(name)]

    def gone(self):
        wait_until(lambda: not self.family(), "every process of cox run has ended", 60)


def test_run_trains_and_shows_the_result(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=3))
    code, out = run.end()
    assert code == 0, out
    assert "model.safetensors" in out or "/model" in out, out
    assert "loss" in out
    run.gone()


def test_run_twice_in_one_data_directory(bare_cluster, tiny_data):
    file = bare_cluster.job_file(tiny_data, epochs=1)
    assert Run(bare_cluster, file).end()[0] == 0
    assert Run(bare_cluster, file).end()[0] == 0


def test_run_of_a_wrong_file_starts_nothing(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, train="epoch: 3"))
    code, out = run.end()
    assert code == 106 and "did you mean 'epochs'" in out, (code, out)
    run.gone()


def started(run):
    wait_until(lambda: run.cluster._pids("cox-trainer"), "ranks run", 60)


def test_interrupt_saves_and_stops_everything(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(run)
    wait_until(lambda: list((run.data_dir).rglob("metrics.db")), "the daemons are up")
    import time
    time.sleep(3)  # let it make some steps
    run.process.send_signal(signal.SIGINT)
    code, out = run.end()
    assert code == 103, (code, out)
    run.gone()
    assert list(run.data_dir.rglob("committed")), "Ctrl-C saves first\n" + out


def test_killed_run_ends_its_children(bare_cluster, tiny_data):
    run = Run(bare_cluster, bare_cluster.job_file(tiny_data, epochs=5000, evaluate=False))
    started(run)
    run.process.kill()
    run.process.wait()
    run.gone()
