"""deploy/bundle: what it packs runs without the libraries of the machine it was built on, and finds a LibTorch that pip put there."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cluster import BIN, ROOT, files_below

IRIS = pathlib.Path(__file__).parent / "data" / "iris.csv"
CACHE = BIN.parent / "CMakeCache.txt"
GLIBC = re.compile(r"(linux-vdso|ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libresolv)\.so")

LIBTORCH = re.compile(r"lib(torch|c10)\w*\.so")
WITH_LIBTORCH = ("libcoxswain_engine.so", "libcoxswain_cuda.so")


def cached(name):
    return re.search(rf"^{name}:\w+=(.*)$", CACHE.read_text(), re.M).group(1)


pytestmark = pytest.mark.skipif(
    not shutil.which("patchelf") or not CACHE.exists() or "COXSWAIN_SANITIZE:" in CACHE.read_text() and cached("COXSWAIN_SANITIZE") != "",
    reason="needs patchelf and a build without sanitizers")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "coxswain"
    done = subprocess.run([ROOT / "deploy" / "bundle", "--from", BIN.parent, "--folder", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory):
    """As pip lays it out: torch/ and, beside it, nvidia/."""
    folder = tmp_path_factory.mktemp("python")
    torch = next(pathlib.Path(cached("COXSWAIN_SDK")).glob("torch-*"))
    (folder / "torch" / "lib").mkdir(parents=True)
    for library in (torch / "lib").iterdir():
        (folder / "torch" / "lib" / library.name).symlink_to(library)
    (folder / "torch" / "version.py").write_text(f"__version__ = '{torch.name.removeprefix('torch-')}+cu130'\n")
    (folder / "nvidia" / "cu13" / "lib").mkdir(parents=True)
    for variable, library in (("COXSWAIN_CUDA_LIB", "libcudart.so.13"), ("COXSWAIN_CUPTI_LIB", "libcupti.so.13")):
        (folder / "nvidia" / "cu13" / "lib" / library).symlink_to(pathlib.Path(cached(variable)) / library)
    return folder


def run(bundle, tmp_path, file, *flags, **environment):
    """`cox run` as on a machine that has nothing of ours."""
    done = subprocess.run([bundle / "bin" / "cox", "run", file, "--data-dir", tmp_path / "run", *flags], capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NO_COLOR": "1", **environment}, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_nothing_comes_from_elsewhere_but_the_c_library_and_libtorch(bundle):
    checked = 0
    for path in files_below(bundle / "bin") + [p for p in files_below(bundle / "lib") if ".so" in p.name]:
        listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        for line in listed.splitlines():
            name, _, rest = line.strip().partition(" ")
            if GLIBC.search(name) or "statically" in line:
                continue
            checked += 1
            if path.name in WITH_LIBTORCH and LIBTORCH.match(name):
                assert "not found" in rest, f"it knows a place of LibTorch: {line}"
            elif path.name == "libcoxswain_cuda.so" and name.startswith("libcu"):
                continue  # a CUDA toolkit of the machine; pip's LibTorch brings its own
            else:
                assert f"=> {bundle}/" in line, f"{path.name}: {line}"
    assert checked > 100
    built_in = [str(BIN), cached("COXSWAIN_SDK")]
    for path in files_below(bundle / "bin") + [p for p in files_below(bundle / "lib") if "coxswain" in p.name and ".so" in p.name]:
        paths = subprocess.run(["readelf", "-d", path], capture_output=True, text=True).stdout
        assert not [place for place in built_in if place in paths], f"{path.name} knows the machine that it was built on"
    assert (bundle / "share" / "doc" / "coxswain" / "licenses" / "libprotobuf32").exists()


def test_it_trains_with_the_libtorch_of_pip(bundle, site_packages, bare_cluster, tiny_data, tmp_path):
    environment = tmp_path / "venv" / "lib" / "python3.12"
    environment.mkdir(parents=True)
    (environment / "site-packages").symlink_to(site_packages)
    code, out = run(bundle, tmp_path, bare_cluster.job_file(tiny_data, epochs=1), VIRTUAL_ENV=str(tmp_path / "venv"))
    assert code == 0 and "j1 COMPLETED" in out, out
    table = tmp_path / "table.yaml"
    shutil.copy(IRIS, tmp_path / "iris.csv")
    table.write_text("""apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: table}
spec:
  model: {recipe: mlp}
  data: {format: csv, train: {files: [iris.csv]}, target: target}
  train: {epochs: 2, global_batch_size: 16}
""")
    code, out = run(bundle, tmp_path, table, COXSWAIN_TORCH=str(site_packages / "torch"))
    assert code == 0 and "j2 COMPLETED" in out, out


def test_a_machine_without_libtorch_says_so_and_it_is_no_fault_of_the_job(bundle, bare_cluster, tiny_data, tmp_path):
    nowhere = tmp_path / "old"
    (nowhere / "lib").mkdir(parents=True)
    (nowhere / "lib" / "libtorch_cpu.so").write_bytes(b"")
    (nowhere / "version.py").write_text("__version__ = '2.9.1+cpu'\n")
    file = bare_cluster.job_file(tiny_data, extra_spec="retries: {max_attempts: 1}")
    code, out = run(bundle, tmp_path, file, COXSWAIN_TORCH=str(nowhere))
    assert code == 104, out
    assert f"COXSWAIN_TORCH: found LibTorch 2.9.1+cpu at {nowhere}, expected 2.11.0" in out, out
    assert "signal" not in out, "it ends by itself"


def test_wrong_words():
    def refused(*arguments):
        done = subprocess.run([ROOT / "deploy" / "bundle", *arguments], capture_output=True, text=True)
        return done.returncode, done.stderr
    assert refused("--form") == (2, "bundle: unknown option '--form' (see deploy/bundle --help)\n")
    assert refused("--from") == (2, "bundle: --from needs a build folder (see deploy/bundle --help)\n")
    code, text = refused("--from", os.devnull)
    assert code == 1 and "is no build folder" in text
