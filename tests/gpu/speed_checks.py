"""Checks of what makes steps fast, and how fast they are. As checks.py has them."""
import json
import pathlib
import statistics
import subprocess

import jobs
from context import close, losses
from programs import Failed, Skipped, torch_version

HERE = pathlib.Path(__file__).resolve().parent


def speed_job(context, name):
    """(the peer's arguments, model, data, batch, steps, optimizer)"""
    dry = context.dry
    if name == "resnet50":
        side, batch, steps = (32, 4, 4) if dry else (224, 128, 150)
        data = jobs.images(context.data(), "photos", 8 if dry else 1024, 3, side, classes=256) + "\n    classes: 1000"
        depth = 18 if dry else 50
        return ([f"--model=resnet{depth}", f"--side={side}"], f"{{recipe: resnet, depth: {depth}}}", data, batch, steps,
                "{name: sgd, learning_rate: 0.01, momentum: 0.9}")
    layers, heads, width, sequence, batch, steps = (2, 2, 32, 32, 2, 4) if dry else (12, 12, 768, 1024, 16, 100)
    vocabulary = 257 if dry else 50257
    data = jobs.tokens(context.data(), (sequence + 1) * batch * 16, vocabulary, sequence)
    shape = f"layers: {layers}, heads: {heads}, width: {width}"
    arguments = ["--model=gpt", *(f"--{k}={v}" for k, v in (("layers", layers), ("heads", heads), ("width", width),
                                                           ("sequence", sequence), ("vocabulary", vocabulary)))]
    return arguments, f"{{recipe: gpt, {shape}}}", data, batch, steps, "{name: adamw, learning_rate: 3e-4}"


