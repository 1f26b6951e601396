"""What checks share: the cluster that they use, and how losses are compared."""
import os
import pathlib
import sys

import jobs
from programs import Cluster, Failed, Skipped


class Context:
    """What checks share: sizes, folders, and one cluster with one worker that is started at the first need."""

    def __init__(self, bin_folder, folder, env, cpu, dry):
        self.bin, self.folder, self.env = bin_folder, pathlib.Path(folder), env
        self.gpus = 0 if cpu else 1
        self.dry = dry
        self.cpus = min(4, os.cpu_count() or 1)
        self.python = sys.executable
        self._cluster = None
        self._recipes = None

    def need_gpu(self, why):
        if not self.gpus:
            raise Skipped(f"needs a GPU: {why}")

    def cluster(self):
        if self._cluster is None:
            (self.folder / "one").mkdir()
            self._cluster = Cluster(self.bin, self.folder / "one", self.env).start()
            # Jobs of the two kinds that are compared may run side by side.
            self._cluster.add_worker("node", 2 * self.cpus)
        return self._cluster

    def data(self):
        folder = self.folder / "data"
        folder.mkdir(exist_ok=True)
        return folder

    def recipes(self):
        if self._recipes is None:
            self._recipes = jobs.recipes(self.data(), self.dry)
        return self._recipes

    def job(self, name, model, data, train, gpus=None, **more):
        return jobs.job(name, model, data, train, self.gpus if gpus is None else gpus, self.cpus, **more)

    def stop(self):
        if self._cluster is not None:
            self._cluster.stop()


def losses(cluster, job, steps):
    return [value for _, value, _ in cluster.points(job, "loss", steps)]


def close(ours, theirs):
    """The largest relative difference."""
    if len(ours) != len(theirs) or not ours:
        raise Failed(f"{len(ours)} losses, and {len(theirs)} to compare them with")
    return max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours, theirs))
