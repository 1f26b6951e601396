"""Shared by the benchmarks that put pretend workers on a real coordinator: kueue, placements, scale, durability."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

from bench import BIN, temporary_cluster, wait_until
from cluster import Daemon


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a benchmark that is cut short stops what it has started


class LoadedCluster:
    """A coordinator with a store that syncs, below the temporary folder (COXSWAIN_BENCH_DIR: on that disk), and a fleet."""

    def __init__(self, config="", pin=None):
        self.cluster = temporary_cluster()
        self.pin = pin
        self.fleet = None
        self.config = self.cluster.folder / "coordinator.yaml"
        self.config.write_text(config or "log_level: warn\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.fleet:
            self.fleet.stop()
        self.cluster.close()

    def start(self):
        """Returns the seconds until it serves."""
        begin = time.monotonic()
        self.cluster.start_coordinator("--config", self.config)
        if self.pin is not None:
            subprocess.run(["taskset", "-acp", str(self.pin), str(self.cluster.coordinator.pid)], check=True, capture_output=True)
        return time.monotonic() - begin

    def start_fleet(self, nodes, *flags, cpu=None, wait=True):
        end = self.cluster.endpoint()
        prefix = [] if cpu is None else ["taskset", "-c", str(cpu)]
        self.fleet = Daemon("fleet", [*prefix, BIN / "cox-sim", "fleet", "--nodes", nodes, "--coordinator", end["worker"],
                                      "--token-file", end["token_file"], *flags], self.cluster.folder / "fleet.log")
        if wait:
            wait_until(lambda: "connected in" in self.fleet.text() or not self.fleet.alive(), "the fleet is connected", 300, 0.2)
            assert self.fleet.alive(), self.fleet.text()

    def free_gpus(self):
        """Of a fleet that was started with --gpus-in-use."""
        self.fleet.process.send_signal(signal.SIGUSR1)

    def end_fleet(self):
        """Its summary."""
        fleet, self.fleet = self.fleet, None
        assert fleet.kill(signal.SIGINT) == 0, fleet.text()
        return json.loads(fleet.text().splitlines()[-1])

    def api_load(self, mode, *flags, cpu=None):
        end = self.cluster.endpoint()
        prefix = [] if cpu is None else ["taskset", "-c", str(cpu)]
        return subprocess.Popen([str(x) for x in [*prefix, BIN / "api-load", mode, "--server", end["api"], "--token-file",
                                                  end["token_file"], *flags]], stdout=subprocess.PIPE, text=True)

    def submit_plan(self, plan, *flags):
        """Starts api-load with these jobs: (at_ms, name, queue, priority, workers, cpus, gpus, run_ms)."""
        file = self.cluster.folder / f"plan-{time.monotonic_ns()}.txt"
        file.write_text("".join(" ".join(str(word) for word in job) + "\n" for job in plan))
        return self.api_load("run", "--plan", file, *flags)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.cluster.coordinator.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self):
        for row in pathlib.Path(f"/proc/{self.cluster.coordinator.pid}/status").read_text().splitlines():
            if row.startswith("VmRSS:"):
                return int(row.split()[1]) / 1024
        return 0.0


def finish(load, timeout=1200):
    """The summary of an api-load process, and the job ids by key."""
    out, _ = load.communicate(timeout=timeout)
    rows = out.splitlines()
    acks = dict(row.split()[1:3] for row in rows if row.startswith("ACK "))
    return json.loads(rows[-1]), acks


def job_counts(cluster):
    """Jobs by state, as /metrics has them."""
    text = cluster.http("/metrics", {"Authorization": f"Bearer {cluster.token()}"}, timeout=60)
    return {state: int(float(count)) for state, count in re.findall(r'^coxswain_jobs\{state="(\w+)"\} (\S+)$', text, re.M)}


def timed_http(cluster, path, times, stop, pause=0.2):
    """Reads the page again and again, on a thread of its own; ms go to `times`."""
    def read():
        while not stop.is_set():
            begin = time.monotonic()
            cluster.http(path, timeout=60)
            times.append((time.monotonic() - begin) * 1e3)
            stop.wait(pause)
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
