"""What a user does wrong, or the machine: each ends in one clear line that says what to do."""
import gzip
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

import pytest

from cluster import BIN, Cluster, Daemon, fill, free_port, wait_until, write_idx

NOBODY = 65534


BUSY, CONFIG = 75, 78  # docs/architecture.md


def ends_with_line(daemon, *words, code=None, timeout=20):
    """The daemon exits by itself, with `code` or not zero, and its last line holds every word."""
    wait_until(lambda: not daemon.alive(), "the daemon gives up", timeout)
    assert daemon.process.returncode == code if code else daemon.process.returncode != 0, daemon.text()[-500:]
    lines = [line for line in daemon.text().splitlines() if line.strip()]
    assert lines, "it said nothing"
    for word in words:
        assert word in lines[-1], lines[-1]
    return lines[-1]


def coordinator(folder, data_dir, *flags, preexec=None):
    return Daemon("coordinator", [BIN / "cox-coordinator", "--data-dir", data_dir, "--listen", "127.0.0.1:0",
                                  "--worker-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", *flags],
                  folder / "extra.log", preexec=preexec)


@pytest.mark.parametrize("door, flag", [("api", "--listen"), ("worker", "--worker-listen"), ("http", "--http-listen")])
def test_port_in_use(cluster, tmp_path, door, flag):
    taken = cluster.endpoint()[door]
    flags = {"--listen": "127.0.0.1:0", "--worker-listen": "127.0.0.1:0", "--http-listen": "127.0.0.1:0", flag: taken}
    other = Daemon("coordinator", [BIN / "cox-coordinator", "--data-dir", tmp_path / "other",
                                   *[word for pair in flags.items() for word in pair]], tmp_path / "extra.log")
    line = ends_with_line(other, taken, "in use", code=BUSY)
    assert flag in line or flag[2:].replace("-", "_") + ":" in line, "it names the setting: " + line


def test_two_coordinators_on_one_data_directory(cluster, tmp_path):
    ends_with_line(coordinator(tmp_path, cluster.coordinator_dir), str(cluster.coordinator_dir), str(cluster.coordinator.pid),
                   code=BUSY)


def test_two_workers_on_one_data_directory(cluster, tmp_path):
    end = cluster.endpoint()
    second = Daemon("second", [BIN / "cox-worker", "--data-dir", cluster.worker_dir("node-a"), "--coordinator", end["worker"],
                               "--token-file", end["token_file"]], tmp_path / "second.log")
    ends_with_line(second, str(cluster.worker_dir("node-a")), f"pid {cluster.workers['node-a'].pid}", code=BUSY)


def as_nobody():
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_read_only_data_directory(tmp_path):
    for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
        os.chmod(folder, 0o755)
    data = tmp_path / "locked"
    data.mkdir(mode=0o555)
    ends_with_line(coordinator(tmp_path, data, preexec=as_nobody), str(data), code=CONFIG)


def test_full_disk_refuses_and_recovers(mount_tmpfs, tmp_path, tiny_data):
    small_disk = mount_tmpfs("small", "size=3m")
    with Cluster(tmp_path) as cluster:
        cluster.coordinator_dir = small_disk / "data"
        cluster.start_coordinator()
        job_file = cluster.job_file(tiny_data)
        first = cluster.submit(job_file)
        filler = fill(small_disk)
        refused = None
        for _ in range(200):
            done = cluster.cox("submit", job_file, "--timeout", "3s", check=False, timeout=30)
            if done.returncode != 0:
                refused = done
                break
        assert refused is not None, "a full disk must refuse a submission"
        assert any(w in refused.stderr for w in ("full", "space", "disk")), refused.stderr
        assert cluster.job(first)["state"] == "PENDING", "reads go on"
        filler.unlink()
        wait_until(lambda: cluster.cox("submit", job_file, "--timeout", "5s", check=False).returncode == 0,
                   "it accepts again once there is space", timeout=60, pause=0.5)
        assert cluster.job(first)["state"] == "PENDING"


