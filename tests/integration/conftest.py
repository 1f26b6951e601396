"""The real binaries on loopback: a coordinator, workers, and the cox command, each in a folder of the test's own."""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ceph_gateway import ceph_gateway  # noqa: E402, F401 (a fixture, one gateway for all tests)
from cluster import Cluster, make_idx_dataset  # noqa: E402


@pytest.fixture
def cluster(tmp_path):
    """One coordinator and one worker with four CPU slots, stopped (by pid) at the end."""
    with Cluster(tmp_path) as c:
        c.start_coordinator()
        c.start_worker("node-a")
        c.wait_nodes(1)
        yield c


@pytest.fixture
def bare_cluster(tmp_path):
    """Nothing started yet."""
    with Cluster(tmp_path) as c:
        yield c


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """A learnable set of 2,048 + 256 images of 28 x 28 in IDX files: job files name it by {data}."""
    return make_idx_dataset(tmp_path_factory.mktemp("tiny-data"), train=2048, test=256)


@pytest.fixture
def mount_tmpfs(tmp_path):
    """mount_tmpfs("small", "size=3m"): a new folder with a file system of its own, until the test ends."""
    mounted = []

    def mount(name, options):
        if os.geteuid() != 0:
            pytest.skip("needs root, to mount a file system")
        folder = tmp_path / name
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True).returncode:
            pytest.skip("this sandbox refuses mount(2)")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """On failure, print the end of every daemon's log."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in item.funcargs.values():
            if isinstance(value, Cluster):
                report.sections.append(("daemon logs", value.logs()))
