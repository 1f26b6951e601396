"""A real S3 server for tests: one Ceph monitor, manager and storage daemon (in memory) behind a RADOS Gateway.

Everything listens on loopback, on ports the system picks, in a folder of its own, as children of this process. By hand:
`python3 ceph_gateway.py` starts one, prints its settings and waits for Ctrl-C.
"""
import ctypes
import datetime
import hashlib
import hmac
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")
START_PATIENCE = 180  # seconds; about 12 on an idle machine

CONFIG = """[global]
fsid = {fsid}
mon host = {monitors}
keyring = {folder}/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file =
run dir = {folder}
crash dir = {folder}
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = localhost
rgw enable usage log = false
rgw gc obj min wait = 1
"""


def missing_programs():
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _end_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class CephGateway:
    """start() and stop() are the gateway's alone: what is stored stays; close() ends everything."""

    access_key = "coxswainkey"
    secret_key = "coxswain/secret+key"
    region = "us-east-1"

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cox-ceph-"))  # short: sockets live here
        self.port, first, second = _free_ports(3)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._daemons = []
        self._gateway = None
        monitors = f"[v2:127.0.0.1:{first},v1:127.0.0.1:{second}]"
        self._fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(
            CONFIG.format(fsid=self._fsid, monitors=monitors, folder=self.folder, port=self.port))
        self._environment = dict(os.environ, CEPH_CONF=str(self.folder / "ceph.conf"))
        try:
            self._make_cluster(monitors)
            self.start()
            self._run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
                      f"--access-key={self.access_key}", f"--secret-key={self.secret_key}")
        except BaseException:
            self.close()
            raise

    def _make_cluster(self, monitors):
        for daemon in ("mon", "mgr", "osd"):
            (self.folder / daemon).mkdir()
        keyring = str(self.folder / "keyring")
        everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for who in ("client.admin", "client.rgw", "mgr.x", "osd.0"):
            self._run("ceph-authtool", keyring, "--gen-key", "-n", who, *everything)
        monmap = str(self.folder / "monmap")
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", monitors, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._spawn("ceph-mon", "-f", "-i", "a")
        osd_uuid = str(uuid.uuid4())
        number = self._run("ceph", "osd", "new", osd_uuid).strip()
        self._run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", osd_uuid)
        self._spawn("ceph-osd", "-f", "-i", number)
        self._spawn("ceph-mgr", "-f", "-i", "x")

    def _run(self, *command):
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=START_PATIENCE)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def _spawn(self, *command):
        log = open(self.folder / f"{command[0]}.out", "ab")
        daemon = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                  preexec_fn=_end_with_parent)  # also when a test run is killed
        log.close()
        self._daemons.append(daemon)
        return daemon

    def start(self):
        """Starts the gateway and waits until it answers."""
        self._gateway = self._spawn("radosgw", "-f", "-n", "client.rgw")
        end = time.monotonic() + START_PATIENCE
        while True:
            try:
                urllib.request.urlopen(self.endpoint, timeout=5).close()
                return
            except OSError as error:
                if self._gateway.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the gateway does not answer ({error}); see {self.folder}") from error
            time.sleep(0.1)

    def stop(self):
        """Kills the gateway: connections are refused from now on."""
        self._end(self._gateway, signal.SIGKILL)

    def _end(self, daemon, first_signal=signal.SIGTERM):
        if daemon in self._daemons:
            self._daemons.remove(daemon)
        daemon.send_signal(first_signal)
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def close(self):
        for daemon in reversed(list(self._daemons)):
            self._end(daemon, signal.SIGKILL)  # nothing here outlives the test
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        """What a program needs to find this store: the standard variables."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true"}

    def request(self, method, path, query="", body=b""):
        """One signed request (AWS Signature Version 4), apart from the code under test. Returns the body."""
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        path = urllib.parse.quote(path)
        digest = hashlib.sha256(body).hexdigest()
        host = f"127.0.0.1:{self.port}"
        names = "host;x-amz-content-sha256;x-amz-date"
        canonical = "\n".join([method, path, query, f"host:{host}", f"x-amz-content-sha256:{digest}",
                               f"x-amz-date:{stamp}", "", names, digest])
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers = {"x-amz-content-sha256": digest, "x-amz-date": stamp,
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
                                    f"Signature={signature}"}
        url = f"{self.endpoint}{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(url, data=body if method == "PUT" else None, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def make_bucket(self, name):
        self.request("PUT", f"/{name}")
        return f"s3://{name}"

    def get(self, uri):
        return self.request("GET", "/" + uri.removeprefix("s3://"))

    def put(self, uri, body):
        self.request("PUT", "/" + uri.removeprefix("s3://"), body=body)

    def delete(self, uri):
        self.request("DELETE", "/" + uri.removeprefix("s3://"))

    def flip_bit(self, uri, offset):
        body = bytearray(self.get(uri))
        body[offset] ^= 1
        self.put(uri, bytes(body))


@pytest.fixture(scope="session")
def ceph_gateway():
    missing = missing_programs()
    if missing:
        pytest.skip(f"Ceph is not installed ({', '.join(missing)}): run deploy/bootstrap")
    gateway = CephGateway()
    yield gateway
    gateway.close()


if __name__ == "__main__":
    started = time.monotonic()
    gateway = CephGateway()
    print(f"after {time.monotonic() - started:.1f} s:", *(f"{k}={v}" for k, v in gateway.environment().items()), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        gateway.close()