def test_full_checkpoint_store_is_in_the_history_from_its_begin_to_its_end(cluster, mount_tmpfs, tiny_data):
    store = mount_tmpfs("store", "size=3m")
    job = cluster.submit(cluster.job_file(tiny_data, workers=1, epochs=100000, evaluate=False,
                                          checkpoint=f"store: file://{store}\nevery_steps: 200\nkeep: 1"))
    wait_until(lambda: cluster.json("checkpoints", job).get("checkpoints"), "one is stored")

    def told(kind):
        return [e["text"] for e in cluster.json("events", "--job", job).get("events", []) if e["kind"] == kind]

    # Also what the collection of older ones frees meanwhile.
    (begun,) = wait_until(lambda: fill(store) and told("StoreUnavailable"), "the history tells that it is full")
    assert f"waits: checkpoint store file://{store} full since " in begun and "training goes on" in begun, begun
    assert begun.count(str(store)) == 1, begun
    (standing,) = cluster.job(job)["conditions"]
    assert cluster.http(f"/jobs/{job}").count("full since") == 1 + begun.count("full since"), "once, and once in the history"
    assert standing.startswith(f"checkpoint store file://{store} full since "), standing
    (store / "filler").unlink()
    (over,) = wait_until(lambda: told("StoreAvailable"), "the history tells that it is over")
    assert over.startswith(f"checkpoint store file://{store} can be used again: it was full for "), over
    cluster.cox("cancel", job)


@pytest.mark.parametrize("file, left", [("state.db", 0.5), ("metrics.db", 0.5), ("state.db", 0), ("token", 0)])
def test_coordinators_own_files_cut_short(tmp_path, file, left):
    """Neither a start on half of the state, nor one on nothing that forgets every job."""
    with Cluster(tmp_path) as cluster:
        cluster.start_coordinator()
        cluster.coordinator.stop()
        cut = cluster.coordinator_dir / file
        os.truncate(cut, int(cut.stat().st_size * left))
        before = cluster.coordinator.text()
        again = cluster.start_coordinator(wait=False)
        line = ends_with_line(again, str(cut))
        assert any(words in line for words in ("restore it from a backup", "expected one word")), line
        assert len(again.text()[len(before):].strip().splitlines()) == 1, again.text()


