"""spec.train's options with the real binaries: what they give, what is saved, what a resume refuses."""
import json

from cluster import wait_until
from test_train import path_of, points, read_safetensors

OPTIONS = """precision: bf16
micro_batch_size: 16
label_smoothing: 0.1
clip_norm: 5
ema: {decay: 0.9, warmup: true}
optimizer: {name: adamw, learning_rate: 2e-3, weight_decay: 0.1, decay: matrices}
schedule: {name: cosine, warmup_steps: 10, final_fraction: 0.1}"""


def test_mixed_precision_with_an_average_trains_resumes_and_exports_float32(cluster, tiny_data):
    file = cluster.job_file(tiny_data, name="first", epochs=2, train=OPTIONS)
    job = cluster.submit(file)
    assert cluster.cox("wait", job).returncode == 0
    done = cluster.job(job)
    assert done["progress"]["evalAccuracy"] > 0.9, done["progress"]
    model = path_of(done["modelUri"])
    tensors, _ = read_safetensors(model / "model.safetensors")
    assert {t["dtype"] for t in tensors.values()} == {"F32"}
    assert not [name for name in tensors if name.startswith("ema.")], "the model is the average itself"
    assert json.loads((model / "config.json").read_text())["model"]["dtype"] == "float32"

    for name in ("gradient_norm", "phase.checkpoint_ms", "peak_memory_bytes", "model_flops_per_second"):
        assert points(cluster, job, name), name
    # Each rank reports for itself: one's last points may come after the other's.
    wait_until(lambda: {p.get("rank", 0) for p in points(cluster, job, "peak_memory_bytes")} == {0, 1},
               "both ranks' memory is there")

    # It goes on with another number of ranks, and in float32; but not without the average.
    second = cluster.job_file(tiny_data, name="second", workers=1, epochs=3, train=OPTIONS)
    resumed = cluster.submit(second, "--resume-from", job, "--set", "spec.train.precision=float32")
    assert cluster.cox("wait", resumed).returncode == 0
    assert int(cluster.job(resumed)["progress"]["step"]) == 96
    plain = cluster.job_file(tiny_data, name="third", epochs=3)
    refused = cluster.cox("submit", plain, "--resume-from", job, check=False)
    assert refused.returncode == 106, refused.stderr
    for words in ("its tensor 'ema.", "has no place in this job", "whether there is a spec.train.ema"):
        assert words in refused.stderr, refused.stderr
