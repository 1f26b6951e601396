"""Programs of the user's own (spec.command): started, killed, stopped and gone on with; what they say and save."""
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from cluster import alive, kill, wait_until

PROGRAMS = pathlib.Path(__file__).parent / "programs"
DDP = pathlib.Path(__file__).parents[2] / "configs" / "jobs" / "pytorch-ddp" / "train.py"


def counter(cluster, *arguments, **kwargs):
    return cluster.program_job(sys.executable, PROGRAMS / "counter.py", *arguments, **kwargs)


def programs_of(cluster):
    """The pids of the programs that run under ranks."""
    found = []
    for rank in cluster.rank_pids():
        for thread in pathlib.Path(f"/proc/{rank}/task").iterdir():
            found += [int(pid) for pid in (thread / "children").read_text().split()]
    return found


def committed(cluster, job):
    return [c for c in cluster.json("checkpoints", job)["checkpoints"] if c["state"] in ("CHECKPOINT_COMMITTED", "CHECKPOINT_VERIFIED")]


def log_of(cluster, job, rank=0):
    return cluster.cox("logs", job, "--rank", str(rank)).stdout


@pytest.mark.parametrize("every_rank", [False, True])
def test_program_is_killed_and_goes_on_from_its_checkpoint(cluster, every_rank):
    arguments = ["--every-rank"] if every_rank else []
    spec = "  checkpoint: {saved_by: every_rank}" if every_rank else ""
    job = cluster.submit(counter(cluster, "--steps", 400, *arguments, spec=spec))
    wait_until(lambda: committed(cluster, job), "a checkpoint is committed")
    victim = wait_until(lambda: len(found := programs_of(cluster)) == 2 and found[1], "two programs run")
    kill(victim)
    done = cluster.wait_state(job, "COMPLETED")
    assert done["attempt"] == 2 and "exit code 0, at step 400" in done["reason"], done["reason"]
    first = cluster.json("describe", job)["attempts"][0]
    assert (first["cause"], first["kind"]) == ("FAILURE_CAUSE_INFRASTRUCTURE", "FAILURE_KIND_KILLED"), first
    assert "going on from step" in log_of(cluster, job) and "going on from step" in log_of(cluster, job, 1)
    cluster.wait_point(job, 400)
    losses = {int(p["step"]) for p in cluster.json("metrics", job, "--name", "loss")["points"]}
    assert {1, 400} <= losses, sorted(losses)[:5]
    final = committed(cluster, job)[0]
    assert int(final["step"]) == 400 and int(final["shards"]) == 2, final
    wait_until(lambda: not cluster.rank_pids(), "no rank is left")


def test_program_ends_with_a_code_of_its_own(cluster):
    spec = "  retries: {max_attempts: 1}"
    job = cluster.submit(counter(cluster, "--steps", 1000, "--fail-at", 20, spec=spec))
    done = cluster.wait_state(job, "FAILED")
    assert "ended with exit code 3" in done["reason"], done["reason"]
    assert cluster.cox("wait", job, check=False).returncode == 100
    attempt = cluster.json("describe", job)["attempts"][0]
    assert (attempt["cause"], attempt["kind"], attempt["exit"]["code"]) == ("FAILURE_CAUSE_USER", "FAILURE_KIND_BUG", 3), attempt
    assert "this is the last line" in log_of(cluster, job, 1)
    wait_until(lambda: not cluster.rank_pids(), "the other program is gone")


def test_program_that_is_not_there(cluster):
    job = cluster.submit(cluster.program_job("pyhton3", "train.py"))
    done = cluster.wait_state(job, "FAILED")
    assert "spec.command: cannot start 'pyhton3'" in done["reason"], done["reason"]
    assert done["attempt"] == 1, "nothing would change by trying again"


def test_program_saves_when_it_is_told_to_stop(cluster):
    job = cluster.submit(counter(cluster, "--steps", 100000, "--save-every", 100000))
    cluster.wait_step(job, 30)
    cluster.cox("cancel", job, "--save")
    cluster.wait_state(job, "CANCELLED")
    saved = committed(cluster, job)
    assert len(saved) == 1 and int(saved[0]["step"]) >= 30, saved
    resumed = cluster.submit(counter(cluster, "--steps", int(saved[0]["step"]) + 20), "--resume-from", job)
    assert cluster.wait_state(resumed, "COMPLETED")["attempt"] == 1
    assert f"going on from step {saved[0]['step']}" in log_of(cluster, resumed)


def test_program_that_does_not_stop_is_killed_with_what_it_started(cluster):
    text = "trap '' TERM; sleep 1000 & echo $! > $COXSWAIN_CHECKPOINT_DIR/../pid; wait; wait"
    path = cluster.folder / "stubborn.yaml"
    path.write_text(f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: stubborn}}
spec:
  command: "{text}"
  grace: 1s
""")
    job = cluster.submit(path)
    pid_file = wait_until(lambda: next(cluster.folder.glob("**/a1/r0/pid"), None), "the program runs")
    sleeper = int(wait_until(pid_file.read_text, "it has written its child's pid"))
    assert alive(sleeper)
    cluster.cox("cancel", job)
    cluster.wait_state(job, "CANCELLED")
    wait_until(lambda: not alive(sleeper), "what it started is gone")


def torch_python():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    python = pathlib.Path(os.environ.get("COXSWAIN_PEERS", cache / "coxswain" / "peers")) / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        pytest.skip("no Python with torch 2.11.0 (the benchmarks make one: tests/perf/bench.py)")
    return python


def test_pytorch_ddp_script_is_killed_and_goes_on(cluster, tmp_path):
    """As it is in configs/jobs: it knows nothing of Coxswain, and keeps its checkpoints by itself."""
    checkpoints = tmp_path / "ddp"
    job = cluster.submit(cluster.program_job(torch_python(), DDP, "--checkpoints", checkpoints, "--steps", 3000))
    wait_until(lambda: len(list(checkpoints.glob("step-*.pt"))) >= 2, "it has saved twice", timeout=120)
    kill(programs_of(cluster)[1], signal.SIGKILL)
    done = cluster.wait_state(job, "COMPLETED", timeout=120)
    assert done["attempt"] == 2
    for rank in range(2):
        assert f"rank {rank}: going on from step" in log_of(cluster, job, rank)
    assert (checkpoints / "step-00003000.pt").exists()
