"""Starts, kills and questions the real daemons. Everything listens on loopback, on ports the system picks."""
import contextlib
import gzip
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("COXSWAIN_BIN", ROOT / "build" / "dev" / "bin")).absolute()
PATIENCE = float(os.environ.get("COXSWAIN_TEST_PATIENCE", "60"))  # seconds; a hang, not a speed limit


def wait_until(condition, what, timeout=PATIENCE, pause=0.02):
    """Waits for a true value of condition() and returns it; fails with `what` after `timeout`."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout:.0f} s still not: {what}")
        time.sleep(pause)


def files_below(folder):
    """Every file below a folder that others change meanwhile: what vanishes on the way is left out."""
    return [pathlib.Path(parent) / name for parent, _, names in os.walk(folder) for name in names]


def bytes_of(path):
    """b"" if it has gone meanwhile, or is no plain file (a socket)."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid, sig=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def fill(folder):
    """Until nothing more fits, also what other processes have freed meanwhile. Returns the file that takes the space."""
    filler = pathlib.Path(folder) / "filler"
    with open(filler, "ab", buffering=0) as f:
        for _ in range(20):
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                time.sleep(0.05)
    return filler


def write_idx(path, array_bytes, shape):
    header = struct.pack(">HBB", 0, 8, len(shape)) + b"".join(struct.pack(">I", n) for n in shape)
    data = header + array_bytes
    with (gzip.open(path, "wb", 1) if str(path).endswith(".gz") else open(path, "wb")) as f:
        f.write(data)


def make_idx_dataset(folder, train, test, classes=10, seed=7):
    """Images whose class is a bright bar at one of ten places, with noise: easy to learn, quick to make."""
    rng = random.Random(seed)
    folder = pathlib.Path(folder)
    for name, n in (("train", train), ("test", test)):
        labels = bytes(rng.randrange(classes) for _ in range(n))
        images = bytearray(rng.randbytes(n * 784))
        for i, label in enumerate(labels):
            for row in range(2 * label + 4, 2 * label + 6):
                start = i * 784 + row * 28
                images[start:start + 28] = b"\xff" * 28
        write_idx(folder / f"{name}-images.idx.gz", bytes(images), (n, 28, 28))
        write_idx(folder / f"{name}-labels.idx.gz", labels, (n,))
    return folder


