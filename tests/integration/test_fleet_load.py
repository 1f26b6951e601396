"""Pretend workers (`cox-sim fleet`) on a real coordinator: what load tests stand on."""
import json
import signal
import subprocess

from cluster import BIN, Daemon, free_port, wait_until


def start_fleet(cluster, *flags, nodes=50):
    end = cluster.endpoint()
    return Daemon("fleet", [BIN / "cox-sim", "fleet", "--nodes", nodes, "--coordinator", end["worker"], "--token-file",
                            end["token_file"], "--cpus", 8, "--gpus", 4, *flags], cluster.folder / "fleet.log")


def run_jobs(cluster, plan, *flags):
    """Submits the jobs of the plan and waits for their end; returns api-load's process, still running."""
    file = cluster.folder / "plan.txt"
    file.write_text("".join(" ".join(str(word) for word in job) + "\n" for job in plan))
    end = cluster.endpoint()
    return subprocess.Popen([BIN / "api-load", "run", "--server", end["api"], "--token-file", end["token_file"], "--plan", file,
                             "--clients", "4", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def summary_of(fleet):
    assert fleet.kill(signal.SIGINT) == 0, fleet.text()
    return json.loads(fleet.text().splitlines()[-1])


def states(cluster):
    return [job["state"] for job in cluster.json("jobs", "--limit", "0")["jobs"]]


#             at  name        queue prio workers cpus gpus run_ms
MIXED = [(0, f"one-{i}", "-", 0, 1, 1, 1, 20) for i in range(30)] + [(0, f"gang-{i}", "-", i % 3, 6, 2, 4, 50) for i in range(10)]


def test_fifty_workers_run_gangs_and_end_cleanly(bare_cluster):
    cluster = bare_cluster
    cluster.start_coordinator()
    fleet = start_fleet(cluster, "--racks", 5, "--hold")
    cluster.wait_nodes(50)
    load = run_jobs(cluster, MIXED)
    out, err = load.communicate(timeout=120)
    assert load.returncode == 0, (out[-500:], err, fleet.text())
    assert states(cluster) == ["COMPLETED"] * len(MIXED)
    gang = cluster.job("gang-1")
    assert len({rank["node"] for rank in gang["ranks"]}) == 6, "4 GPUs a rank: a machine each"
    told = summary_of(fleet)
    assert told["nodes"] == told["connected"] == 50 and told["ranks_started"] == 30 + 60, told


def test_jobs_outlive_a_killed_coordinator(bare_cluster):
    cluster = bare_cluster
    cluster.start_coordinator()
    fleet = start_fleet(cluster, "--run-time", 0.2)
    cluster.wait_nodes(50)
    load = run_jobs(cluster, [(0, f"job-{i}", "-", 0, 3, 1, 0, 1500) for i in range(20)], "--wait-seconds", "0")
    out, err = load.communicate(timeout=120)
    assert load.returncode == 0, (out, err)
    cluster.coordinator.kill()
    cluster.start_coordinator()
    wait_until(lambda: states(cluster) == ["COMPLETED"] * 20, "all jobs are COMPLETED", pause=0.2)
    attempts = {int(job["attempt"]) for job in cluster.json("jobs", "--limit", "0")["jobs"]}
    assert attempts == {1}, "no rank was started again"
    assert summary_of(fleet)["losses"] >= 50


def test_a_wrong_token_and_a_wrong_address_end_with_one_line(bare_cluster):
    cluster = bare_cluster
    cluster.start_coordinator()
    wrong = cluster.folder / "wrong-token"
    wrong.write_text("0123456789abcdef\n")

    def ends_with(address, token, *flags):
        done = subprocess.run([BIN / "cox-sim", "fleet", "--nodes", "3", "--coordinator", address, "--token-file", token, *flags],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 78 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
        return done.stderr

    end = cluster.endpoint()
    assert "token" in ends_with(end["worker"], wrong)
    assert "no worker was let in by 127.0.0.1:" in ends_with(f"127.0.0.1:{free_port()}", end["token_file"], "--give-up", "0.5")
    assert "expected HOST:PORT" in ends_with("nonsense", end["token_file"])
    said = ends_with(end["api"], end["token_file"])
    assert f"{end['api']} answers, but not as a coordinator's worker port" in said and "worker_listen" in said, said
    fleet = start_fleet(cluster, nodes=3)
    cluster.wait_nodes(3)
    said = ends_with(end["worker"], end["token_file"])
    assert "a worker named pretend-0000" in said and "(--prefix)" in said and "identity" not in said, said
    assert summary_of(fleet)["connected"] == 3


def test_what_is_wrong_on_the_command_line_is_named():
    for words, text in ((["flet"], "unknown verb 'flet' (did you mean 'fleet'?)"), (["replay"], "expected a recording"),
                        (["fleet", "--seconds", "x"], "expected a number from 0 to 10,000,000"),
                        (["fleet", "--nodes", "2.5"], "expected a whole number from 1 to 100,000"),
                        (["trace", "--philly", "f", "--most", "0"], "expected a whole number from 1 to 1,000,000,000")):
        done = subprocess.run([BIN / "cox-sim", *words], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and text in done.stderr, (words, done)