def test_workers_identity_cut_short(cluster):
    worker = cluster.workers["node-a"]
    worker.stop()
    identity = cluster.worker_dir("node-a") / "identity"
    os.truncate(identity, identity.stat().st_size // 2)
    again = cluster.start_worker("node-a")
    ends_with_line(again, str(identity), "damaged", "remove it")
    assert again.process.returncode == 78


def test_wrong_token(cluster):
    done = cluster.cox("jobs", check=False, env={"COX_TOKEN": "0" * 64})
    assert done.returncode == 1 and "token" in done.stderr and len(done.stderr.strip().splitlines()) <= 2
    end = cluster.endpoint()
    bad = cluster.folder / "bad-token"
    bad.write_text("f" * 64)
    worker = Daemon("stranger", [BIN / "cox-worker", "--data-dir", cluster.folder / "stranger", "--coordinator",
                                 end["worker"], "--token-file", bad, "--name", "stranger"], cluster.folder / "stranger.log")
    try:
        wait_until(lambda: "token" in worker.text(), "the worker says that its token is wrong", 20)
    finally:
        worker.stop()
    assert [n["name"] for n in cluster.json("nodes")["nodes"]] == ["node-a"]


@pytest.mark.parametrize("token", ["abc\r", "\u00fc", "two words", "a" * 2000])
def test_token_that_grpc_would_not_take(cluster, token):
    """gRPC aborts the process over such a token: it must never get that far."""
    done = cluster.cox("jobs", check=False, env={"COX_TOKEN": token})
    assert done.returncode == 1 and done.stderr.startswith("cox: the token in COX_TOKEN "), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and token not in done.stderr, done.stderr
    worker = Daemon("odd", [BIN / "cox-worker", "--data-dir", cluster.folder / "odd", "--coordinator",
                            cluster.endpoint()["worker"], "--name", "odd"], cluster.folder / "odd.log", env={"COX_TOKEN": token})
    ends_with_line(worker, "the token in COX_TOKEN ")
    assert worker.process.returncode == 78


def test_token_file_of_random_bytes(cluster):
    file = cluster.folder / "random-token"
    file.write_bytes(bytes([7, 200, 13, 65, 10]))
    done = cluster.cox("jobs", "--token-file", file, check=False)
    assert done.returncode == 1 and str(file) in done.stderr and "control character" in done.stderr, done.stderr


def test_worker_of_another_cluster(cluster, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("other")) as other:
        other.start_coordinator()
        other.start_worker("lost")
        other.wait_nodes(1)
        other.workers["lost"].stop()
        end = cluster.endpoint()
        moved = Daemon("lost", [BIN / "cox-worker", "--data-dir", other.worker_dir("lost"), "--coordinator", end["worker"],
                                "--token-file", end["token_file"], "--name", "lost"], cluster.folder / "worker-lost.log")
        line = ends_with_line(moved, "cluster")
        assert moved.process.returncode == 78, line


def test_cloned_worker_is_refused(cluster):
    copy = cluster.folder / "worker-copy"
    shutil.copytree(cluster.worker_dir("node-a"), copy, symlinks=True,
                    ignore=lambda d, names: [n for n in names if n.endswith(".sock") or n in ("lock", "jobs")])
    end = cluster.endpoint()
    clone = Daemon("clone", [BIN / "cox-worker", "--data-dir", copy, "--coordinator", end["worker"], "--token-file",
                             end["token_file"], "--name", "clone"], cluster.folder / "clone.log")
    try:
        ends_with_line(clone, "connected already", "'identity'")
        assert clone.process.returncode == 78, "a restart would not help"
    finally:
        clone.stop()
    assert [n["state"] for n in cluster.json("nodes")["nodes"]] == ["READY"]


def submit_refused(cluster, file, *args):
    done = cluster.cox("submit", file, *args, check=False)
    assert done.returncode == 106, (done.returncode, done.stdout, done.stderr)
    return done.stderr


def test_data_cut_short(cluster, tiny_data, tmp_path):
    data = tmp_path / "cut"
    shutil.copytree(tiny_data, data)
    raw = gzip.decompress((data / "train-images.idx.gz").read_bytes())
    (data / "train-images.idx.gz").write_bytes(gzip.compress(raw[:-1000], 1))
    message = submit_refused(cluster, cluster.job_file(data))
    assert "train-images.idx.gz: cut short" in message, message
    assert f"found {len(raw) - 1000} unpacked bytes, expected {len(raw)}" in message and "job.yaml:" in message, message
    assert len(message.strip().splitlines()) == 1, message
    whole = (tiny_data / "train-images.idx.gz").read_bytes()
    (data / "train-images.idx.gz").write_bytes(whole[:len(whole) // 2])
    assert "train-images.idx.gz" in submit_refused(cluster, cluster.job_file(data))


def test_data_without_its_middle_fails_the_job_by_name(cluster, tiny_data, tmp_path):
    """The check believes a gzip file's own word for its size; the trainer unpacks all of it."""
    data = tmp_path / "cut"
    shutil.copytree(tiny_data, data)
    whole = (data / "train-images.idx.gz").read_bytes()
    (data / "train-images.idx.gz").write_bytes(whole[:len(whole) // 2] + whole[-8:])
    job = cluster.submit(cluster.job_file(data))
    assert cluster.cox("wait", job, check=False).returncode == 100
    done = cluster.job(job)
    assert done["attempt"] == 1, "another try cannot help"
    for words in ("spec.data.train.images: ", "train-images.idx.gz", "damaged or cut short", "copy the file again"):
        assert words in done["reason"], done["reason"]


def test_data_missing_or_mismatched(cluster, tiny_data, tmp_path):
    data = tmp_path / "bad"
    shutil.copytree(tiny_data, data)
    (data / "test-labels.idx.gz").unlink()
    assert "test-labels.idx.gz" in submit_refused(cluster, cluster.job_file(data))
    write_idx(data / "test-labels.idx.gz", bytes(100), (100,))
    message = submit_refused(cluster, cluster.job_file(data))
    assert "100" in message and "256" in message, message


def test_a_model_that_no_machine_holds_is_refused(cluster, tiny_data):
    file = cluster.job_file(tiny_data)
    for flags in ([], ["--dry-run"]):
        message = submit_refused(cluster, file, "--set", "spec.model.hidden=[1000000,1000000]", *flags)
        assert message.startswith("cox: --set spec.model.hidden=[1000000,1000000]: spec.model.hidden: each rank needs"), message
        assert "14.56TiB" in message and "GiB; make the model smaller" in message, message
    message = submit_refused(cluster, file, "--set", "spec.resources.memory=100KiB")
    assert "spec.resources.memory: found 100KiB, but each rank needs at least" in message, message


def test_out_of_memory_is_the_jobs_own_end(cluster, tiny_data):
    """Less memory than the machine has: the trainers run into it, twice, and that is the end."""
    limit = 3 << 30
    resource.prlimit(cluster.workers["node-a"].pid, resource.RLIMIT_AS, (limit, limit))
    job = cluster.submit(cluster.job_file(tiny_data), "--set", "spec.model.hidden=[20000,20000]")
    assert cluster.cox("wait", job, check=False).returncode == 100
    done = cluster.job(job)
    assert (done["state"], done["cause"], done["attempt"]) == ("OUT_OF_MEMORY", "FAILURE_CAUSE_OUT_OF_MEMORY", 2), done["reason"]
    assert "twice in a row" in done["reason"] and "make spec.model" in done["reason"], done["reason"]
    assert done["exit"]["code"] == 12
    assert done["failureKind"] == "FAILURE_KIND_OUT_OF_MEMORY"
    assert [a["kind"] for a in done["attempts"]] == ["FAILURE_KIND_OUT_OF_MEMORY"] * 2, done["attempts"]


def test_data_that_is_gone_when_the_job_starts(cluster, tiny_data, tmp_path):
    """It was there at the submission: the rank finds out, and says that it is the data."""
    own = shutil.copytree(tiny_data, tmp_path / "own-data")
    first = cluster.submit(cluster.job_file(tiny_data, name="first", workers=4, epochs=1000))
    second = cluster.submit(cluster.job_file(own, name="second", workers=1))
    assert cluster.job(second)["state"] == "PENDING"
    (own / "train-labels.idx.gz").unlink()
    cluster.cox("cancel", first)
    assert cluster.cox("wait", second, check=False).returncode == 100
    done = cluster.job(second)
    assert (done["state"], done["failureKind"]) == ("FAILED", "FAILURE_KIND_DATA"), done["reason"]
    assert "train-labels.idx.gz" in done["reason"] and done["attempt"] == 1, done["reason"]
    assert done["attempts"][0]["kind"] == "FAILURE_KIND_DATA" and done["attempts"][0]["workers"] == 1
    assert "USER (DATA)" in cluster.cox("describe", second).stdout


def test_mistakes_in_the_job_file_are_all_named(cluster, tiny_data):
    file = cluster.job_file(tiny_data, train="optimiser: {name: adamw}\nseed: many")
    message = submit_refused(cluster, file)
    assert "did you mean 'optimizer'" in message and "job.yaml:" in message and "seed" in message, message
    done = cluster.cox("submit", file, "--set", "spec.queue=nowhere", check=False)
    assert done.returncode == 106 and "3 mistakes" in done.stderr, "the coordinator knows the queues"
    assert "--set spec.queue=nowhere: spec.queue: there is no queue nowhere" in done.stderr and "seed" in done.stderr, done
    assert cluster.json("jobs").get("jobs", []) == []


def test_a_warning_is_said_once(cluster, tiny_data):
    file = cluster.job_file(tiny_data, evaluate=False, train="evaluate_every_epochs: 1")
    for verb in (["submit", "--dry-run"], ["validate"]):
        said = cluster.cox(verb[0], file, *verb[1:]).stderr
        assert said.count("evaluate_every_epochs has no effect") == 1, (verb, said)


def test_store_that_cannot_be_written(cluster, tiny_data):
    message = submit_refused(cluster, cluster.job_file(tiny_data, checkpoint="store: file:///proc/nowhere"))
    assert "/proc/nowhere" in message, message


def test_unreachable_server_and_unknown_job(cluster, tmp_path):
    done = cluster.cox("jobs", "--server", "127.0.0.1:1", check=False)
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr
    assert cluster.cox("describe", "j999", check=False).returncode == 102
    assert cluster.cox("wait", "nothing-like-it", check=False).returncode == 102
    assert cluster.cox("frobnicate", check=False).returncode == 2


def test_worker_and_submit_wait_for_a_coordinator_started_with_them(tmp_path, tiny_data):
    """As in the five-minute tour: `cox-coordinator & cox-worker & cox submit job.yaml`, on a machine that has no token yet."""
    for n in range(5):
        folder = tmp_path / str(n)
        folder.mkdir()
        with Cluster(folder) as cluster:
            cluster.coordinator_dir = folder / "state" / "coxswain" / "coordinator"
            api, worker = (f"127.0.0.1:{free_port()}" for _ in range(2))
            env = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder), "NO_COLOR": "1", "COX_TOKEN": ""}
            submit = subprocess.Popen(
                [BIN / "cox", "submit", cluster.job_file(tiny_data), "--server", api, "--timeout", "60s"],
                env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            cluster.workers["here"] = Daemon("worker", [BIN / "cox-worker", "--coordinator", worker], folder / "worker.log", env)
            waits = "waiting for the coordinator's token in " + str(cluster.coordinator_dir / "token")
            if n == 0:  # the other rounds are the race itself
                wait_until(lambda: waits in cluster.workers["here"].text(), "the worker says what it waits for", 20)
            cluster.coordinator = Daemon("coordinator", [
                BIN / "cox-coordinator", "--listen", api, "--worker-listen", worker, "--http-listen", "127.0.0.1:0"],
                folder / "coordinator.log", env)
            out, err = submit.communicate(timeout=90)
            assert submit.returncode == 0 and out.strip() == "j1", (out, err)
            assert err.count("reconnecting") <= 1, err
            cluster.wait_nodes(1)
            assert cluster.workers["here"].text().count(waits) <= 1, cluster.workers["here"].text()


def test_worker_ends_on_a_token_it_cannot_use(tmp_path):
    """Waiting helps only where a coordinator on this machine will write the token."""
    env = {"XDG_STATE_HOME": str(tmp_path), "COX_TOKEN": ""}
    far = Daemon("worker", [BIN / "cox-worker", "--coordinator", "192.0.2.1:7071"], tmp_path / "far.log", env)
    ends_with_line(far, "no token", "--token-file", str(tmp_path))
    assert far.process.returncode == 78
    empty = tmp_path / "empty"
    empty.touch()
    near = Daemon("worker", [BIN / "cox-worker", "--token-file", empty], tmp_path / "near.log", env)
    ends_with_line(near, str(empty), "holds no token")
    waiting = Daemon("worker", [BIN / "cox-worker", "--token-file", tmp_path / "none"], tmp_path / "waiting.log", env)
    wait_until(lambda: "waiting for the coordinator's token" in waiting.text(), "it waits", 20)
    assert waiting.kill(15) == 0, "SIGTERM ends the wait"


def test_worker_below_a_read_only_file_system(mount_tmpfs, tmp_path):
    folder = mount_tmpfs("read-only", "ro")
    token = tmp_path / "token"
    token.write_text("0" * 64)
    worker = Daemon("worker", [BIN / "cox-worker", "--data-dir", folder / "worker", "--token-file", token],
                    tmp_path / "worker.log")
    ends_with_line(worker, str(folder / "worker"), "Read-only file system", "--data-dir", code=CONFIG)


def test_store_that_refuses_for_good(cluster, tiny_data):
    store = cluster.folder / "store"
    blocker = cluster.submit(cluster.job_file(tiny_data, name="blocker", workers=4, epochs=4000))
    job = cluster.submit(cluster.job_file(tiny_data, workers=1, epochs=1, checkpoint=f"store: file://{store}",
                                          extra_spec="retries:\n  max_attempts: 1"))
    wait_until(lambda: "not yet checked" not in cluster.job(job)["reason"], "the store was checked, and was good")
    store.rename(cluster.folder / "moved")
    store.write_text("a file where the folder stood")
    cluster.cox("cancel", blocker)
    done = cluster.wait_state(job, "FAILED")
    assert done["cause"] == "FAILURE_CAUSE_INFRASTRUCTURE" and done["failureKind"] == "FAILURE_KIND_STORE", done
    assert cluster.cox("wait", job, check=False).returncode == 104, "for CI it is no fault of the user's code"
    assert [a["kind"] for a in done["attempts"]] == ["FAILURE_KIND_STORE"], done["attempts"]
    for word in ("rank 0 on node-a: ", str(store), "a file stands where a folder should", "1 attempt of 1 failed"):
        assert word in done["reason"], done["reason"]
