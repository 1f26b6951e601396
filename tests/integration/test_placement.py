"""Where jobs go: labels, racks, and what no fleet could hold."""


def test_gangs_go_where_their_job_asks(bare_cluster, tiny_data):
    cluster = bare_cluster
    cluster.start_coordinator()
    for name, rack in (("node-a", "r1"), ("node-b", "r2"), ("node-c", "r2")):
        cluster.start_worker(name, f"--labels.rack={rack}", slots=1)
    cluster.wait_nodes(3)
    file = cluster.job_file(tiny_data, epochs=1, workers=1)

    def nodes_of(*args):
        job = cluster.submit(*args)
        cluster.cox("wait", job)
        return sorted(r["node"] for r in cluster.job(job)["ranks"])

    assert nodes_of(file, "--set", "spec.placement.node_selector.rack=r1") == ["node-a"]

    shared = cluster.job_file(tiny_data, name="gang", epochs=1, workers=2)
    assert nodes_of(shared, "--set", "spec.placement.within=rack") == ["node-b", "node-c"]

    for changes, text in (
            ({"placement.node_selector.rack": "r3"}, "on a node with rack=r3, but none of the fleet's 3 nodes has these labels"),
            ({"workers": 3, "placement.within": "rack"}, "in one rack, but the whole fleet of 3 nodes has room for 2 in one rack"),
            ({"resources.gpus": 1, "placement.gpu_kinds": "[H200]"}, "--set spec.resources.gpus=1: spec.resources.gpus: needs 1 rank of 1 CPU slot and 1 GPU (H200), but none of the fleet's 3 nodes has a GPU "
             "(`cox nodes -o wide` says why)")):
        words = [w for key, value in changes.items() for w in ("--set", f"spec.{key}={value}")]
        refused = cluster.cox("submit", file, *words, check=False)
        assert refused.returncode == 106 and text in refused.stderr, (refused.returncode, refused.stderr)
    wide = cluster.cox("nodes", "-o", "wide").stdout
    assert "LABELS" in wide and "rack=r2" in wide and "no GPUs: " in wide, wide
