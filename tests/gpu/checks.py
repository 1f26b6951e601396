"""The checks. Each takes a Context and returns its numbers; it raises Failed or Skipped with the reason."""
import os
import re
import signal
import subprocess
import time

import jobs
from context import close, losses
from programs import Cluster, Failed, Skipped, wait_until
from speed_checks import checkpoint_stall, graphs, graphs_speed, prefetch, speed


def smi(query):
    done = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"nvidia-smi: {done.stdout.strip()} {done.stderr.strip()}")
    return [[field.strip() for field in line.split(",")] for line in done.stdout.splitlines() if line.strip()]


def inventory(context):
    """The worker's GPUs, by NVML, are those of nvidia-smi."""
    context.need_gpu("NVML shows none here")
    theirs = {row[0]: (row[1], float(row[2]) * 2**20) for row in smi("uuid,name,memory.total")}

    def seen():
        node = next(node for node in context.cluster().nodes() if node["name"] == "node")
        return node.get("gpus") and node
    ours = {gpu["uuid"]: gpu for gpu in wait_until(seen, "the worker tells its GPUs", 30)["gpus"]}
    if set(ours) != set(theirs):
        raise Failed(f"found {sorted(ours)}, nvidia-smi shows {sorted(theirs)}")
    for uuid, (name, memory) in theirs.items():
        found = ours[uuid]
        if found["name"] != name or abs(int(found["memoryBytes"]) - memory) > 0.02 * memory:
            raise Failed(f"{uuid}: found {found['name']} with {found['memoryBytes']} bytes, nvidia-smi shows {name} with {memory:.0f}")
        if not found.get("available"):
            raise Failed(f"{uuid} cannot be given to a rank: {found.get('whyNot', '')}")
    name, memory = next(iter(theirs.values()))
    return {"gpus": len(ours), "name": name, "memory_mib": round(memory / 2**20)}


def recipe(name):
    """Trains on the GPU; the first losses are those of the same job on the CPU."""
    def check(context):
        model, data, batch, optimizer = context.recipes()[name]
        steps = 3 if context.dry else 20
        train = f"{{epochs: 1000, max_steps: {steps}, global_batch_size: {batch}, tf32: none, optimizer: {optimizer}}}"
        cluster = context.cluster()
        ours = cluster.submit(context.job(f"{name}-device", model, data, train))
        theirs = cluster.submit(context.job(f"{name}-cpu", model, data, train, gpus=0))
        for job in (ours, theirs):
            cluster.wait(job, 400)
        if context.gpus and "this rank trains on " not in cluster.log(ours):
            raise Failed("its log does not say that it trained on a GPU")
        curve = losses(cluster, ours, steps)
        difference = close(curve, losses(cluster, theirs, steps))
        numbers = {"steps": steps, "first_loss": curve[0], "last_loss": curve[-1], "largest_relative_difference": difference, "bar": 1e-4}
        if difference > 1e-4:
            raise Failed(f"the losses differ from those on the CPU: {numbers}")
        return numbers
    check.__doc__ = f"{name}: " + recipe.__doc__
    return check


def tf32(context):
    """The key decides: matrix products with TF32 differ from exact ones, and by little."""
    context.need_gpu("a CPU has no TF32")
    model, data, batch, optimizer = context.recipes()["gpt"]
    curves = {}
    for value in ("none", "convolutions", "all"):
        train = f"{{epochs: 1000, max_steps: 10, global_batch_size: {batch}, tf32: {value}, optimizer: {optimizer}}}"
        job = context.cluster().run(context.job(f"tf32-{value}", model, data, train))
        curves[value] = losses(context.cluster(), job, 10)
    all_differ, convolutions_differ = close(curves["all"], curves["none"]), close(curves["convolutions"], curves["none"])
    numbers = {"all": all_differ, "convolutions": convolutions_differ}
    if all_differ == 0 or all_differ > 0.02 or convolutions_differ > 1e-4:
        raise Failed(f"relative differences of losses to tf32: none: {numbers}")
    return numbers


