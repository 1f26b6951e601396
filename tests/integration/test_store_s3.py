"""The S3 store and checkpoints against a real Ceph RADOS Gateway."""
import json
import os
import re
import subprocess
import threading
import time

import pytest

from cluster import BIN

STORE_TEST = BIN / "s3_store_test"
TRAINER = BIN / "cox-trainer"


@pytest.fixture(scope="module")
def bucket(ceph_gateway):
    return ceph_gateway.make_bucket("store-test")


@pytest.fixture
def environment(ceph_gateway, bucket):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return {**clean, **ceph_gateway.environment(), "COXSWAIN_TEST_STORE": f"{bucket}/pre/fix"}


def store_test(environment, *arguments):
    done = subprocess.run([STORE_TEST, "--gtest_brief=1", *arguments], env=environment, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def task(environment, *arguments):
    """cox-trainer --task by hand: its exit code and what it printed."""
    done = subprocess.run([TRAINER, "--task", *arguments], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def save_checkpoint(environment, uri):
    """Saves one of two shards, through the same code as a trainer's."""
    store_test({**environment, "COXSWAIN_TEST_SAVE": uri}, "--gtest_filter=S3Checkpoint.SavedWhereTold")
    return uri


def test_every_store_test_passes(environment):
    out = store_test(environment, "--gtest_filter=*StoreConformance*:S3Checkpoint.*:S3Errors.*")
    assert int(re.search(r"PASSED\s*\] (\d+) tests", out).group(1)) >= 17, out


def test_nothing_is_left_unfinished(environment, ceph_gateway, bucket):
    store_test(environment, "--gtest_filter=*Dropped*:*AbortUploads*")
    answer = ceph_gateway.request("GET", "/store-test", query="uploads=").decode()
    assert "<UploadId>" not in answer


def test_upload_outlives_a_stopped_gateway(environment, ceph_gateway):
    outage_s = float(os.environ.get("COXSWAIN_TEST_OUTAGE_S", "30"))
    upload = subprocess.Popen([STORE_TEST, "--gtest_filter=S3Outage.*"], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env={**environment, "COXSWAIN_TEST_OUTAGE": "1"})
    output = []
    reader = threading.Thread(target=lambda: output.extend(iter(upload.stdout.readline, "")))
    reader.start()
    try:
        while "ready\n" not in output:
            assert upload.poll() is None, output
            time.sleep(0.01)
        ceph_gateway.stop()
        try:
            upload.stdin.write("stopped\n")
            upload.stdin.flush()
            time.sleep(outage_s)
            assert upload.poll() is None, output
        finally:
            ceph_gateway.start()
        assert upload.wait(120) == 0, output
    finally:
        upload.kill()
        reader.join()
        upload.wait()
    text = "".join(output)
    assert re.search(r"waiting: checkpoint store s3://\S+ unreachable since \d\d:\d\d:\d\d: .*127\.0\.0\.1", text), text


def test_verify_names_the_corrupt_shard(environment, ceph_gateway, bucket):
    uri = save_checkpoint(environment, f"{bucket}/ckpt/c/j1/step-1")
    code, good = task(environment, "verify", "--uri", uri)
    assert code == 0 and good["result"]["shards"] == 2 and good["result"]["committed"], good
    ceph_gateway.flip_bit(f"{uri}/rank-00001.safetensors", 2000)
    code, bad = task(environment, "verify", "--uri", uri, "--manifest-hash", good["result"]["manifest_hash"])
    assert code == 10 and bad["user_error"]
    assert re.search(rf"{uri}/rank-00001.safetensors is corrupt: found hash [0-9a-f]{{16}}, expected", bad["error"]), bad
    ceph_gateway.put(f"{uri}/rank-00001.safetensors", b"short")
    assert "is truncated: found 5 bytes, expected" in task(environment, "verify", "--uri", uri)[1]["error"]


def test_collect_deletes_the_checkpoint_alone(environment, ceph_gateway, bucket):
    first = save_checkpoint(environment, f"{bucket}/ckpt/c/j2/step-1")
    second = save_checkpoint(environment, f"{bucket}/ckpt/c/j2/step-10")
    code, done = task(environment, "collect", "--prefix", f"{bucket}/ckpt", "--uri", first)
    assert code == 0 and done["result"]["deleted"] == 4, done
    assert b"j2/step-1/" not in ceph_gateway.request("GET", "/store-test")
    assert task(environment, "verify", "--uri", second)[0] == 0
    code, refused = task(environment, "collect", "--prefix", f"{bucket}/other", "--uri", second)
    assert code == 10 and "nothing was deleted" in refused["error"]


def test_wrong_credentials_and_nobody_there_are_told_apart(environment, bucket):
    code, wrong = task({**environment, "AWS_SECRET_ACCESS_KEY": "not-it"}, "verify", "--uri", f"{bucket}/x")
    assert code == 11 and re.search("ACCESS_DENIED|SIGNATURE|403", wrong["error"]), wrong
    none = {k: v for k, v in environment.items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    code, without = task({**none, "HOME": "/nonexistent"}, "verify", "--uri", f"{bucket}/x")
    assert code == 11 and "no AWS credentials" in without["error"], without
