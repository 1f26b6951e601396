"""Language models: from a text to a model's folder, and on from there; what is wrong with a text is said at the submission."""
import json
import struct

import pytest

from cluster import Cluster, kill
from test_run import Run
from test_train import path_of, points, read_safetensors

VERSES = "".join(f"{n} In the beginning was the word number {n * n % 97}, and the word was with {n % 13} others.\n"
                 for n in range(1500))

JOB = """apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: 2
  model: {model}
  data:
    format: text
    train: {{files: [{text}]}}
    evaluate: {{fraction: 0.05}}
    sequence_length: 32
    tokenizer: {tokenizer}
  train:
    epochs: 50
    max_steps: {steps}
    global_batch_size: 15
    optimizer: {{learning_rate: 3e-3}}
  checkpoint: {{every_steps: 20}}
"""
GPT = "{recipe: gpt, layers: 2, heads: 2, width: 32, dropout: 0.05}"
LLAMA = "{recipe: llama, layers: 2, heads: 4, kv_heads: 2, width: 32, tied: false}"
BPE = "{train: bpe, vocabulary: 320}"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "verses.txt"
    path.write_text(VERSES)
    return path


def job_file(cluster, text, name="words", model=GPT, tokenizer="bytes", steps=60):
    path = cluster.folder / f"{name}.yaml"
    path.write_text(JOB.format(name=name, model=model, text=text, tokenizer=tokenizer, steps=steps))
    return path


def test_cox_run_trains_a_gpt_on_bytes(bare_cluster, text):
    run = Run(bare_cluster, job_file(bare_cluster, text))
    code, out = run.end()
    assert code == 0 and "j1 COMPLETED" in out, out
    model = next(run.data_dir.rglob("model.safetensors")).parent
    config = json.loads((model / "config.json").read_text())
    assert config["model_type"] == "gpt2" and config["vocab_size"] == 257 and config["n_positions"] == 32
    assert config["eos_token_id"] == 256 and config["coxswain"]["input"]["sequence_length"] == 32
    tensors, _ = read_safetensors(model / "model.safetensors")
    assert tensors["transformer.h.0.attn.c_attn.weight"]["shape"] == [32, 96]
    assert json.loads((model / "tokenizer.json").read_text())["model"]["type"] == "BPE"
    run.gone()


def test_killed_rank_goes_on_and_a_second_job_begins_with_the_models_weights(cluster, text):
    first = cluster.submit(job_file(cluster, text, model=LLAMA, tokenizer=BPE, steps=150))
    cluster.wait_step(first, 25)
    kill(cluster.rank_pids()[0])
    cluster.cox("wait", first)
    done = cluster.job(first)
    assert done["state"] == "COMPLETED", done
    perplexity = points(cluster, first, "eval.perplexity")
    assert perplexity and perplexity[-1]["value"] < 100
    folder = path_of(done["modelUri"])

    file = job_file(cluster, text, name="more", model=f"{{recipe: llama, from: {folder}}}",
                    tokenizer=f"{{file: {folder}/tokenizer.json}}", steps=3)
    second = cluster.submit(file)
    cluster.cox("wait", second)
    before = {int(p["step"]): p["value"] for p in points(cluster, first, "loss")}
    after = {int(p["step"]): p["value"] for p in points(cluster, second, "loss")}
    assert before[1] > 5 and after[1] < before[1] - 1.5, (before[1], after[1])
    assert (path_of(cluster.job(second)["modelUri"]) / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_what_is_wrong_is_said_at_the_submission_with_its_line(cluster, text, tmp_path):
    file = job_file(cluster, text)

    def refused(*changes):
        flags = [word for change in changes for word in ("--set", change)]
        done = cluster.cox("submit", file, *flags, check=False)
        assert done.returncode == 106, (done.stdout, done.stderr)
        return done.stderr
    missing = refused("spec.data.train.files=[/no/such.txt]")
    assert "--set spec.data.train.files" in missing and "/no/such.txt" in missing, missing
    (tmp_path / "broken.json").write_text('{"model": {"type": "WordPiece"}}')
    broken = refused(f"spec.data.tokenizer={{file: {tmp_path}/broken.json}}")
    assert 'broken.json: found a model of type "WordPiece", expected "BPE"' in broken, broken
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    file = job_file(cluster, text, name="other", model=f"{{recipe: gpt, from: {tmp_path}}}")
    assert 'model_type: found "bert", expected "gpt2"' in refused()
    file = job_file(cluster, text, name="large", model="{recipe: gpt, layers: 2000, heads: 2, width: 65536}")
    assert "spec.model.width: each rank needs at least" in refused()


def test_tokens_and_models_on_s3(tmp_path, ceph_gateway):
    bucket = ceph_gateway.make_bucket("tokens")
    for name, first in (("train/a.bin", 0), ("train/b.bin", 5), ("test.bin", 3)):
        tokens = [(first + i * i // 7) % 50 for i in range(20_000)]
        ceph_gateway.put(f"{bucket}/{name}", struct.pack("<20000H", *tokens))
    with Cluster(tmp_path) as cluster:
        cluster.start_coordinator()
        cluster.start_worker("node-a", env=ceph_gateway.environment())
        cluster.wait_nodes(1)

        def job(name, model, tokens="train/"):
            path = cluster.folder / f"{name}.yaml"
            path.write_text(f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: 2
  model: {model}
  data:
    format: tokens
    train: {{files: ["{bucket}/{tokens}"]}}
    evaluate: {{files: ["{bucket}/test.bin"]}}
    sequence_length: 64
    vocabulary: 50
    buffer: 1MiB
  train: {{global_batch_size: 25, optimizer: {{learning_rate: 3e-3}}}}
  checkpoint: {{store: "{bucket}/store"}}
""")
            return path
        first = cluster.submit(job("first", GPT))
        assert cluster.cox("wait", first).returncode == 0, cluster.cox("describe", first).stdout
        folder = cluster.job(first)["modelUri"]
        assert folder.startswith("s3://")
        second = cluster.submit(job("second", f'{{recipe: gpt, from: "{folder}"}}'))
        assert cluster.cox("wait", second).returncode == 0, cluster.cox("describe", second).stdout
        losses = {j: {int(p["step"]): p["value"] for p in points(cluster, j, "loss")} for j in (first, second)}
        assert losses[second][1] < losses[first][1] - 0.2, losses
        done = cluster.cox("submit", job("third", GPT, tokens="nothing/"), check=False)
        assert done.returncode == 106 and "nothing/: no such file" in done.stderr, done