def nccl(context):
    """One rank forms its group by NCCL, and its gradients are summed by it, as those of many are."""
    context.need_gpu("one rank on a CPU forms no group")
    model, data, batch, optimizer = context.recipes()["mlp"]
    train = f"{{epochs: 1000, max_steps: 20, global_batch_size: {batch}, optimizer: {optimizer}}}"
    more = "  env: {NCCL_DEBUG: INFO, NCCL_DEBUG_SUBSYS: 'INIT,COLL'}\n"
    cluster = context.cluster()
    job = cluster.run(context.job("nccl", model, data, train, more=more))
    log = cluster.log(job)
    said = [line for line in log.splitlines() if "NCCL INFO" in line]
    sums = sum("AllReduce" in line for line in said)
    if not any("Init COMPLETE" in line for line in said):
        raise Failed("no communicator was made; NCCL said: " + " | ".join(said[-3:]))
    if sums < 20:
        raise Failed(f"{sums} all-reduces in 20 steps; NCCL said: " + " | ".join(said[-3:]))
    return {"ranks": 1, "steps": 20, "all_reduces": sums}


def resume(context):
    """A job that goes on from the second checkpoint of another has the losses of one that was never interrupted."""
    model, data, batch, optimizer = context.recipes()["gpt"]
    head, tail = (4, 3) if context.dry else (20, 10)

    def train(steps):
        return f"{{epochs: 1000, max_steps: {steps}, global_batch_size: {batch}, tf32: none, optimizer: {optimizer}}}"
    cluster = context.cluster()
    whole = cluster.submit(context.job("resume-whole", model, data, train(head + tail)))
    cluster.wait(whole, 400)
    first = cluster.run(context.job("resume-first", model, data, train(head), more=f"  checkpoint: {{every_steps: {head // 2}}}\n"))
    then = cluster.run(context.job("resume-then", model, data, train(head + tail)), "--resume-from", first)
    expected = losses(cluster, whole, head + tail)[head:]
    found = [value for step, value, _ in cluster.points(then, "loss", head + tail) if step > head]
    difference = close(found, expected)
    numbers = {"steps": tail, "largest_relative_difference": difference, "bar": 1e-4}
    if difference > 1e-4:
        raise Failed(f"the losses after the checkpoint differ: {numbers}")
    return numbers


def two_workers(context, name):
    """Two workers that see the same GPU; NCCL takes their ranks for ones on two machines (NCCL_HOSTID), since it refuses two
    ranks on one GPU of one machine, and sums over sockets."""
    folder = context.folder / name
    folder.mkdir()
    cluster = Cluster(context.bin, folder, context.env).start()
    for worker in ("left", "right"):
        cluster.add_worker(worker, context.cpus, NCCL_HOSTID=worker, NCCL_NET="Socket", NCCL_SOCKET_IFNAME="lo", NCCL_P2P_DISABLE="1",
                           NCCL_SHM_DISABLE="1", NCCL_IB_DISABLE="1", NCCL_NVLS_ENABLE="0", NCCL_CUMEM_ENABLE="0", NCCL_MNNVL_ENABLE="0")
    return cluster


def refused_by_nccl(log):
    for word in ("Duplicate GPU detected", "invalid usage", "ncclInvalidUsage"):
        line = next((line for line in log.splitlines() if word in line), None)
        if line:
            raise Skipped(f"NCCL does not take two ranks on one GPU: {line.strip()}")


def two_ranks_job(context, name, steps, gpus=None):
    model, data, batch, optimizer = context.recipes()["mlp"]
    train = f"{{epochs: 100000, max_steps: {steps}, global_batch_size: {batch}, tf32: none, optimizer: {optimizer}}}"
    more = "  env: {NCCL_DEBUG: WARN}\n"
    # All of a worker's slots for a rank: each worker has one.
    return context.job(name, model, data, train, gpus=gpus, workers=2, more=more)


def two_ranks(context):
    """Two ranks on one GPU, by NCCL over sockets: the losses of two ranks on CPUs."""
    steps = 3 if context.dry else 20
    cluster = two_workers(context, "two")
    try:
        curves = []
        for name, gpus in (("two-device", None), ("two-cpu", 0)):
            job = cluster.submit(two_ranks_job(context, name, steps, gpus))
            try:
                cluster.wait(job, 200)
            except Failed:
                refused_by_nccl(cluster.log(job) + cluster.log(job, 1))
                raise
            curves.append(losses(cluster, job, steps))
        difference = close(*curves)
        if difference > 1e-4:
            raise Failed(f"the losses differ from those on CPUs by {difference}")
        return {"ranks": 2, "steps": steps, "largest_relative_difference": difference, "bar": 1e-4}
    finally:
        cluster.stop()


