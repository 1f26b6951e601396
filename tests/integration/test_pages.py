"""What lists, pages and the API tell of nodes and of what is expected: the same, whoever asks."""
import re

from cluster import wait_until


def nodes_by_id(cluster):
    return {node["id"]: node for node in cluster.json("nodes")["nodes"]}


def test_two_connected_nodes_of_one_name_are_told_as_long_as_it_is_so(cluster):
    twin = cluster.start_worker("twin", "--name", "node-a")
    cluster.wait_nodes(2)
    ids = list(nodes_by_id(cluster))
    listed = cluster.cox("nodes")
    assert all(f"node-a ({id})" in listed.stdout for id in ids), listed.stdout
    warning = "2 connected nodes are called node-a: "
    assert f"warning: {warning}" in listed.stderr and all(id in listed.stderr for id in ids), listed.stderr
    for page in ("/", "/nodes", "/api/v1/nodes"):
        text = cluster.http(page)
        assert warning in text and all(id in text for id in ids), (page, text)
    refused = cluster.cox("drain", "node-a", check=False)
    assert refused.returncode != 0 and "give one's id" in refused.stderr, refused
    twin.stop()
    wait_until(lambda: cluster.cox("nodes").stderr == "", "nothing is told of one that is gone")
    assert warning not in cluster.http("/")
    assert all(f"node-a ({id})" in cluster.cox("nodes").stdout for id in ids)  # two rows, of which one is SHUT_DOWN


def test_draining_is_said_only_where_something_is_drained(cluster):
    job = cluster.submit(cluster.program_job("/bin/sleep", "600", workers=1))
    cluster.wait_state(job, "RUNNING")
    said = cluster.cox("drain", "node-a", "--reason", "new disk")
    assert said.stdout == "node-a is CORDONED: 1 job goes on to its end\n", said
    assert "CORDONED" in cluster.cox("nodes").stdout
    page = cluster.http("/nodes")
    assert "no new work: new disk" in page and "DRAINING" not in page, page
    cluster.cox("drain", "node-a", "--reason", "new disk", "--deadline", "1h")
    assert "DRAINING" in cluster.cox("nodes").stdout
    cluster.cox("cancel", job)
    cluster.wait_state(job, "CANCELLED")
    wait_until(lambda: "DRAINED" in cluster.cox("nodes").stdout, "it is empty")
    assert cluster.cox("drain", "node-a", "--undo").stdout == "node-a is READY\n"


def test_an_estimate_is_the_same_wherever_it_is_shown(cluster):
    spec = "  expected_time: 5h30m\n  resources: {cpus: 4}"
    runs = cluster.submit(cluster.program_job("/bin/sleep", "600", workers=1, spec=spec))
    cluster.wait_state(runs, "RUNNING")
    waits = cluster.submit(cluster.program_job("/bin/sleep", "600", workers=1, spec=spec))
    wait_until(lambda: int(cluster.job(waits).get("expectedStartUs", 0)) > 0, "its start is expected")

    expected = re.compile(r"about 5 h (29|30) min")  # rounded to a minute: some seconds have passed
    places = {"list": cluster.json("jobs")["jobs"][0]["reason"].rsplit("; it starts ", 1)[1],
              "page": cluster.http(f"/jobs/{waits}").split("<dt>Starts</dt><dd>")[1],
              "queues": cluster.http("/queues").split("<h2>Waiting</h2>")[1],
              "describe": cluster.cox("describe", waits).stdout.split("Starts:")[1],
              "explain": cluster.cox("explain", waits).stdout.split("Starts:")[1]}
    for place, text in places.items():
        assert expected.search(text[:200]), (place, text[:200])
    left = {"list": cluster.cox("jobs", "-o", "wide").stdout, "explain": cluster.cox("explain", runs).stdout}
    for place, text in left.items():
        assert expected.search(text), (place, text)