class Daemon:
    """One child process with its log file."""

    def __init__(self, name, command, log, env=None, preexec=None):
        self.name, self.log_path = name, log
        self.log_file = open(log, "ab")
        self.process = subprocess.Popen([str(c) for c in command], stdout=self.log_file, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                                        preexec_fn=preexec, start_new_session=True)
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            self.process.send_signal(sig)
        return self.process.wait(30)

    def stop(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def text(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")


class Cluster:
    """A coordinator and its workers below one folder; `cox` talks to them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.coordinator = None
        self.workers = {}
        self.coordinator_dir = self.folder / "coordinator"
        self.store = self.folder / "store"
        self.fixed_ports = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- daemons ------------------------------------------------------------------------------------

    def start_coordinator(self, *flags, wait=True, env=None):
        """Starts (or restarts, on the same ports) the coordinator and waits until it serves."""
        # A port that the system has just picked may be somebody's a moment later.
        tries = 4 if wait and self.fixed_ports is None else 1
        for _ in range(tries):
            if tries > 1 or self.fixed_ports is None:
                self.fixed_ports = [free_port() for _ in range(3)]
            started = self._start_coordinator(flags, wait, env)
            if not wait or started.alive() or "is in use by another process" not in started.text():
                break
        if wait:
            assert started.alive(), started.text()[-2000:]
        return started

    def _start_coordinator(self, flags, wait, env):
        (self.coordinator_dir / "endpoint").unlink(missing_ok=True)
        api, worker, http = (f"127.0.0.1:{p}" for p in self.fixed_ports)
        self.coordinator = Daemon("coordinator", [
            BIN / "cox-coordinator", "--data-dir", self.coordinator_dir, "--listen", api, "--worker-listen", worker,
            "--http-listen", http, "--default-store", f"file://{self.store}", *flags],
            self.folder / "coordinator.log", env)
        if wait:
            wait_until(lambda: self.endpoint() or not self.coordinator.alive(), "the coordinator serves")
        return self.coordinator

    def endpoint(self):
        try:
            return json.loads((self.coordinator_dir / "endpoint").read_text())
        except (OSError, ValueError):
            return None

    def worker_dir(self, name):
        return self.folder / f"worker-{name}"

    def program_job(self, *command, name="program", workers=2, spec=""):
        """The file of a job that runs a program of the user's own."""
        path = self.folder / f"{name}.yaml"
        listed = ", ".join(f"'{part}'" for part in command)
        path.write_text(f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: {workers}
  command: [{listed}]
{spec}
""")
        return path

    def start_worker(self, name, *flags, slots=4, env=None, called=None):
        end = self.endpoint()
        self.workers[name] = Daemon(name, [
            BIN / "cox-worker", "--data-dir", self.worker_dir(name), "--coordinator", end["worker"], "--token-file",
            end["token_file"], "--name", called or name, "--cpu-slots", slots, *flags], self.folder / f"worker-{name}.log", env)
        return self.workers[name]

    def close(self):
        for pid in self._pids("cox-trainer"):
            kill(pid)
        for worker in self.workers.values():
            worker.stop()
        if self.coordinator:
            self.coordinator.stop()
        for pid in self._pids("cox-trainer") + self._pids("cox-shim"):
            kill(pid)

    def logs(self):
        parts = []
        for path in sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("worker-*/jobs/*/*/*/*")):
            if path.is_file() and path.suffix not in (".sock", ".yaml"):
                parts.append(f"---- {path.relative_to(self.folder)}\n" + path.read_text(errors="replace")[-1500:])
        return "\n".join(parts)

    # -- processes, found by their arguments and folders ----------------------------------------------

    def _pids(self, program, without=b"\0no such argument\0"):
        found = []
        mark = str(self.folder)
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                exe = os.readlink(f"/proc/{entry}/exe")
                if pathlib.Path(exe).name != program:
                    continue
                with open(f"/proc/{entry}/environ", "rb") as f:
                    about = f.read()
                with open(f"/proc/{entry}/cmdline", "rb") as f:
                    arguments = f.read()
            except OSError:
                continue
            about += arguments
            if mark.encode() in about and without not in arguments and alive(int(entry)):
                found.append(int(entry))
        return sorted(found)

    def rank_pids(self):
        """The ranks' processes, without the tasks on stores that run beside them."""
        return self._pids("cox-trainer", without=b"\0--task\0")

    def shim_pids(self):
        return self._pids("cox-shim", without=b"\0--task\0")

    # -- the command line -----------------------------------------------------------------------------

    def cox(self, *args, check=True, timeout=PATIENCE * 2, env=None):
        end = self.endpoint() or {}
        command = [str(BIN / "cox"), *[str(a) for a in args]]
        extra = {"COX_SERVER": end.get("api", ""), "COX_TOKEN": self.token(), "NO_COLOR": "1", **(env or {})}
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **extra},
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def token(self):
        try:
            return (self.coordinator_dir / "token").read_text().strip()
        except OSError:
            return ""

    def json(self, *args, **kwargs):
        return json.loads(self.cox(*args, "-o", "json", **kwargs).stdout)

    def submit(self, job_file, *args):
        return self.json("submit", job_file, *args)["id"]

    def job(self, job):
        return self.json("describe", job)

    def wait_state(self, job, *states, timeout=PATIENCE * 2):
        seen = {}

        def there():
            seen.update(self.job(job))
            return seen["state"] in states
        try:
            wait_until(there, f"job {job} in {states}", timeout, pause=0.1)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {seen.get('state')}: {seen.get('reason')}") from None
        return seen

    def wait_step(self, job, step, timeout=PATIENCE):
        return wait_until(lambda: int(self.job(job).get("progress", {}).get("step", 0)) >= step,
                          f"job {job} at step {step}", timeout, pause=0.05)

    def wait_point(self, job, step):
        """The loss of `step`: a job's last points may follow its end, and those of other names come first."""
        def there():
            done = self.cox("metrics", job, "--name", "loss", "-o", "json", check=False)
            return done.returncode == 0 and any(int(p["step"]) == step for p in json.loads(done.stdout)["points"])
        wait_until(there, f"the loss of step {step} of {job} is there")

    def wait_nodes(self, n):
        def ready():
            done = self.cox("nodes", "-o", "json", check=False)
            return done.returncode == 0 and sum(
                x["state"] == "READY" for x in json.loads(done.stdout).get("nodes", [])) == n
        wait_until(ready, f"{n} nodes are READY", pause=0.05)

    def http(self, path, headers=None, timeout=10):
        request = urllib.request.Request(f"http://{self.endpoint()['http']}{path}", headers=headers or {})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.read().decode()

    # -- job files ------------------------------------------------------------------------------------

    def job_file(self, data, name="job", workers=2, epochs=2, batch=64, model="mlp", extra_spec="", checkpoint="",
                 train="", evaluate=True, classes=0):
        """A small real job on `data`; 2,048 samples are 32 steps an epoch at batch 64. `model`: a recipe, or YAML."""
        models = {"mlp": "recipe: mlp\n    hidden: [64]", "cnn": "recipe: cnn\n    channels: [8, 16]\n    hidden: [32]"}
        evaluation = f"""
    evaluate:
      images: file://{data}/test-images.idx.gz
      labels: file://{data}/test-labels.idx.gz""" if evaluate else ""
        evaluation += f"\n    classes: {classes}" if classes else ""
        text = f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata:
  name: {name}
spec:
  workers: {workers}
  model:
    {models.get(model, model)}
  data:
    format: idx
    train:
      images: file://{data}/train-images.idx.gz
      labels: file://{data}/train-labels.idx.gz{evaluation}
  train:
    epochs: {epochs}
    global_batch_size: {batch}
{_indent(train, 4)}
"""
        if checkpoint:
            text += "  checkpoint:\n" + _indent(checkpoint, 4) + "\n"
        text += _indent(extra_spec, 2) + "\n"
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path


def _indent(text, n):
    return "\n".join(" " * n + line for line in text.strip("\n").splitlines())