def step_of(cluster, job):
    state = cluster.describe(job)
    if state["state"].removeprefix("JOB_STATE_") not in ("PENDING", "RUNNING", "RECOVERING"):
        raise Failed(f"it is {state['state']}: {state.get('reason', '')}")
    refused_by_nccl(cluster.log(job) + cluster.log(job, 1))
    return int(state.get("progress", {}).get("step", 0))


def abort(context):
    """A rank that is stuck in a collective (its peer is stopped, then killed) leaves it by order, neither killed nor crashed."""
    cluster = two_workers(context, "stuck")
    stopped = None
    try:
        job = cluster.submit(two_ranks_job(context, "stuck", 100_000_000))
        wait_until(lambda: step_of(cluster, job) >= 10, "two ranks train", 120, 0.3)
        living, stopped = cluster.rank_of("left"), cluster.rank_of("right")
        if not stopped or not living:
            raise Failed(f"cannot find the ranks' processes: {living}, {stopped}")
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(2)
        stuck_at = step_of(cluster, job)
        time.sleep(2)
        if step_of(cluster, job) != stuck_at:
            raise Failed("it trains on though a rank is stopped")
        begun = time.monotonic()
        os.kill(stopped, signal.SIGKILL)
        said = wait_until(lambda: next((line for line in cluster.said_by_ranks("left") if "a collective failed" in line), None),
                          "the collective is left", 100)
        seconds = time.monotonic() - begun
        try:
            wait_until(lambda: step_of(cluster, job) > stuck_at, "it trains on", 60, 0.3)
            trains_on = True
        except Failed:  # the workers' two views of one GPU may keep a new rank from it
            trains_on = False
            if not context.gpus:
                raise
        ended = re.search(rf"rank {job}/1/\d+ ended (with code|by signal) (\d+)", cluster.text("left"))
        if ended and (ended[1], ended[2]) != ("with code", "13"):  # 13: told to stop, and did
            raise Failed(f"the other rank ended {ended[1]} {ended[2]}; it said: {said}")
        return {"left_after_s": round(seconds, 2), "said": said.split(": ", 1)[-1][-160:], "trains_on": trains_on}
    finally:
        cluster.stop()


def out_of_memory(context):
    """A batch that is too large for the GPU goes through the model in halves."""
    context.need_gpu("on a CPU the kernel would end the rank")
    model, batch = "{recipe: gpt, layers: 12, heads: 12, width: 768}", 1024
    data = jobs.tokens(context.data(), 1025 * batch, 50257, 1024)
    train = f"{{epochs: 100, max_steps: 3, global_batch_size: {batch}, precision: bf16}}"
    cluster = context.cluster()
    job = cluster.run(context.job("too-large", model, data, train))
    line = next((line for line in cluster.log(job).splitlines() if "memory has run out" in line), None)
    if line is None:
        raise Failed("memory was enough for 1,024 sequences of 1,024 tokens: its log says of none that ran out")
    return {"batch": batch, "said": line.split("memory has run out", 1)[1][:120], "attempts": len(cluster.describe(job)["attempts"])}


CHECKS = {
    "inventory": inventory,
    **{f"recipe.{name}": recipe(name) for name in ("mlp", "cnn", "resnet", "gpt", "llama")},
    "tf32": tf32,
    "nccl": nccl,
    "resume": resume,
    "prefetch": prefetch,
    **{f"graphs.{name}": graphs(name) for name in ("mlp", "cnn", "resnet", "gpt", "llama")},
    "graphs.speed": graphs_speed,
    "two_ranks": two_ranks,
    "abort": abort,
    "out_of_memory": out_of_memory,
    "checkpoint_stall": checkpoint_stall,
    "speed.resnet50.eager": speed("resnet50", False),
    "speed.gpt2.eager": speed("gpt2", False),
    "speed.resnet50.compile": speed("resnet50", True),
    "speed.gpt2.compile": speed("gpt2", True),
}
