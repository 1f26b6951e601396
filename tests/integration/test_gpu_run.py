"""tests/gpu/run itself, with CPU jobs of tiny sizes; and that a rank on CPUs has nothing to do with GPUs' libraries."""
import json
import re
import subprocess
import sys

from cluster import BIN, ROOT, wait_until

RUN = ROOT / "tests" / "gpu" / "run"
NEED_A_GPU = {"inventory", "tf32", "nccl", "out_of_memory"}
NEED_TORCH = {"speed.resnet50.eager", "speed.gpt2.eager", "speed.resnet50.compile", "speed.gpt2.compile"}


def test_every_check_of_gpus_can_be_tried_on_cpus(tmp_path):
    done = subprocess.run([sys.executable, RUN, "--dry", "--programs", BIN, "--out", tmp_path], capture_output=True, text=True, timeout=300)
    results = {row["check"]: row for row in map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines())}
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = {name for name, row in results.items() if row["verdict"] == "skipped"}
    assert NEED_A_GPU <= skipped <= NEED_A_GPU | NEED_TORCH, done.stdout
    for name, row in results.items():
        assert row["verdict"] == ("skipped" if name in skipped else "ok"), row
    assert results["recipe.gpt"]["largest_relative_difference"] == 0, "the same job twice"
    assert results["checkpoint_stall"]["bytes"] > 0 and results["checkpoint_stall"]["checkpoints"] >= 1
    assert results["abort"]["trains_on"] and "a collective failed" in results["abort"]["said"]
    listed = subprocess.run([sys.executable, RUN, "--list"], capture_output=True, text=True, check=True).stdout.split("\n")
    assert {line.split()[0] for line in listed if line} == set(results)


def test_a_check_that_fails_does_not_end_the_others(tmp_path):
    broken = tmp_path / "bin"
    broken.mkdir()
    done = subprocess.run([sys.executable, RUN, "--dry", "--programs", broken, "--out", tmp_path, "resume", "inventory"],
                          capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert done.returncode == 1, done.stdout
    assert [(row["check"], row["verdict"]) for row in rows] == [("inventory", "skipped"), ("resume", "FAILED")], rows
    wrong = subprocess.run([sys.executable, RUN, "recipe.cmm"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "no such check: recipe.cmm; there are inventory" in wrong.stderr, wrong.stderr


# LibTorch's CPU library is linked with these two, whatever is trained; they are small.
ALLOWED = {"libcudart.so.13", "libcupti.so.13"}
OF_CUDA = re.compile(r"lib(cu[a-z]|nv|nccl|torch_cuda|c10_cuda|coxswain_cuda|caffe2_nvrtc)")


def test_a_rank_on_cpus_maps_no_library_of_cuda_but_those_libtorch_needs(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, workers=1, epochs=100000, evaluate=False))
    cluster.wait_step(job, 3)
    pid, = cluster.rank_pids()
    with open(f"/proc/{pid}/maps") as maps:
        mapped = {line.split()[-1].rsplit("/", 1)[-1] for line in maps if ".so" in line}
    assert any(name.startswith("libtorch_cpu") for name in mapped), mapped
    found = {re.sub(r"(\.so\.\d+).*", r"\1", name) for name in mapped if OF_CUDA.match(name)}
    assert found <= ALLOWED, found - ALLOWED
    cluster.cox("cancel", job)
    wait_until(lambda: not cluster.rank_pids(), "it has ended")
