"""The coordinator's recording of what entered its core, and `cox-sim replay`: with the real binaries."""
import subprocess

from cluster import BIN, wait_until
from test_kill import long_job


def replay(*paths):
    done = subprocess.run([BIN / "cox-sim", "replay", *paths], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def recordings(cluster):
    return sorted((cluster.coordinator_dir / "recording").glob("recording-*.rec"))


def test_what_a_killed_coordinator_decided_is_decided_again(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 30)
    cluster.coordinator.kill()
    cluster.start_coordinator()
    assert cluster.wait_state(job, "COMPLETED", "FAILED")["state"] == "COMPLETED"
    cluster.coordinator.stop()

    first, last = recordings(cluster)
    code, text = replay(first)
    if code == 2:  # the kill may have met it in the middle of a write
        assert "is cut off; the " in text and "turns before it agree" in text, text
    else:
        assert code == 0 and "its process had no time to close it): all agree" in text, text
    code, text = replay(last)
    assert code == 0 and "the coordinator stops): all agree" in text and "term 2" in text, text
    assert int(text.split(": ")[1].split(" turns")[0]) > 20, text


def test_what_a_running_coordinator_still_writes_is_replayed_as_far_as_it_is_complete(cluster, tiny_data):
    job = long_job(cluster, tiny_data)
    cluster.wait_step(job, 10)
    (live,) = recordings(cluster)
    for _ in range(5):
        code, text = replay(live.parent)
        assert code == 0 and "a running coordinator still writes it" in text and "all agree" in text, text
    cluster.wait_step(job, 30)  # the coordinator was not disturbed
    cluster.coordinator.stop()
    code, text = replay(live)
    assert code == 0 and "still writes" not in text, text


def test_help_tells_units_examples_and_exit_codes():
    for verb in ("explore", "replay"):
        done = subprocess.run([BIN / "cox-sim", verb, "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and f"usage: cox-sim {verb}" in done.stdout, done
        assert "Examples:" in done.stdout and "Exit codes: 0" in done.stdout, done.stdout
    wrong = subprocess.run([BIN / "cox-sim", "explore", "--seed", "1..2"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "unknown argument '--seed' (did you mean '--seeds'?)" in wrong.stderr, wrong.stderr


def test_files_that_cannot_be_replayed_say_why(cluster, tmp_path):
    cluster.coordinator.stop()
    (whole,) = recordings(cluster)
    data = whole.read_bytes()
    assert replay(whole.parent)[0] == 0

    copy = tmp_path / "copy.rec"
    copy.write_bytes(data[:-3])
    code, text = replay(copy)
    assert code == 2 and "is cut off; the " in text, text
    middle = len(data) - 10
    copy.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:])
    code, text = replay(copy)
    assert code == 2 and "is not what was written" in text, text
    copy.write_bytes(b"coxswain-recording 1 0.0.7 0000000000000000\n" + data.split(b"\n", 1)[1])
    code, text = replay(copy)
    assert code == 2 and "recorded by cox-coordinator 0.0.7" in text, text
    copy.write_bytes(b"something else")
    code, text = replay(copy)
    assert code == 2 and "not a recording" in text, text
    code, text = replay(tmp_path / "nowhere.rec")
    assert code == 2 and "cannot be read" in text, text


def test_no_room_for_the_recording_stops_nothing_else(bare_cluster, tiny_data, mount_tmpfs):
    small = mount_tmpfs("small", "size=8k")
    bare_cluster.coordinator_dir.mkdir()
    (bare_cluster.coordinator_dir / "recording").symlink_to(small)
    bare_cluster.start_coordinator()
    bare_cluster.start_worker("node-a")
    bare_cluster.wait_nodes(1)
    job = long_job(bare_cluster, tiny_data)
    said = "the recording for cox-sim replay has stopped: cannot write"
    wait_until(lambda: said in bare_cluster.coordinator.text(), "the coordinator says that it stopped recording")
    assert bare_cluster.wait_state(job, "COMPLETED", "FAILED")["state"] == "COMPLETED"
    code, text = replay(*recordings(bare_cluster))
    assert code == 0, text


def test_recording_can_be_switched_off(bare_cluster):
    bare_cluster.start_coordinator("--retention.recording.size", "0")
    assert not (bare_cluster.coordinator_dir / "recording").exists()
