"""The programs under test: where they are, a coordinator and its workers on loopback, and `cox`. Standard library only: this
runs where nothing of a development machine is."""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time


class Failed(Exception):
    """A check did not come out; the text is its result."""


class Skipped(Exception):
    """A check cannot be made here; the text says why."""


def unpack(archive, folder):
    """The folder that a bundle's programs lie in."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder)
    return next(pathlib.Path(folder).glob("coxswain-*/bin"))


def newest_bundle(folders):
    found = [path for folder in folders for path in pathlib.Path(folder).glob("coxswain-*-linux-x86_64.tar.xz")]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def wait_until(condition, what, timeout, pause=0.05):
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"after {timeout:.0f} s still not: {what}")
        time.sleep(pause)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def driver_folder():
    """Where libcuda.so.1 is if the loader does not know it by itself."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("libcuda.so.1")
        return None
    for folder in ("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib64-nvidia", "/usr/local/cuda/compat"):
        if (pathlib.Path(folder) / "libcuda.so.1").exists():
            return folder
    return None


def torch_folder():
    """The package torch of this interpreter, without importing it; None: there is none."""
    import importlib.util
    found = importlib.util.find_spec("torch")
    return pathlib.Path(found.origin).parent if found and found.origin else None


def torch_version():
    """Its version as (major, minor), likewise without importing it; None: there is none."""
    folder = torch_folder()
    found = folder and re.search(r"__version__ = ['\"](\d+)\.(\d+)", (folder / "version.py").read_text())
    return (int(found[1]), int(found[2])) if found else None


def environment(**more):
    env = {**os.environ, "NO_COLOR": "1"}
    folder = driver_folder()
    if folder:
        env["LD_LIBRARY_PATH"] = ":".join(filter(None, [folder, env.get("LD_LIBRARY_PATH")]))
    env.update(more)
    return env


class Cluster:
    """A coordinator and workers below one folder."""

    def __init__(self, bin_folder, folder, env):
        self.bin, self.folder, self.env = pathlib.Path(bin_folder).resolve(), pathlib.Path(folder), env
        self.processes = []
        self.coordinator_dir = self.folder / "coordinator"

    def _start(self, name, *command, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, env={**self.env, **(env or {})}, start_new_session=True)
        self.processes.append(process)
        return process

    def text(self, name):
        with contextlib.suppress(OSError):
            return (self.folder / f"{name}.log").read_text(errors="replace")[-20_000:]
        return ""

    def endpoint(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.coordinator_dir / "endpoint").read_text())
        return None

    def start(self):
        for _ in range(4):  # a port that was free may be somebody's a moment later
            (self.coordinator_dir / "endpoint").unlink(missing_ok=True)
            api, worker, http = (f"127.0.0.1:{free_port()}" for _ in range(3))
            process = self._start("coordinator", self.bin / "cox-coordinator", "--data-dir", self.coordinator_dir, "--listen", api,
                                  "--worker-listen", worker, "--http-listen", http, "--default-store", f"file://{self.folder}/store")
            wait_until(lambda: self.endpoint() or process.poll() is not None, "the coordinator serves", 60)
            if process.poll() is None:
                return self
        raise Failed("cox-coordinator: " + self.text("coordinator"))

    def add_worker(self, name, slots, **env):
        end = self.endpoint()
        process = self._start(name, self.bin / "cox-worker", "--data-dir", self.folder / f"worker-{name}", "--coordinator", end["worker"],
                              "--token-file", end["token_file"], "--name", name, "--cpu-slots", slots, env=env)

        def ready():
            if process.poll() is not None:
                raise Failed("cox-worker: " + self.text(name))
            return any(node["name"] == name and node["state"] == "READY" for node in self.nodes())
        wait_until(ready, f"the worker {name} is READY", 60)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self.ranks() + self._pids("cox-shim"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _pids(self, program):
        """Processes of this cluster alone: their environment or arguments name its folder."""
        found, mark = [], str(self.folder).encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                about = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                if pathlib.Path(os.readlink(f"/proc/{entry}/exe")).name != program or b"\0--task\0" in about:
                    continue
                if mark in about + pathlib.Path(f"/proc/{entry}/environ").read_bytes():
                    found.append(int(entry))
        return sorted(found)

    def said_by_ranks(self, worker):
        """Lines of all its ranks' logs, those of earlier attempts too."""
        return [line for path in sorted((self.folder / f"worker-{worker}").glob("jobs/*/*/*/std*"))
                for line in path.read_text(errors="replace").splitlines()]

    def ranks(self):
        return self._pids("cox-trainer")

    def rank_of(self, worker):
        """The process of the one rank that this worker has."""
        mark = f"/worker-{worker}/".encode()
        with contextlib.suppress(OSError):
            for pid in self.ranks():
                if mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes() + os.readlink(f"/proc/{pid}/cwd").encode():
                    return pid
        return None

    # -- cox ----------------------------------------------------------------------------------------

    def cox(self, *args, check=True, timeout=300):
        end = self.endpoint() or {}
        token = (self.coordinator_dir / "token").read_text().strip()
        done = subprocess.run([str(self.bin / "cox"), *map(str, args)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**self.env, "COX_SERVER": end.get("api", ""), "COX_TOKEN": token})
        if check and done.returncode != 0:
            raise Failed(f"cox {args[0]} exited {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def json(self, *args, **kwargs):
        return json.loads(self.cox(*args, "-o", "json", **kwargs))

    def nodes(self):
        with contextlib.suppress(Failed):
            return self.json("nodes").get("nodes", [])
        return []

    def submit(self, text, *args):
        # The name is the job's: a file of its own for each.
        path = self.folder / f"job-{len(list(self.folder.glob('job-*.yaml')))}.yaml"
        path.write_text(text)
        return self.json("submit", path, *args)["id"]

    def describe(self, job):
        return self.json("describe", job)

    def log(self, job, rank=0):
        return self.cox("logs", job, "--rank", rank, check=False)

    def wait(self, job, timeout):
        ends = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"}
        try:
            wait_until(lambda: self.describe(job)["state"].removeprefix("JOB_STATE_") in ends, f"job {job} has ended", timeout, 0.2)
        except Failed:
            self.cox("cancel", job, check=False)
            raise
        state = self.describe(job)
        if state["state"].removeprefix("JOB_STATE_") != "COMPLETED":
            last = [line for line in self.log(job).splitlines() if line.strip()][-3:]
            raise Failed(f"job {job} is {state['state']}: {state.get('reason', '')}; its log ends: {' | '.join(last)}")
        return state

    def run(self, text, *args, timeout=420):
        """A job from its submission to its end; the id."""
        job = self.submit(text, *args)
        self.wait(job, timeout)
        return job

    def points(self, job, name, steps=0):
        """(step, value, Unix time in s), ascending. The last points may follow a job's end: waits for that of `steps`."""
        def there():
            found = self.json("metrics", job, "--name", name, "--max-points", 0, check=True).get("points", [])
            rows = sorted((int(p["step"]), float(p.get("value", 0)), int(p["timeUs"]) / 1e6) for p in found)
            return rows if rows and rows[-1][0] >= steps else None
        return wait_until(there, f"{name} of step {steps} of job {job}", 30)


def say(text):
    print(text, flush=True)
    sys.stdout.flush()
