"""The steps of docs/howto/fleet.md, as a test: two machines, here two network namespaces joined by a virtual cable."""
import json
import os
import pathlib
import re
import subprocess
import uuid

import pytest

from cluster import BIN, ROOT, Cluster, Daemon, wait_until

A, B = "10.77.0.1", "10.77.0.2"


def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)


class Network:
    """Two namespaces and the cable between them."""

    def __init__(self):
        tag = uuid.uuid4().hex[:6]
        self.a, self.b = f"cxa{tag}", f"cxb{tag}"
        self.cable_a, self.cable_b = f"va{tag}", f"vb{tag}"

    def __enter__(self):
        for ns in (self.a, self.b):
            ip("netns", "add", ns)
            ip("netns", "exec", ns, "ip", "link", "set", "lo", "up")
        ip("link", "add", self.cable_a, "netns", self.a, "type", "veth", "peer", "name", self.cable_b, "netns", self.b)
        for ns, cable, address in ((self.a, self.cable_a, A), (self.b, self.cable_b, B)):
            ip("netns", "exec", ns, "ip", "address", "add", f"{address}/24", "dev", cable)
            ip("netns", "exec", ns, "ip", "link", "set", cable, "up")
        return self

    def __exit__(self, *_):
        for ns in (self.a, self.b):
            ip("netns", "delete", ns, check=False)

    def bytes_over_the_cable(self):
        text = ip("netns", "exec", self.a, "cat", f"/sys/class/net/{self.cable_a}/statistics/tx_bytes", check=False).stdout
        if text.strip():
            return int(text)
        return int(re.search(r"(\d+)", ip("netns", "exec", self.a, "ip", "-s", "-o", "link", "show", self.cable_a)
                             .stdout.split("TX:")[1].split("\\")[1]).group(1))


@pytest.fixture
def network():
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    if ip("netns", "add", "cxprobe", check=False).returncode:
        pytest.skip("this sandbox refuses network namespaces")
    ip("netns", "delete", "cxprobe")
    with Network() as n:
        yield n


def in_namespace(ns, *command):
    return ["ip", "netns", "exec", ns, *command]


@pytest.fixture
def fleet(network, tmp_path):
    """Coordinator and worker a on machine A, worker b on machine B."""
    cluster = Cluster(tmp_path)
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "coordinator.yaml").write_text(
        f"listen: {A}:7070\nworker_listen: {A}:7071\nhttp_listen: {A}:7072\nallow_plaintext: true\n"
        f"default_store: file://{tmp_path}/store\n")
    for name, address in (("a", A), ("b", B)):
        (etc / f"worker-{name}.yaml").write_text(
            f"coordinator: {A}:7071\nname: machine-{name}\ncpu_slots: 1\nadvertise_address: {address}\n"
            f"token_file: {tmp_path}/token\n")
    try:
        cluster.coordinator = Daemon("coordinator", in_namespace(
            network.a, BIN / "cox-coordinator", "--config", etc / "coordinator.yaml", "--data-dir", cluster.coordinator_dir),
            tmp_path / "coordinator.log")
        wait_until(lambda: cluster.endpoint() or not cluster.coordinator.alive(), "the coordinator serves")
        assert cluster.coordinator.alive(), cluster.coordinator.text()
        (tmp_path / "token").write_text(cluster.token())  # as an administrator copies it
        for name, ns in (("a", network.a), ("b", network.b)):
            cluster.workers[name] = Daemon(f"worker-{name}", in_namespace(
                ns, BIN / "cox-worker", "--config", etc / f"worker-{name}.yaml", "--data-dir", tmp_path / f"worker-{name}"),
                tmp_path / f"worker-{name}.log")
        cluster.network = network
        yield cluster
    finally:
        cluster.close()


def cox(cluster, ns, *args, check=True):
    done = subprocess.run(in_namespace(ns, BIN / "cox", "--server", f"{A}:7070", *map(str, args)), capture_output=True,
                          text=True, timeout=180, env={**os.environ, "COX_TOKEN": cluster.token(), "NO_COLOR": "1"})
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_job_over_two_machines(fleet, tiny_data):
    b = fleet.network.b

    def both():
        done = cox(fleet, b, "nodes", "-o", "json", check=False)
        return done.returncode == 0 and sum(n["state"] == "READY" for n in json.loads(done.stdout).get("nodes", [])) == 2
    wait_until(both, "both machines are READY")
    before = fleet.network.bytes_over_the_cable()
    job = json.loads(cox(fleet, b, "submit", fleet.job_file(tiny_data, epochs=3), "-o", "json").stdout)["id"]
    assert cox(fleet, b, "wait", job, check=False).returncode == 0, cox(fleet, b, "describe", job).stdout
    done = json.loads(cox(fleet, b, "describe", job, "-o", "json").stdout)
    assert sorted(r["node"] for r in done["ranks"]) == ["machine-a", "machine-b"]
    assert done["progress"]["evalAccuracy"] > 0.95
    moved = fleet.network.bytes_over_the_cable() - before
    assert moved > 90 * 50_000 * 4, f"gradients must cross the cable, only {moved} bytes did"
    page = subprocess.run(in_namespace(b, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{A}:7072/"),
                          capture_output=True, text=True).stdout
    assert page == "401", "off loopback the page needs the token"
    assert "plaintext" in cox(fleet, b, "version").stdout + fleet.coordinator.text()


def test_another_address_needs_allow_plaintext(network, tmp_path):
    refused = Daemon("coordinator", in_namespace(network.a, BIN / "cox-coordinator", "--data-dir", tmp_path / "data", "--listen",
                                                 f"{A}:7070"), tmp_path / "coordinator.log")
    wait_until(lambda: not refused.alive(), "it refuses")
    assert "allow_plaintext" in refused.text() and refused.process.returncode != 0