def peer(context, arguments, batch, steps, compiled):
    version = torch_version()
    if version is None:
        raise Skipped("this Python has no torch to compare with")
    if version < (2, 0):
        raise Skipped(f"this Python's torch is {version[0]}.{version[1]}, and has no fused optimizers for CPUs and GPUs alike: 2.0 or newer has")
    if compiled and context.dry:
        raise Skipped("torch.compile takes longer than a trial may")
    command = [context.python, HERE / "peers" / "train.py", *arguments, f"--batch={batch}", f"--steps={steps}",
               f"--device={'cuda' if context.gpus else 'cpu'}", *(["--compile"] if compiled else [])]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=context.env, timeout=400)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[1:]))}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def samples_per_second(cluster, job, batch, steps):
    """Of the steps after the first ones, by the times of the metrics."""
    at = [when for _, _, when in cluster.points(job, "loss", steps)]
    warm = min(20, steps // 2)
    return batch * (len(at) - 1 - warm) / max(at[-1] - at[warm], 1e-9)


def phases(cluster, job, *metrics):
    return {metric: round(statistics.median(value for _, value, _ in cluster.points(job, metric)), 4) for metric in metrics}


def same_losses(context, name, recipe, one, other):
    """Two jobs of a recipe, told apart by (keys of train, further keys of spec): the largest relative difference of their losses."""
    model, data, batch, optimizer = context.recipes()[recipe]
    steps = 8 if context.dry else 20
    cluster, curves = context.cluster(), []
    for i, (keys, more) in enumerate((one, other)):
        train = f"{{epochs: 1000, max_steps: {steps}, global_batch_size: {batch}, tf32: none, optimizer: {optimizer}{keys}}}"
        job = cluster.run(context.job(f"{name}-{recipe}-{i}", model, data, train, more=more))
        curves.append(losses(cluster, job, steps))
    difference = close(*curves)
    if difference > 1e-4:
        raise Failed(f"{recipe}: the losses differ by {difference}, expected at most 1e-4")
    return difference, job


NO_PREFETCH = "  env: {COX_GPU_PREFETCH: '0'}\n"


def prefetch(context):
    """Batches that are copied while the GPU computes: the same losses as without, and the speed of both."""
    numbers = {"largest_relative_difference": max(same_losses(context, "prefetch", recipe, ("", ""), ("", NO_PREFETCH))[0]
                                                  for recipe in ("resnet", "gpt"))}
    _, model, data, batch, steps, optimizer = speed_job(context, "resnet50")
    train = f"{{epochs: 100000, max_steps: {steps}, global_batch_size: {batch}, precision: bf16, optimizer: {optimizer}}}"
    cluster = context.cluster()
    for name, more in (("with", ""), ("without", NO_PREFETCH)):
        job = cluster.run(context.job(f"prefetch-{name}", model, data, train, more=more))
        numbers[f"samples_per_s_{name}"] = round(samples_per_second(cluster, job, batch, steps), 1)
        numbers[f"ms_{name}"] = phases(cluster, job, "phase.data_ms", "phase.forward_ms", "phase.step_ms")
    return numbers


def graphs_key(context, wanted):
    return f", cuda_graphs: {'true' if wanted else 'false'}" if context.gpus else ""


def graphs(name):
    """With CUDA graphs: the losses of steps without; the log says that they are recorded."""
    def check(context):
        difference, job = same_losses(context, "graphs", name, (graphs_key(context, False), ""), (graphs_key(context, True), ""))
        said = [line for line in context.cluster().log(job).splitlines() if "recorded" in line]
        if context.gpus and not any("are recorded: from step" in line for line in said):
            raise Failed(f"the steps were not recorded; its log says: {said[:1] or 'nothing of it'}")
        return {"largest_relative_difference": difference, "bar": 1e-4}
    check.__doc__ = f"{name}: " + graphs.__doc__
    return check


def graphs_speed(context):
    """Samples/s and peak memory of the two large models in bf16, and of a small one, without and with CUDA graphs."""
    numbers, cluster = {}, context.cluster()
    _, model, data, batch, steps, optimizer = speed_job(context, "gpt2")
    small = "{recipe: gpt, layers: 4, heads: 4, width: 128}" if context.gpus else model
    sizes = {"gpt2": (model, data, batch, steps, optimizer), "small": (small, data, 2, steps, optimizer)}
    sizes["resnet50"] = speed_job(context, "resnet50")[1:]
    for name, (model, data, batch, steps, optimizer) in sizes.items():
        for way in ("without", "with"):
            train = (f"{{epochs: 100000, max_steps: {steps}, global_batch_size: {batch}, precision: bf16, optimizer: {optimizer}"
                     f"{graphs_key(context, way == 'with')}}}")
            job = cluster.run(context.job(f"graphs-{name}-{way}", model, data, train))
            numbers[f"{name}_samples_per_s_{way}"] = round(samples_per_second(cluster, job, batch, steps), 1)
            if context.gpus:
                memory = max(value for _, value, _ in cluster.points(job, "gpu_peak_memory_bytes"))
                numbers[f"{name}_peak_memory_mib_{way}"] = round(memory / 2**20)
    return numbers


def speed(name, compiled):
    """Samples/s and peak GPU memory, in bf16, of a whole job (data, metrics and all) and of PyTorch on one batch in memory."""
    def check(context):
        arguments, model, data, batch, steps, optimizer = speed_job(context, name)
        train = f"{{epochs: 100000, max_steps: {steps}, global_batch_size: {batch}, precision: bf16, optimizer: {optimizer}}}"
        cluster = context.cluster()
        job = cluster.run(context.job(f"{name}-speed", model, data, train))
        ours = samples_per_second(cluster, job, batch, steps)
        theirs = peer(context, arguments, batch, steps, compiled)
        numbers = {"unit": "samples/s", "value": round(ours, 1), "peer": "torch.compile" if compiled else "eager PyTorch",
                   "peer_value": round(theirs["samples_per_second"], 1), "ratio": round(ours / theirs["samples_per_second"], 3),
                   "batch": batch, "torch": theirs["torch"]}
        if context.gpus:
            memory = max(value for _, value, _ in cluster.points(job, "gpu_peak_memory_bytes"))
            numbers.update(peak_memory_mib=round(memory / 2**20), peer_memory_mib=round(theirs["peak_memory"] / 2**20),
                           memory_ratio=round(memory / theirs["peak_memory"], 3))
            numbers.update(phases(cluster, job, "phase.data_ms", "phase.forward_ms", "phase.backward_ms", "phase.all_reduce_ms",
                                  "phase.optimizer_ms", "phase.step_ms", "model_flop_utilisation"))
        return numbers
    check.__doc__ = f"{name} against {'torch.compile' if compiled else 'eager PyTorch'}: " + speed.__doc__
    return check


def checkpoint_stall(context):
    """How much a step takes longer while a checkpoint is copied and written."""
    _, model, data, batch, _, optimizer = speed_job(context, "gpt2")
    every, steps = (4, 12) if context.dry else (30, 120)
    train = f"{{epochs: 100000, max_steps: {steps}, global_batch_size: {batch}, precision: bf16, optimizer: {optimizer}}}"
    cluster = context.cluster()
    job = cluster.run(context.job("stall", model, data, train, more=f"  checkpoint: {{every_steps: {every}}}\n"))
    at = dict((step, when) for step, _, when in cluster.points(job, "loss", steps))
    took = {step: (at[step] - at[step - 1]) * 1e3 for step in at if step - 1 in at}
    usual = statistics.median(took.values())
    # The copy is between the save's step and the next; the store is written meanwhile.
    saves = [step for step in range(every, steps, every)]
    copies = [took[step + 1] - usual for step in saves]
    after = [sum(took[s] - usual for s in range(step + 1, min(step + every, steps))) for step in saves]
    saved = cluster.json("checkpoints", job).get("checkpoints", [])
    if len(saved) < 1:
        raise Failed("no checkpoint was made")
    return {"step_ms": round(usual, 2), "copy_ms": [round(x, 2) for x in copies], "extra_ms_until_the_next": [round(x, 2) for x in after],
            "bytes": max(int(c.get("bytes", 0)) for c in saved), "checkpoints": len(saved)}
