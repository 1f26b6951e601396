"""Nodes in the lists: who leaves them, who may not, and what is said of one that cannot work."""
from cluster import fill, wait_until


def test_a_node_that_is_gone_for_good_is_forgotten(bare_cluster):
    cluster = bare_cluster
    cluster.start_coordinator("--lease", "1s")
    cluster.start_worker("node-a")
    cluster.start_worker("node-b")
    cluster.wait_nodes(2)
    refused = cluster.cox("nodes", "--forget", "node-b", check=False)
    assert refused.returncode == 1 and "node node-b is connected: stop its worker" in refused.stderr, refused.stderr
    unknown = cluster.cox("nodes", "--forget", "node-x", check=False)
    assert unknown.returncode == 102 and "node-x" in unknown.stderr, (unknown.returncode, unknown.stderr)
    cluster.workers["node-b"].kill()
    wait_until(lambda: cluster.cox("nodes", "--forget", "node-b", check=False).returncode == 0, "it may be forgotten")
    assert [n["name"] for n in cluster.json("nodes")["nodes"]] == ["node-a"]
    kinds = [e["kind"] for e in cluster.json("events")["events"]]
    assert kinds.count("NodeForgotten") == 1, kinds
    cluster.start_worker("node-b")
    cluster.wait_nodes(2)


def test_a_second_worker_of_one_name_is_warned_and_one_that_is_ended_is_no_trouble(bare_cluster):
    cluster = bare_cluster
    cluster.start_coordinator("--lease", "1s")
    first = cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    second = cluster.start_worker("other", called="node-a")
    cluster.wait_nodes(2)
    wait_until(lambda: "a second node is called node-a" in second.text(), "it is warned")
    assert "give one of them another name" in second.text() and "node-a" in second.text(), second.text()
    assert "a second node is called" not in first.text(), first.text()
    ids = [n["id"] for n in cluster.json("nodes")["nodes"]]

    # Ended in good order; its name means two nodes all the same, so both are listed by id.
    second.stop()
    states = {}

    def ended():
        states.update({n["id"]: n["state"] for n in cluster.json("nodes")["nodes"]})
        return sorted(states.values()) == ["READY", "SHUT_DOWN"]
    wait_until(ended, "it is told as shut down")
    listed = cluster.cox("nodes").stdout
    assert all(f"node-a ({each})" in listed for each in ids) and "-/4" in listed, listed
    assert cluster.cox("drain", "node-a", check=False).returncode != 0
    gone = next(each for each, state in states.items() if state == "SHUT_DOWN")
    cluster.cox("nodes", "--forget", gone)
    assert "node-a (" not in cluster.cox("nodes").stdout
    unknown = cluster.cox("drain", "node-x", check=False).stderr
    assert "no node 'node-x': there is node-a" in unknown, unknown


def remarks(cluster):
    return cluster.cox("nodes").stdout


def test_a_worker_whose_disk_is_full_gets_no_new_work(bare_cluster, tiny_data, mount_tmpfs):
    cluster = bare_cluster
    disk = mount_tmpfs("small", "size=8m")
    cluster.worker_dir = lambda name: disk / name
    cluster.start_coordinator()
    cluster.start_worker("node-a")
    cluster.wait_nodes(1)
    filler = fill(disk)
    text = f"it is unable to write its data directory {disk / 'node-a'}: No space left on device"
    wait_until(lambda: f"gets no new work: {text}" in remarks(cluster), "cox nodes says why", pause=0.2)
    file = cluster.job_file(tiny_data)
    job = cluster.submit(file)
    reason = wait_until(lambda: cluster.job(job)["reason"], "the job says why it waits")
    assert "unable to write its data directory" in reason and "the program" not in reason, reason
    filler.unlink()
    assert cluster.cox("wait", job).returncode == 0
    wait_until(lambda: "gets no new work" not in remarks(cluster), "the remark is gone", pause=0.2)
    kinds = [e["kind"] for e in cluster.json("events", "--kind", "NodeBlocked", "--kind", "NodeUnblocked")["events"]]
    assert kinds == ["NodeBlocked", "NodeUnblocked"], kinds
