"""Two training processes that take turns of a few seconds each, the other stopped by SIGSTOP, so that what else the machine
does meets both alike. A rate is that of one turn, from the times of the steps that it held."""
import bisect
import signal
import struct
import subprocess
import time

from bench import BIN, TORCHRUN_ENV, kill, loss_points, torchrun_command, wait_until

SEQUENCE, VOCABULARY = 128, 256  # of token data


def make_token_dataset(folder):
    """Numbers that are no text: only their count matters here."""
    tokens = [(i * i // 7 + i) % VOCABULARY for i in range(64 * SEQUENCE * 8)]
    path = folder / "tokens.bin"
    path.write_bytes(struct.pack(f"<{len(tokens)}H", *tokens))
    return path


def job_text(model, batch, workers, data, name="turns"):
    """A job that goes on until it is cancelled. `data`: the IDX folder, or a file of tokens."""
    if data.is_dir():
        source = f"""train: {{images: "file://{data}/train-images.idx.gz", labels: "file://{data}/train-labels.idx.gz"}}"""
    else:
        source = f"""format: tokens
    train: {{files: ["{data}"]}}
    sequence_length: {SEQUENCE}
    vocabulary: {VOCABULARY}"""
    return f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: {workers}
  model: {model}
  data:
    {source}
  train: {{epochs: 1000000, global_batch_size: {workers * batch}}}
"""


class Ours:
    """A job on a cluster: data pipeline, metrics, report of progress and all."""

    def __init__(self, cluster, file, warm_up=20):
        self.cluster, self.job = cluster, cluster.submit(file)
        cluster.wait_step(self.job, warm_up, timeout=300)
        self.pids = cluster.rank_pids()

    def step_times(self):
        return [at for _, at in loss_points(self.cluster, self.job)]

    def end(self):
        self.cluster.cox("cancel", self.job)
        self.cluster.cox("wait", self.job, check=False)


class Stamped:
    """Processes that write their pid, then the time of each step, to a file each."""

    def __init__(self, command, files, what, warm_up=20):
        self.files = files
        self.process = subprocess.Popen(command, env=TORCHRUN_ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def warm():
            if self.process.poll() is not None:
                raise RuntimeError(f"{what} has ended with {self.process.returncode}")
            return all(f.exists() and len(f.read_text().split()) > warm_up for f in files)
        wait_until(warm, f"{what} trains", timeout=300)
        self.pids = [int(f.read_text().split()[0]) for f in files]

    def step_times(self):
        return [float(at) for at in self.files[0].read_text().split()[1:]]

    def end(self):
        for pid in {self.process.pid, *self.pids}:
            kill(pid)
        self.process.wait()


def torchrun(folder, name, batch):
    stamps = folder / f"{name}-stamps"
    return Stamped(torchrun_command("--model", name, "--batch", batch, "--stamps", stamps),
                   [stamps.with_name(f"{stamps.name}.{rank}") for rank in (0, 1)], "torchrun")


def bare_loop(file, data, warm_up=20):
    """The job of `file` in tests/perf/bare_loop.cc: one process."""
    stamps = file.with_suffix(".stamps")
    shape = [] if data.is_dir() else [str(SEQUENCE), str(VOCABULARY)]
    return Stamped([BIN / "bare-loop", file, stamps, *shape], [stamps], "bare-loop", warm_up)


def signal_all(side, number):
    for pid in side.pids:
        kill(pid, number)


def take_turns(sides, runs, seconds):
    """The turns of each side, in order: (begin, end)."""
    turns = {side: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            signal_all(side, signal.SIGCONT)
            time.sleep(0.2)  # the step that was cut in two is not counted
            begin = time.time()
            time.sleep(seconds)
            turns[side].append((begin, time.time()))
            signal_all(side, signal.SIGSTOP)
    for side in sides:
        signal_all(side, signal.SIGCONT)
    return turns


def rate(times, turn):
    """Steps/s, of the whole steps inside the turn."""
    inside = times[bisect.bisect(times, turn[0]):bisect.bisect(times, turn[1])]
    if len(inside) < 3:
        raise SystemExit(f"{len(inside)} steps in a turn of {turn[1] - turn[0]:.0f} s: give turns more with --seconds")
    return (len(inside) - 1) / (inside[-1] - inside[0])


def rates(make_ours, make_peer, runs, seconds):
    """Both sides' steps/s by turn; each side is stopped as soon as it is warm."""
    ours = make_ours()
    signal_all(ours, signal.SIGSTOP)
    try:
        theirs = make_peer()
        signal_all(theirs, signal.SIGSTOP)
        try:
            turns = take_turns([ours, theirs], runs, seconds)
            found = [[rate(side.step_times(), turn) for turn in turns[side]] for side in (ours, theirs)]
        finally:
            theirs.end()
    finally:
        signal_all(ours, signal.SIGCONT)
    ours.end()
    return found
