"""What the policies reach on recorded workloads, in virtual time: the same on any machine. `tests/perf/pollux` prints it."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TRACES = pathlib.Path(os.environ.get("COXSWAIN_TRACES", ROOT.parent / "shared" / "traces"))


@pytest.mark.skipif(not (TRACES / "pollux").is_dir(), reason="no recorded workloads here (COXSWAIN_TRACES)")
def test_las_beats_tiresias_and_elastic_beats_las_on_each_workload():
    done = subprocess.run([sys.executable, ROOT / "tests" / "perf" / "pollux", "--traces", TRACES], capture_output=True, text=True,
                          check=True)
    rows = [row for row in map(json.loads, done.stdout.splitlines()) if row["peer"].startswith("Tiresias")]
    mean = {row["metric"]: row["value"] for row in rows}
    assert len(mean) == 8, done.stdout
    for row in rows:
        assert row["holds"], row
    for workload in range(1, 5):
        assert mean[f"w{workload}_elastic_mean_jct"] < mean[f"w{workload}_las_mean_jct"], mean
