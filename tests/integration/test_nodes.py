"""Nodes in the lists: who leaves them, and who may not."""
from cluster import wait_until


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
