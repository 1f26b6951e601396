"""A Slurm controller on loopback with its default durability, for side-by-side figures: munged and slurmctld, one
node that never answers, a partition that is down. Jobs are accepted and stay queued. Needs root (SlurmUser=root)."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from cluster import free_port, kill

CONFIG = """ClusterName=bench
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={dir}/munge/socket
StateSaveLocation={dir}/state
SlurmctldPidFile={dir}/slurmctld.pid
SlurmctldLogFile={dir}/slurmctld.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
MaxJobCount=100000
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node_port} CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=DOWN
"""


def missing():
    """Why there is no Slurm here; empty if there is one."""
    absent = [name for name in ("slurmctld", "munged", "sbatch") if not shutil.which(name)]
    if absent:
        return f"no {' '.join(absent)} here: deploy/bootstrap --with peers"
    return "" if os.geteuid() == 0 else "Slurm's controller is started as root here"


class Slurm(contextlib.AbstractContextManager):
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coxswain-slurm-"))
        self.env = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons = []

    def _start(self, *command):
        with open(self.folder / f"{command[0]}.err", "wb") as log:
            self.daemons.append(subprocess.Popen(command, env=self.env, stdout=log, stderr=log, cwd=self.folder))

    def __enter__(self):
        d = self.folder
        (d / "munge").mkdir(mode=0o755)
        (d / "state").mkdir()
        d.chmod(0o755)
        (d / "munge" / "key").write_bytes(os.urandom(1024))
        (d / "munge" / "key").chmod(0o600)
        (d / "slurm.conf").write_text(CONFIG.format(dir=d, port=free_port(), node_port=free_port()))
        self._start("munged", "--foreground", "--force", f"--key-file={d}/munge/key", f"--socket={d}/munge/socket",
                    f"--pid-file={d}/munge/pid", f"--log-file={d}/munged.log", f"--seed-file={d}/munge/seed")
        self._until(["munge", "-n", "-S", str(d / "munge" / "socket")])
        self._start("slurmctld", "-D")
        self._until(["squeue", "-h"])
        return self

    def _until(self, command):
        end = time.monotonic() + 30
        while subprocess.run(command, env=self.env, capture_output=True).returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not answer; logs are in {self.folder}")
            time.sleep(0.05)

    def __exit__(self, *_):
        for daemon in reversed(self.daemons):
            kill(daemon.pid)
            daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def commands_per_second(command, count, clients, env=None):
    """Runs `command` count times, `clients` at once; (completed/s, latencies in ms). A failure is an error."""
    latencies, failed = [], []

    def work(n):
        for _ in range(n):
            begin = time.perf_counter()
            done = subprocess.run(command, env=env, capture_output=True)
            latencies.append((time.perf_counter() - begin) * 1e3)
            if done.returncode:
                failed.append(done.stderr.decode())

    threads = [threading.Thread(target=work, args=(count // clients + (i < count % clients),)) for i in range(clients)]
    begin = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise RuntimeError(failed[0])
    return count / (time.perf_counter() - begin), latencies
