"""Memory that the kernel does not give: the rank that it ends for that, and the attempt after it."""
import os
import pathlib

import pytest

from cluster import wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")


@pytest.fixture
def memory_limit():
    """memory_limit(pid, size): the process, and what it starts from now on, get no more bytes than that."""
    made = []

    def limit(pid, size):
        unified = (CGROUPS / "cgroup.controllers").exists()
        group = (CGROUPS if unified else CGROUPS / "memory") / f"coxswain-test-{os.getpid()}"
        try:
            group.mkdir()
            made.append(group)
            (group / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(size))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            pytest.skip(f"no limit of memory can be set here: {error}")

    def removed(group):
        try:
            group.rmdir()
        except OSError:
            return False
        return True

    yield limit
    for group in made:
        wait_until(lambda: removed(group), f"nothing is left in {group}")


def test_a_rank_that_the_kernel_ends_goes_on_with_half_as_many_samples_at_a_time(memory_limit, cluster, tiny_data):
    file = cluster.job_file(tiny_data, workers=1, epochs=1, batch=2048, evaluate=False, extra_spec="retries: {max_attempts: 5}",
                            model="recipe: cnn\n    channels: [64]\n    hidden: [16]")
    memory_limit(cluster.workers["node-a"].pid, 1000 << 20)
    job = cluster.submit(file)
    assert cluster.cox("wait", job, check=False).returncode == 0, cluster.cox("describe", job).stdout
    attempts = cluster.job(job)["attempts"]
    killed = attempts[:-1]
    assert killed, "it was enough"
    for attempt in killed:
        assert attempt["kind"] == "FAILURE_KIND_OUT_OF_MEMORY" and attempt["exit"]["signal"] == 9, attempt
        assert "was killed: out of memory" in attempt["reason"], attempt
    log = cluster.cox("logs", job, "--rank", "0").stdout
    assert f"at most {2048 >> len(killed)} samples go through the model at a time" in log, log
    events = cluster.cox("events", "--job", job).stdout
    assert "with half as many samples at a time" in events, events
    assert "MicroBatchHalved" in events and f"puts at most {2048 >> len(killed):,} sample" in events, events
