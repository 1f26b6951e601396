"""Shared by the benchmarks: a local cluster, the peers' Python, and the JSON lines they print."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from cluster import BIN, Cluster, kill, make_idx_dataset, wait_until  # noqa: E402,F401

PEERS = pathlib.Path(os.environ.get("COXSWAIN_PEERS", pathlib.Path(
    os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "coxswain" / "peers"))


def options(description, **defaults):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=defaults.get("runs", 5))
    parser.add_argument("--json", type=pathlib.Path, help="append the lines to this file too")
    for name, value in defaults.items():
        if name != "runs":
            parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args()


def peer_python():
    """The interpreter of a virtual environment with torch 2.11.0 and transformers, made at the first use."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "lib").exists():
        print(f"making {PEERS} with torch 2.11.0 (once, about 5 GB)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
    if subprocess.run([python, "-c", "import torch, transformers"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", "torch==2.11.0", "numpy", "transformers==5.23.0"], check=True)
    return python


def torchrun_command(*arguments, ranks=2):
    """tests/perf/peers/ddp_job.py under torchrun; to be run with TORCHRUN_ENV."""
    return [peer_python(), "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}",
            ROOT / "tests" / "perf" / "peers" / "ddp_job.py", *map(str, arguments)]


TORCHRUN_ENV = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def torchrun(*arguments, ranks=2):
    """Runs it to its end; returns (start time, its JSON lines)."""
    begin = time.time()
    done = subprocess.run(torchrun_command(*arguments, ranks=ranks), capture_output=True, text=True, env=TORCHRUN_ENV, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return begin, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def temporary_cluster():
    return Cluster(tempfile.mkdtemp(prefix="coxswain-bench-"))


def loss_points(cluster, job):
    """(step, Unix time in s), ascending."""
    found = cluster.json("metrics", job, "--name", "loss")["points"]
    return sorted((int(p["step"]), int(p["timeUs"]) / 1e6) for p in found)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def line(opts, bench, metric, values, unit, peer=None, peer_values=None, bar=None, at_most=True, note=None, pairwise=True):
    """Prints one JSON line; `values` and `peer_values` are of paired runs."""
    row = {"bench": bench, "metric": metric, "value": round(statistics.median(values), 4), "unit": unit, "n": len(values),
           "p50": round(quantile(values, 0.5), 4), "p99": round(quantile(values, 0.99), 4)}
    judged = row["value"]
    if peer_values:
        row["peer"], row["peer_value"] = peer, round(statistics.median(peer_values), 4)
        ratios = [a / b for a, b in zip(values, peer_values)] if pairwise else [row["value"] / row["peer_value"]]
        row["ratio"] = judged = round(statistics.median(ratios), 4)
    if bar is not None:
        row["bar"] = bar
        row["holds"] = judged <= bar if at_most else judged >= bar
    if note:
        row["note"] = note
    text = json.dumps(row)
    print(text, flush=True)
    if opts.json:
        with open(opts.json, "a") as f:
            f.write(text + "\n")
