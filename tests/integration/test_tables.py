"""Jobs on tables: CSV and Parquet, in memory and streamed, resumed, on S3, and what is wrong with them."""
import json
import pathlib
import random
import signal
import subprocess

import pytest

from cluster import BIN, Cluster, kill, wait_until
from test_run import Run

DATA = pathlib.Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def iris_parquet(tmp_path_factory):
    """The same rows, in row groups of 64."""
    path = tmp_path_factory.mktemp("iris") / "iris.parquet"
    subprocess.run([BIN / "csv_to_parquet", DATA / "iris.csv", path, "64"], check=True)
    return path


def table_job(cluster, files, name="table", data="", train="", workers=2, epochs=2, batch=16, more="", form="csv",
              target="target"):
    path = cluster.folder / f"{name}.yaml"
    path.write_text(f"""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  workers: {workers}
  model: {{hidden: [32]}}
  data:
    format: {form}
    train: {{files: {json.dumps([str(f) for f in files])}}}
    target: {target}
    {data}
  train: {{epochs: {epochs}, global_batch_size: {batch}, optimizer: {{learning_rate: 1e-2}}, {train}}}
  {more}
""")
    return path


def points(cluster, job, name):
    """None yet of a job that has just ended: they may follow its end."""
    done = cluster.cox("metrics", job, "--name", name, "-o", "json", check=False)
    return json.loads(done.stdout)["points"] if done.returncode == 0 else []


def make_rides(folder):
    """60,000 rows of 32 bytes, which do not fit into 1 MiB, in three files."""
    rng = random.Random(4)
    folder.mkdir()
    for part in range(3):
        rows = [(rng.uniform(0, 30), rng.choice(["day", "night"]), rng.random()) for _ in range(20_000)]
        folder.joinpath(f"part-{part}.csv").write_text("km,time,noise,fare\n" + "".join(
            f"{km},{time},{noise},{3 + 2 * km * (1.5 if time == 'night' else 1)}\n" for km, time, noise in rows))


def config_of(folder):
    (found,) = folder.rglob("config.json")
    return json.loads(found.read_text())


def test_run_on_csv_learns_and_tells_what_it_did_to_the_values(bare_cluster):
    file = table_job(bare_cluster, [DATA / "iris.csv"], data="evaluate: {fraction: 0.3}", epochs=30)
    run = Run(bare_cluster, file)
    code, out = run.end()
    assert code == 0 and "j1 COMPLETED" in out, out
    model = config_of(run.data_dir)
    assert model["output"]["classes"] == ["setosa", "versicolor", "virginica"], model
    assert model["input"]["numeric"][0] == "sepal length (cm)" and model["input"]["categorical"] == []
    assert 5 < model["input"]["preprocessing"]["mean"][0] < 6.5, model
    accuracy = float(out.split("accuracy ")[-1].split(" %")[0])
    assert accuracy >= 88, out
    run.gone()


def test_csv_and_parquet_give_the_same_losses(cluster, iris_parquet):
    losses = []
    for form, file in (("csv", DATA / "iris.csv"), ("parquet", iris_parquet)):
        job = cluster.submit(table_job(cluster, [file], name=form, form=form))
        assert cluster.cox("wait", job).returncode == 0
        wait_until(lambda: len(points(cluster, job, "loss")) == 20, "all points are there")
        losses.append([p["value"] for p in sorted(points(cluster, job, "loss"), key=lambda p: int(p["step"]))])
    assert losses[0] == losses[1]


