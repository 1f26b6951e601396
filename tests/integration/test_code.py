"""Code that is shipped with a job (spec.code): packed, uploaded once, fetched by the workers, run in a copy."""
import hashlib
import pathlib
import shutil
import subprocess
import sys

from cluster import wait_until

MAIN = "import os, sys\nfrom pkg import told\nprint(told.TEXT, os.path.basename(os.getcwd()), sys.argv[1:])\n"


def write_code(cluster, text="first"):
    folder = cluster.folder / "src"
    (folder / "pkg" / "__pycache__").mkdir(parents=True, exist_ok=True)
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "pkg" / "told.py").write_text(f"TEXT = 'the {text} code'\n")
    (folder / "pkg" / "__pycache__" / "told.pyc").write_bytes(b"not packed")
    (folder / "main.py").write_text(MAIN)
    return folder


def code_job(cluster, command=("main.py",), code="src", spec="", workers=2):
    return cluster.program_job(sys.executable, *command, name="shipped", workers=workers, spec=f"  code: {code}\n{spec}")


def first_lines(cluster, job, ranks=2):
    return [cluster.cox("logs", job, "--rank", str(rank)).stdout for rank in range(ranks)]


def data_dirs(cluster):
    return [cluster.coordinator_dir, *(cluster.worker_dir(name) for name in cluster.workers)]


def archives(data_dir):
    return sorted((data_dir / "code").glob("*.tar.zst"))


def test_code_is_shipped_with_the_job(cluster):
    write_code(cluster)
    job = cluster.submit(code_job(cluster))
    cluster.wait_state(job, "COMPLETED")
    for text in first_lines(cluster, job):
        assert "the first code code []" in text, text
    assert "code: sha256:" in cluster.job(job)["specYaml"]
    # The same files again: nothing new is stored; other files: another archive, and each job has its own.
    again = cluster.submit(code_job(cluster, command=("main.py", "--again")))
    write_code(cluster, "second")
    other = cluster.submit(code_job(cluster))
    for submitted in (again, other):
        cluster.wait_state(submitted, "COMPLETED")
    assert "the first code code ['--again']" in first_lines(cluster, again)[0]
    assert "the second code code []" in first_lines(cluster, other)[1]
    for data_dir in data_dirs(cluster):
        kept = archives(data_dir)
        assert len(kept) == 2, kept
        for archive in kept:
            assert hashlib.sha256(archive.read_bytes()).hexdigest() == archive.name.split(".")[0]
    listing = subprocess.run(["tar", "-tf", kept[0]], capture_output=True, text=True, check=True).stdout.split()
    assert listing == ["main.py", "pkg/", "pkg/__init__.py", "pkg/told.py"], "nothing else is packed"


def test_a_folder_of_the_code_is_where_it_works(cluster):
    write_code(cluster)
    (cluster.folder / "src" / "pkg" / "where.py").write_text("import os, told\nprint('in', os.path.basename(os.getcwd()))\n")
    job = cluster.submit(code_job(cluster, command=("where.py",), spec="  working_dir: pkg\n"))
    cluster.wait_state(job, "COMPLETED")
    assert "in pkg" in first_lines(cluster, job)[0]


def test_code_that_cannot_be_packed_or_is_not_there_is_refused(cluster):
    refused = cluster.cox("submit", code_job(cluster, code="nowhere"), check=False)
    assert refused.returncode == 106, refused
    assert "shipped.yaml:7: spec.code: there is no directory " in refused.stderr and "nowhere" in refused.stderr, refused.stderr
    checked = cluster.cox("validate", code_job(cluster, code="shipped.yaml"), check=False)
    assert checked.returncode == 106 and "shipped.yaml: is no directory" in checked.stderr, checked
    unknown = "sha256:" + "0" * 64
    missing = cluster.cox("submit", code_job(cluster, code=unknown), check=False)
    assert missing.returncode == 106, missing
    assert f"spec.code: {unknown} is not here: upload it first (UploadCode)" in missing.stderr, missing.stderr
    write_code(cluster)
    assert cluster.cox("submit", "--dry-run", code_job(cluster)).returncode == 0
    assert not archives(cluster.coordinator_dir), "a dry run uploads nothing"
    wrong = cluster.cox("submit", code_job(cluster, spec="  working_dir: ../up\n"), check=False)
    assert wrong.returncode == 106 and 'found "../up", which leads out of spec.code' in wrong.stderr, wrong.stderr


def test_a_damaged_copy_is_fetched_again(cluster):
    write_code(cluster)
    cluster.wait_state(cluster.submit(code_job(cluster)), "COMPLETED")
    (copy,) = archives(cluster.worker_dir("node-a"))
    sound = copy.read_bytes()
    copy.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    job = cluster.submit(code_job(cluster))
    cluster.wait_state(job, "COMPLETED")
    assert "the first code" in first_lines(cluster, job)[0]
    assert copy.read_bytes() == sound


def test_code_that_is_gone_is_the_machines_fault(cluster):
    write_code(cluster)
    cluster.start_worker("node-b", "--labels.site=b", slots=2)
    cluster.wait_nodes(2)
    on_b = "  placement: {node_selector: {site: b}}\n  retries: {max_attempts: 1}\n"
    (cluster.folder / "src" / "wait.py").write_text("import time\ntime.sleep(600)\n")
    before = cluster.submit(code_job(cluster, command=("wait.py",), spec=on_b))
    cluster.wait_state(before, "RUNNING")
    job = cluster.submit(code_job(cluster, spec=on_b))
    wait_until(lambda: archives(cluster.worker_dir("node-b")), "it has been fetched for the first one")
    shutil.rmtree(cluster.coordinator_dir / "code")
    shutil.rmtree(cluster.worker_dir("node-b") / "code")
    cluster.cox("cancel", before)
    done = cluster.wait_state(job, "FAILED")
    assert "spec.code: there is no code sha256:" in done["reason"], done["reason"]
    assert cluster.json("describe", job)["attempts"][0]["cause"] == "FAILURE_CAUSE_INFRASTRUCTURE"


def test_ranks_wait_for_a_coordinator_that_is_away(bare_cluster):
    """Killed before the worker has fetched the code, and started again: the ranks go on then."""
    cluster = bare_cluster
    cluster.start_coordinator()
    write_code(cluster)
    job = cluster.submit(code_job(cluster))
    cluster.start_worker("node-a")
    wait_until(lambda: archives(cluster.worker_dir("node-a")) or cluster.rank_pids(), "it starts", pause=0.01)
    cluster.coordinator.kill()
    cluster.start_coordinator()
    cluster.wait_state(job, "COMPLETED")
    assert "the first code" in first_lines(cluster, job)[0]
