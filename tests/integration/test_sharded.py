"""Jobs whose optimizer is split over the ranks: the model is the same, and a lost rank costs what a checkpoint lacks."""
from cluster import kill, wait_until
from test_train import losses, path_of, points, read_safetensors

STEPS = 96
TRAIN = "precision: float64\noptimizer: {{name: adamw, learning_rate: 1e-3{}}}\nclip_norm: 1.0"


def job_file(cluster, data, name, sharded=True, workers=2, every=10):
    return cluster.job_file(data, name=name, workers=workers, epochs=3, evaluate=False,
                            checkpoint=f"every_steps: {every}", train=TRAIN.format(", sharded: true" if sharded else ""))


def model_bytes(done):
    return (path_of(done["modelUri"]) / "model.safetensors").read_bytes()


def train(cluster, file, *flags):
    job = cluster.submit(file, *flags)
    assert cluster.cox("wait", job).returncode == 0
    return cluster.job(job), losses(cluster, job, STEPS)


def optimizer_bytes(shard):
    tensors, _ = read_safetensors(shard)
    return sum(t["data_offsets"][1] - t["data_offsets"][0] for name, t in tensors.items() if name.startswith("optimizer."))


def test_same_model_and_each_rank_saves_what_it_keeps(cluster, tiny_data):
    whole, expected = train(cluster, job_file(cluster, tiny_data, "whole", sharded=False))
    sharded, seen = train(cluster, job_file(cluster, tiny_data, "sharded"))
    assert seen == expected
    assert model_bytes(sharded) == model_bytes(whole)
    folder = path_of(cluster.json("checkpoints", sharded["id"])["checkpoints"][0]["uri"])
    first, second = (optimizer_bytes(folder / f"rank-0000{rank}.safetensors") for rank in (0, 1))
    parameters = 784 * 64 + 64 + 64 * 10 + 10
    assert first + second == 2 * 8 * parameters and abs(first - second) <= 4 * 64, (first, second)

    # Any other number of workers goes on with it, and so does a job without the setting.
    begun = cluster.json("checkpoints", sharded["id"])["checkpoints"][1]  # the newest but the last: it is kept
    assert int(begun["step"]) < STEPS
    for workers, on in ((3, True), (1, False)):
        file = job_file(cluster, tiny_data, f"on-{workers}", sharded=on, workers=workers)
        job = cluster.submit(file, "--resume-from", begun["uri"])
        done = cluster.wait_state(job, "COMPLETED", "FAILED", "NODE_FAIL")
        assert done["state"] == "COMPLETED", done["reason"]
        assert int(done["attempts"][0]["resumedPosition"]) == int(begun["step"]) * 64
        cluster.wait_point(job, STEPS)
        for point in points(cluster, job, "loss"):
            expected_loss = expected[int(point["step"]) - 1]
            assert abs(point["value"] - expected_loss) <= 1e-9 * expected_loss, (workers, point)


def test_rank_killed_the_job_goes_back_to_its_checkpoint_and_says_so(cluster, tiny_data):
    whole, expected = train(cluster, job_file(cluster, tiny_data, "calm"))
    file = job_file(cluster, tiny_data, "killed")
    text = file.read_text().replace("epochs: 3", "epochs: 50")
    file.write_text(text)
    job = cluster.submit(file)
    wait_until(lambda: cluster.job(job).get("lastCheckpoint"), "a checkpoint is committed", pause=0.02)
    cluster.wait_step(job, 60)
    kill(cluster.rank_pids()[-1])
    wait_until(lambda: cluster.job(job)["attempt"] == 2 and cluster.job(job)["state"] == "RUNNING",
               "the second attempt runs", pause=0.05)
    again = cluster.job(job)["attempts"]
    position = int(again[1]["resumedPosition"])
    assert again[1]["resumedFrom"].startswith("c") and position > 0 and position % 64 == 0, again
    cluster.wait_step(job, STEPS + 1)
    cluster.cox("cancel", job, "--save")
    done = cluster.wait_state(job, "CANCELLED")
    assert done["attempt"] == 2, done["reason"]
    # The losses are those of a job that nothing happened to: each sample counted once.
    seen = losses(cluster, job, STEPS)
    assert seen[:STEPS] == expected
    last = done["lastCheckpoint"]
    assert int(last["position"]) == int(last["step"]) * 64
    said = cluster.cox("events", "--job", job).stdout
    assert f"from {again[1]['resumedFrom']}, step {position // 64}" in said, said
