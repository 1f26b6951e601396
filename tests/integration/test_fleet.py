"""The steps of docs/howto/fleet.md, as a test: two machines, here two network namespaces joined by a virtual cable."""
import json
import os
import re
import shutil
import subprocess
import uuid

import pytest

from cluster import BIN, ROOT, Cluster, Daemon, kill, wait_until

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


def with_a_disk_of_its_own(folder, *command):
    """The command, for which `folder` is another, empty disk: the namespace has its own mounts."""
    return ["sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', folder, *command]


@pytest.fixture
def fleet(network, tmp_path):
    with_daemons = Cluster(tmp_path)
    with_daemons.network = network
    yield with_daemons
    with_daemons.close()


def start(cluster, shared_store=True, own_disks=None, addresses=(A, B), lease="5s"):
    """Coordinator and worker a on machine A, worker b on machine B; then waits until both are READY.
    `own_disks`: a folder that is another, empty disk on each. `addresses`: where each says that its ranks are."""
    network, tmp_path = cluster.network, cluster.folder
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "coordinator.yaml").write_text(
        f"listen: {A}:7070\nworker_listen: {A}:7071\nhttp_listen: {A}:7072\nallow_plaintext: true\n"
        f"default_store: file://{tmp_path}/store\nlease: {lease}\n")
    for name, address in zip("ab", addresses):
        (etc / f"worker-{name}.yaml").write_text(
            f"coordinator: {A}:7071\nname: machine-{name}\ncpu_slots: 1\nadvertise_address: {address}\n"
            f"token_file: {tmp_path}/token\n")
    cluster.coordinator = Daemon("coordinator", in_namespace(
        network.a, BIN / "cox-coordinator", "--config", etc / "coordinator.yaml", "--data-dir", cluster.coordinator_dir),
        tmp_path / "coordinator.log")
    wait_until(lambda: cluster.endpoint() or not cluster.coordinator.alive(), "the coordinator serves")
    assert cluster.coordinator.alive(), cluster.coordinator.text()
    (tmp_path / "token").write_text(cluster.token())  # as an administrator copies it
    cluster.store.mkdir()
    for name, ns in (("a", network.a), ("b", network.b)):
        command = [BIN / "cox-worker", "--config", etc / f"worker-{name}.yaml", "--data-dir", tmp_path / f"worker-{name}"]
        if name == "b" and not shared_store:
            command = with_a_disk_of_its_own(cluster.store, *command)
        if own_disks:
            command = with_a_disk_of_its_own(own_disks, *command)
        cluster.workers[name] = Daemon(f"worker-{name}", in_namespace(ns, *command), tmp_path / f"worker-{name}.log")
    wait_for_two(cluster)


def wait_for_two(cluster):
    def both():
        done = cox(cluster, cluster.network.b, "nodes", "-o", "json", check=False)
        return done.returncode == 0 and sum(n["state"] == "READY" for n in json.loads(done.stdout).get("nodes", [])) == 2
    wait_until(both, "both machines are READY")