def test_regression_streamed_and_killed_goes_on_with_the_same_preprocessing(cluster):
    folder = cluster.folder / "rides"
    make_rides(folder)
    file = table_job(cluster, [folder], name="rides", target="fare", epochs=6, batch=250,
                     data="task: regression\n    buffer: 1MiB\n    evaluate: {fraction: 0.1}",
                     more="checkpoint: {every_steps: 40}")
    job = cluster.submit(file)
    wait_until(lambda: cluster.json("checkpoints", job).get("checkpoints"), "there is a checkpoint")
    store = cluster.folder
    (stored,) = store.rglob("preprocessing.json")
    before = stored.read_bytes()
    for pid in cluster.rank_pids():
        kill(pid, signal.SIGKILL)
    assert cluster.cox("wait", job).returncode == 0, cluster.cox("describe", job).stdout
    assert stored.read_bytes() == before
    wait_until(lambda: len({p["step"] for p in points(cluster, job, "loss")}) >= 6 * 216, "all points are there")
    steps = [int(p["step"]) for p in points(cluster, job, "loss")]
    assert sorted(set(steps)) == list(range(1, max(steps) + 1)), "no step was left out"
    wait_until(lambda: points(cluster, job, "eval.r2"), "the points are there")
    (r2,) = [p["value"] for p in points(cluster, job, "eval.r2")][-1:]
    assert r2 > 0.95, r2
    assert "eval.accuracy" not in cluster.cox("metrics", job).stdout
    model = config_of(store)
    assert model["output"]["kind"] == "value" and model["output"]["target"] == "fare", model
    assert model["input"]["preprocessing"]["categories"] == {"time": ["day", "night"]}, model


def test_data_that_vanish_while_it_trains_end_the_job_with_what_to_do_and_where_to_go_on(cluster):
    folder = cluster.folder / "rides"
    make_rides(folder)
    file = table_job(cluster, [folder], name="rides", target="fare", epochs=100000, batch=250, workers=1,
                     data="task: regression\n    buffer: 1MiB", more="checkpoint: {every_steps: 40}")
    job = cluster.submit(file)
    wait_until(lambda: any(c["state"] == "CHECKPOINT_VERIFIED" for c in cluster.json("checkpoints", job).get("checkpoints", [])),
               "there is a checkpoint")
    folder.rename(cluster.folder / "elsewhere")
    done = cluster.wait_state(job, "FAILED", "COMPLETED")
    assert done["state"] == "FAILED" and done["failureKind"] == "FAILURE_KIND_DATA" and done["attempt"] == 1, done
    for words in ("rank 0 on node-", "spec.data.train.files", str(folder), "it was there when this attempt began",
                  f"--resume-from {job}, which goes on from its last checkpoint, "):
        assert words in done["reason"], done["reason"]


def test_what_is_wrong_is_said_at_submit_with_the_line(cluster, iris_parquet):
    def refused(file, *flags):
        done = cluster.cox("submit", file, *flags, check=False)
        assert done.returncode == 106, done
        return done.stderr

    good = table_job(cluster, [DATA / "iris.csv"])
    said = refused(good, "--set", "spec.data.target=Target")
    assert "--set spec.data.target=Target: spec.data.target: " in said and "did you mean 'target'?" in said, said
    said = refused(table_job(cluster, [DATA / "iris.csv", cluster.folder / "none.csv"]))
    assert "table.yaml:9: spec.data.train.files: " in said and "none.csv" in said, said
    cut = cluster.folder / "cut.parquet"
    cut.write_bytes(iris_parquet.read_bytes()[:3000])
    said = refused(table_job(cluster, [cut], form="parquet"))
    assert "table.yaml:9: " in said and "cut.parquet: not a whole Parquet file" in said, said


