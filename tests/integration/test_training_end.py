"""How training ends: by its evaluations, by its time."""
import os
import pathlib
import re
import signal
import urllib.parse


def folder_of(uri):
    return pathlib.Path(urllib.parse.urlparse(uri).path)


def test_early_stopping_ends_the_job_well_and_says_why(cluster, tiny_data):
    """The weights do not move, so that no evaluation is better than the first, whatever is killed meanwhile."""
    file = cluster.job_file(tiny_data, epochs=4000, checkpoint="every_steps: 20", train="""
optimizer: {name: sgd, learning_rate: 1e-12}
evaluate_every_steps: 100
early_stopping: {metric: loss, patience: 4, min_delta: 0.001}""")
    job = cluster.submit(file)
    cluster.wait_step(job, 250)
    os.kill(cluster.rank_pids()[0], signal.SIGKILL)
    assert cluster.cox("wait", job).returncode == 0
    done = cluster.job(job)
    assert done["state"] == "COMPLETED" and int(done["progress"]["step"]) == 500, done
    assert done["reason"] == "early stopping at step 500 of 128,000", done["reason"]
    log = cluster.cox("logs", job, "--rank", "0").stdout
    assert re.search(r"early stopping: loss has not been better than \S+ \(step 100\) by more than 0.001 in 4 evaluations", log), log[-2000:]
    last = cluster.json("checkpoints", job)["checkpoints"][0]
    assert int(last["step"]) == 500, last
    assert folder_of(done["modelUri"]).joinpath("model.safetensors").exists()
    more = cluster.submit(file, "--set", "metadata.name=more", "--resume-from", job)
    assert cluster.cox("wait", more).returncode == 0
    assert cluster.job(more)["reason"] == "early stopping at step 900 of 128,000", "from its first evaluation on, of step 500"


def test_a_job_at_its_time_limit_has_saved_and_says_so(cluster, tiny_data):
    job = cluster.submit(cluster.job_file(tiny_data, epochs=4000, evaluate=False, extra_spec="time_limit: 3s"))
    assert cluster.cox("wait", job, check=False).returncode == 105
    done = cluster.job(job)
    assert done["state"] == "TIMEOUT" and done["cause"] == "FAILURE_CAUSE_TIME_LIMIT", done
    assert done["reason"].startswith("the time limit of 3 s has passed"), done["reason"]
    last = cluster.json("checkpoints", job)["checkpoints"][0]
    assert int(last["step"]) == int(done["progress"]["step"]) > 0, (last, done["progress"])
    more = cluster.submit(cluster.job_file(tiny_data, name="more", epochs=4000, evaluate=False), "--resume-from", job)
    cluster.wait_step(more, int(last["step"]) + 10)
    cluster.cox("cancel", more)