def cox(cluster, ns, *args, check=True):
    done = subprocess.run(in_namespace(ns, BIN / "cox", "--server", f"{A}:7070", *map(str, args)), capture_output=True,
                          text=True, timeout=180, env={**os.environ, "COX_TOKEN": cluster.token(), "NO_COLOR": "1"})
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_job_over_two_machines(fleet, tiny_data):
    """Its checkpoints go to a folder that both see: proven when it is submitted."""
    b = fleet.network.b
    start(fleet)
    before = fleet.network.bytes_over_the_cable()
    job = json.loads(cox(fleet, b, "submit", fleet.job_file(tiny_data, epochs=3), "-o", "json").stdout)["id"]
    assert cox(fleet, b, "wait", job, check=False).returncode == 0, cox(fleet, b, "describe", job).stdout
    done = json.loads(cox(fleet, b, "describe", job, "-o", "json").stdout)
    names = {n["id"]: n["name"] for n in json.loads(cox(fleet, b, "nodes", "-o", "json").stdout)["nodes"]}
    assert sorted(names.get(r["node"], r["node"]) for r in done["ranks"]) == ["machine-a", "machine-b"]
    found = json.loads(cox(fleet, b, "metrics", job, "--name", "eval.accuracy", "-o", "json").stdout)["points"]
    assert [p["step"] for p in found] and found[-1]["value"] > 0.95, found
    moved = fleet.network.bytes_over_the_cable() - before
    assert moved > 90 * 50_000 * 4, f"gradients must cross the cable, only {moved} bytes did"
    page = subprocess.run(in_namespace(b, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{A}:7072/"),
                          capture_output=True, text=True).stdout
    assert page == "401", "off loopback the page needs the token"
    assert "plaintext" in cox(fleet, b, "version").stdout and "plaintext" in fleet.coordinator.text()
    assert not list(fleet.store.glob("**/shared-*")), "the mark of the proof is taken away"


def test_a_rank_lost_on_one_machine_resumes_over_both(fleet, tiny_data):
    """The next attempt reads on both machines what rank 0 saved on one of them."""
    start(fleet)
    b = fleet.network.b
    file = fleet.job_file(tiny_data, epochs=200, evaluate=False, checkpoint="every_steps: 50")
    job = json.loads(cox(fleet, b, "submit", file, "-o", "json").stdout)["id"]

    def described():
        return json.loads(cox(fleet, b, "describe", job, "-o", "json").stdout)

    def saved():
        done = cox(fleet, b, "checkpoints", job, "-o", "json", check=False)
        return done.returncode == 0 and "VERIFIED" in done.stdout
    wait_until(saved, "a checkpoint is there", pause=0.2)
    names = {n["id"]: n["name"] for n in json.loads(cox(fleet, b, "nodes", "-o", "json").stdout)["nodes"]}
    of_b = [int(r["pid"]) for r in described()["ranks"] if names.get(r["node"], r["node"]) == "machine-b"]
    assert len(of_b) == 1, described()["ranks"]
    kill(of_b[0])
    resumed = wait_until(lambda: (d := described())["attempt"] == 2 and d["state"] == "RUNNING" and d, "it resumes", pause=0.2)
    assert sorted(names.get(r["node"], r["node"]) for r in resumed["ranks"]) == ["machine-a", "machine-b"]
    assert re.search(r"from c\d+, step [1-9][\d,]+", resumed["reason"]), resumed["reason"]
    cox(fleet, b, "cancel", job)
    assert cox(fleet, b, "wait", job, check=False).returncode == 103


def test_a_store_on_one_machine_is_refused_for_two(fleet, tiny_data):
    start(fleet, shared_store=False)
    done = cox(fleet, fleet.network.b, "submit", fleet.job_file(tiny_data), check=False)
    assert done.returncode == 106, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for words in (f"file://{fleet.store}", "not the same place on all machines", "machine-a", "machine-b", "use s3://"):
        assert words in done.stderr, done.stderr
    wait_until(lambda: not list(fleet.store.glob("**/shared-*")), "the mark of the proof is taken away", 20)


def test_data_missing_on_one_machine_is_named(fleet, tiny_data):
    """The check sees one machine; the rank on the other says in one line what is missing, where, and what to do."""
    b, disk = fleet.network.b, fleet.folder / "disk"
    disk.mkdir()
    start(fleet, own_disks=disk)
    nodes = json.loads(cox(fleet, b, "nodes", "-o", "json").stdout)["nodes"]
    checked, other = [n["name"] for n in sorted(nodes, key=lambda n: n["id"])]  # checks go to the first that is idle

    def fill(machine):
        pid = fleet.workers[machine.removeprefix("machine-")].pid
        shutil.copytree(tiny_data, f"/proc/{pid}/root{disk}/data")
    file = fleet.job_file(disk / "data", epochs=1)
    refused = cox(fleet, b, "submit", file, check=False)
    assert refused.returncode == 106 and len(refused.stderr.strip().splitlines()) == 1, refused.stdout + refused.stderr
    for words in ("spec.data.train.images", f"{disk}/data/train-images.idx.gz", f"(on {checked})"):
        assert words in refused.stderr, refused.stderr
    fill(checked)
    job = json.loads(cox(fleet, b, "submit", file, "-o", "json").stdout)["id"]
    assert cox(fleet, b, "wait", job, check=False).returncode == 100, cox(fleet, b, "describe", job).stdout
    done = json.loads(cox(fleet, b, "describe", job, "-o", "json").stdout)
    assert (done["state"], done["attempt"]) == ("FAILED", 1) and done["cause"].endswith("USER"), done
    for words in (f" on {other}: spec.data.train.images: ", f"{disk}/data/train-images.idx.gz", "every machine", "s3://"):
        assert words in done["reason"], done["reason"]
    fill(other)
    job = json.loads(cox(fleet, b, "submit", file, "-o", "json").stdout)["id"]
    assert cox(fleet, b, "wait", job, check=False).returncode == 0, cox(fleet, b, "describe", job).stdout


def test_another_address_needs_allow_plaintext(network, tmp_path):
    refused = Daemon("coordinator", in_namespace(network.a, BIN / "cox-coordinator", "--data-dir", tmp_path / "data", "--listen",
                                                 f"{A}:7070"), tmp_path / "coordinator.log")
    wait_until(lambda: not refused.alive(), "it refuses")
    assert "allow_plaintext" in refused.text() and refused.process.returncode != 0


def install(root, *args):
    return subprocess.run([ROOT / "deploy/systemd/install", *map(str, args), "--root", root], capture_output=True, text=True)


def put_programs(root):
    """What `install build` leaves."""
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/lib/coxswain").mkdir(parents=True)
    for program in ("cox", "cox-coordinator", "cox-worker", "cox-shim", "cox-trainer"):
        (root / "usr/local/bin" / program).symlink_to(BIN / program)


def start_unit(root, unit, ns, log):
    """What systemd would run, below `root`."""
    text = (root / f"etc/systemd/system/{unit}.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1).split()
    state = root / "var/lib" / re.search(r"^StateDirectory=(.*)$", text, re.M).group(1)
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    return Daemon(unit, in_namespace(ns, *[f"{root}{word}" if word.startswith("/") else word for word in command]), log)


def test_installed_and_removed_as_the_howto_says(fleet, tmp_path):
    """deploy/systemd/install on two machines, each below a folder; the daemons run as their units say."""
    root = {"a": tmp_path / "root-a", "b": tmp_path / "root-b"}
    missing = install(root["a"], "coordinator", "--address", A)
    assert missing.returncode == 1 and "install build first" in missing.stderr, missing.stderr
    for r in root.values():
        put_programs(r)
    done = install(root["a"], "coordinator", "--address", A, "--store", "s3://bucket/coxswain")
    assert done.returncode == 0, done.stderr
    etc = root["a"] / "etc/coxswain"
    assert (etc / "coordinator.yaml").stat().st_mode & 0o777 == 0o640
    fleet.coordinator = start_unit(root["a"], "coxswain-coordinator", fleet.network.a, tmp_path / "coordinator.log")
    fleet.coordinator_dir = root["a"] / "var/lib/coxswain/coordinator"
    wait_until(lambda: fleet.endpoint() or not fleet.coordinator.alive(), "the coordinator serves")
    assert fleet.coordinator.alive(), fleet.coordinator.text()
    assert str(fleet.coordinator_dir / "token") in done.stdout, "it says where the token is"

    incomplete = install(root["b"], "worker", "--coordinator", f"{A}:7071", "--address", B)
    assert incomplete.returncode == 2 and "--token-file" in incomplete.stderr, incomplete.stderr
    for name, address in (("a", A), ("b", B)):
        token = root[name] / "etc/coxswain/token"
        token.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(fleet.coordinator_dir / "token", token)
        done = install(root[name], "worker", "--coordinator", f"{A}:7071", "--token-file", token, "--address", address,
                       "--name", f"machine-{name}")
        assert done.returncode == 0, done.stderr
        ns = getattr(fleet.network, name)
        fleet.workers[name] = start_unit(root[name], "coxswain-worker", ns, tmp_path / f"worker-{name}.log")
    wait_for_two(fleet)
    nodes = json.loads(cox(fleet, fleet.network.b, "nodes", "-o", "json").stdout)["nodes"]
    assert sorted(n["name"] for n in nodes) == ["machine-a", "machine-b"]

    settings = (etc / "coordinator.yaml").read_text()
    again = install(root["a"], "coordinator", "--address", "10.0.0.99")
    assert again.returncode == 0 and f"kept {etc}/coordinator.yaml" in again.stdout, again.stdout
    assert (etc / "coordinator.yaml").read_text() == settings, "existing settings are never overwritten"

    for daemon in (*fleet.workers.values(), fleet.coordinator):
        daemon.stop()
        assert daemon.process.returncode == 0, daemon.text()
    done = install(root["a"], "remove")
    assert done.returncode == 0 and "removed the unit coxswain-coordinator" in done.stdout, done.stdout + done.stderr
    assert not list(root["a"].glob("usr/local/bin/*")) and not list(root["a"].glob("etc/systemd/system/*"))
    assert (etc / "coordinator.yaml").exists() and fleet.token(), "settings and data stay"
    for r in root.values():
        assert install(r, "remove", "--purge").returncode == 0
        left = [str(p) for p in r.rglob("*") if not p.is_dir()]
        assert left == [], "remove --purge leaves nothing"
    assert install(root["a"], "remove", "--purge").returncode == 0, "twice does no harm"


def test_install_below_a_root_reads_nothing_outside_of_it(tmp_path):
    """--root before or after the command; a path of another option is one within the root."""
    root = tmp_path / "root"
    put_programs(root)
    outside = tmp_path / "token"
    outside.write_text("secret")
    command = [ROOT / "deploy/systemd/install"]
    worker = ["worker", "--coordinator", "10.0.0.1:7071", "--address", "10.0.0.2", "--token-file"]

    def run(*args):
        return subprocess.run(list(map(str, [*command, *args])), capture_output=True, text=True)
    refused = run("--root", root, *worker, outside)
    assert refused.returncode == 1 and f"cannot read {root}{outside}" in refused.stderr, refused.stderr
    (root / "etc/coxswain").mkdir(parents=True)
    (root / "etc/coxswain/token").write_text("inside")
    for args in (("--root", root, *worker, "/etc/coxswain/token"), (*worker, "/etc/coxswain/token", "--root", root)):
        done = run(*args)
        assert done.returncode == 0, done.stderr
        settings = root / "etc/coxswain/worker.yaml"
        assert "token_file: /etc/coxswain/token\n" in settings.read_text(), settings.read_text()
        settings.unlink()
    assert run("--root", root).returncode == 2, "no command"
    two = run("--root", root, "remove", "build")
    assert two.returncode == 2 and "'remove' and 'build'" in two.stderr, two.stderr
    assert run("--root", "/", "remove").returncode == 2
    assert run("--root", root, "remove", "--purge").returncode == 0 and outside.exists()


def test_peers_that_do_not_reach_each_other(fleet, tiny_data):
    """Each machine tells an address that only itself can reach."""
    b = fleet.network.b
    start(fleet, addresses=("127.0.0.1", "127.0.0.1"), lease="1s")
    spec = fleet.job_file(tiny_data, epochs=1, extra_spec="retries:\n  max_attempts: 1")
    job = json.loads(cox(fleet, b, "submit", spec, "-o", "json").stdout)["id"]
    cox(fleet, b, "wait", job, check=False)
    done = json.loads(cox(fleet, b, "describe", job, "-o", "json").stdout)
    assert [a["kind"] for a in done["attempts"]] == ["FAILURE_KIND_LOST_PEER"], done["attempts"]
    assert "the group of ranks could not be formed 3 times" in done["reason"], done["reason"]