def test_a_stray_text_is_told_at_submit_and_the_columns_in_the_log(cluster):
    lines = (DATA / "iris.csv").read_text().splitlines()
    lines[14] = "oops" + lines[14][3:]
    odd = cluster.folder / "odd.csv"
    odd.write_text("\n".join(lines))
    said = cluster.cox("submit", table_job(cluster, [odd])).stderr
    for words in ("warning: column 'sepal length (cm)' of", "odd.csv is taken as categories, since 1 value of 150 is no number: 'oops' in line 15",
                  "name the columns in spec.data.columns"):
        assert words in said, said
    job = cluster.json("jobs")["jobs"][0]["id"]
    assert cluster.cox("wait", job).returncode == 0
    log = cluster.cox("logs", job, "--rank", "0").stdout
    assert "data: 3 columns of numbers: sepal width (cm), petal length (cm), petal width (cm); " \
        "1 column of categories: sepal length (cm) (" in log and "target: target (3 classes)" in log, log
    chosen = cluster.cox("submit", table_job(cluster, [odd], data="columns: {categorical: ['sepal length (cm)']}"))
    assert "warning" not in chosen.stderr, chosen


def test_nan_that_the_first_pass_finds_ends_the_job_as_its_owners_failure(cluster):
    lines = (DATA / "iris.csv").read_text().splitlines()
    lines[101] = "nan" + lines[101][3:]
    bad = cluster.folder / "nan.csv"
    bad.write_text("\n".join(lines))
    job = cluster.submit(table_job(cluster, [bad]))
    assert cluster.cox("wait", job, check=False).returncode == 100
    said = cluster.cox("describe", job).stdout
    for words in ("nan.csv: line 102, column", "column 'sepal length (cm)': found NaN", "spec.data.nan"):
        assert words in said, said


def test_another_job_takes_on_checkpoint_and_preprocessing(cluster):
    first = cluster.submit(table_job(cluster, [DATA / "iris.csv"], name="first"))
    assert cluster.cox("wait", first).returncode == 0
    (last, *_) = cluster.json("checkpoints", first)["checkpoints"]
    lines = (DATA / "iris.csv").read_text().splitlines()
    fewer = cluster.folder / "fewer.csv"
    fewer.write_text("\n".join(lines[:1] + lines[30:]) + "\n")
    file = table_job(cluster, [fewer], name="second", epochs=4)
    second = cluster.submit(file, "--resume-from", last["uri"])
    assert cluster.cox("wait", second, check=False).returncode == 100
    said = cluster.cox("describe", second).stdout
    assert "other means, standard deviations or categories" in said and "spec.data.preprocessing" in said, said
    (stored,) = [p for p in cluster.folder.rglob("preprocessing.json") if f"/{first}/" in str(p)]
    third = cluster.submit(file, "--resume-from", last["uri"], "--set", f"spec.data.preprocessing=file://{stored}")
    assert cluster.cox("wait", third).returncode == 0, cluster.cox("describe", third).stdout
    wait_until(lambda: points(cluster, third, "loss"), "the points are there")
    assert min(int(p["step"]) for p in points(cluster, third, "loss")) > 1


def test_tables_on_s3_are_streamed(tmp_path, ceph_gateway):
    bucket = ceph_gateway.make_bucket("tables")
    make_rides(tmp_path / "rides")
    for part in sorted((tmp_path / "rides").iterdir()):
        whole = part.with_suffix(".parquet")
        subprocess.run([BIN / "csv_to_parquet", part, whole, "3000"], check=True)
        ceph_gateway.put(f"{bucket}/rides/{whole.name}", whole.read_bytes())
    with Cluster(tmp_path) as cluster:
        cluster.start_coordinator()
        cluster.start_worker("node-a", env=ceph_gateway.environment())
        cluster.wait_nodes(1)
        job = cluster.submit(table_job(cluster, [f"{bucket}/rides/"], form="parquet", batch=1000, target="fare",
                                       data="task: regression\n    buffer: 1MiB"))
        assert cluster.cox("wait", job).returncode == 0, cluster.cox("describe", job).stdout
        wait_until(lambda: len(points(cluster, job, "loss")) == 120, "60,000 rows in batches of 1,000, twice")
        done = cluster.cox("submit", table_job(cluster, [f"{bucket}/nothing/"], form="parquet"), check=False)
        assert done.returncode == 106 and "no .parquet file" in done.stderr, done
