"""deploy/bootstrap with small wheels of the same names: no network, and nothing outside of the test's folder."""
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import time
import zipfile

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TORCH_LIBRARIES = ["libc10.so", "libtorch_cpu.so", "libgomp.so.1", "libtorch.so", "libc10_cuda.so", "libtorch_cuda.so",
                   "libtorch_cuda_linalg.so", "libtorch_nvshmem.so", "libcaffe2_nvrtc.so"]
ARROW_LIBRARIES = ["libarrow", "libarrow_s3", "libarrow_acero", "libarrow_dataset", "libarrow_compute", "libparquet"]
MEMBERS = {
    "torch": ["torch/include/torch/csrc/api/include/torch/torch.h", "torch/lib/libtorch_python.so",
              *(f"torch/lib/{name}" for name in TORCH_LIBRARIES)],
    "pyarrow": ["pyarrow/include/arrow/api.h", *(f"pyarrow/{name}.so.2600" for name in ARROW_LIBRARIES)],
    "nvidia-cuda-runtime": ["nvidia/cu13/lib/libcudart.so.13"],
    "nvidia-cuda-cupti": ["nvidia/cu13/lib/libcupti.so.13"],
}


REAL_PIP = "/usr/bin/python3"
FAST_PIP = """#!/bin/sh
# Stands for `python3 -m pip download`, which takes a second a wheel: copies it from $PIP_FIND_LINKS.
case "$*" in *download*) ;; *) exit 0 ;; esac
while [ $# -gt 0 ]; do case $1 in -d) dest=$2 ;; -r) requirement=$2 ;; esac; shift; done
mkdir -p "$dest" && cp "$PIP_FIND_LINKS/$(sed 's/==.*//; s/-/_/g' "$requirement")"-* "$dest"
"""


class Bootstrap:
    """A copy of deploy/ whose pins are small wheels in a folder that stands for the package index."""

    def __init__(self, root):
        self.root, self.prefix, self.wheels = root, root / "sdk", root / "wheels"
        self.wheels.mkdir()
        self.fast_pip = root / "fast-pip"
        self.fast_pip.write_text(FAST_PIP)
        self.fast_pip.chmod(0o755)
        shutil.copytree(SOURCE / "deploy", root / "deploy", ignore=shutil.ignore_patterns("cmake", "systemd"))
        (root / "quick").mkdir()
        (root / "quick" / "sync").write_text("#!/bin/sh\n")  # the whole disk's other writes are not ours to wait for
        (root / "quick" / "sync").chmod(0o755)
        self.pins = root / "deploy" / "sdk" / "wheels"
        for row in [line.split() for line in self.pins.read_text().splitlines() if line[0] != "#"]:
            self.publish(*row, content="1")

    def publish(self, name, version, platform, need_mb, sha, content, members=None):
        stem = f"{name.replace('-', '_')}-{version}"
        path = self.wheels / f"{stem}-py3-none-{platform}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for member in MEMBERS[name] if members is None else members:
                wheel.writestr(member, content)
            wheel.writestr(f"{stem}.dist-info/licenses/LICENSE", "free")
            wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.pins.write_text("\n".join(
            f"{name} {version} {platform} 10 {digest}" if line.split()[0] == name else line
            for line in self.pins.read_text().splitlines()) + "\n")
        return path

    def start(self, *options, **environment):
        env = {**os.environ, "COXSWAIN_SDK": str(self.prefix), "PIP_NO_INDEX": "1", "COXSWAIN_CUDA_ROOT": "/nonexistent",
               "PATH": f"{self.root}/quick:{os.environ['PATH']}",
               "PIP_FIND_LINKS": str(self.wheels), "PYTHON": str(self.fast_pip), **environment}
        return subprocess.Popen([self.root / "deploy" / "bootstrap", *options], env=env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def run(self, *options, **environment):
        child = self.start(*(options or ["--no-debian"]), **environment)
        out, err = child.communicate(timeout=60)
        return child.returncode, out, err

    def left_over(self):
        return sorted(p.name for p in self.prefix.iterdir() if p.name != ".lock") if self.prefix.exists() else []


@pytest.fixture
def bootstrap(tmp_path):
    return Bootstrap(tmp_path)


def only_error(err):
    """The one line that says what to do."""
    lines = [line for line in err.splitlines() if line.startswith("bootstrap: error: ")]
    assert len(lines) == 1, err
    return lines[0]


def test_unpacks_what_is_needed_and_only_that(bootstrap):
    code, out, err = bootstrap.run(PYTHON=REAL_PIP)
    assert (code, err) == (0, ""), err
    torch, arrow, nvidia = (bootstrap.prefix / name for name in ("torch-2.11.0", "arrow-26.0.1", "nvidia"))
    assert (torch / "include/torch/csrc/api/include/torch/torch.h").exists()
    assert not (torch / "lib/libtorch_python.so").exists()
    assert sorted(p.name for p in (torch / "lib").iterdir() if not p.is_symlink()) == sorted(TORCH_LIBRARIES)
    assert os.readlink(arrow / "lib/libarrow_s3.so") == "libarrow_s3.so.2600"
    assert (nvidia / "cu13/lib/libcudart.so.13").exists() and (nvidia / "cu13/lib/libcupti.so.13").exists()
    assert (torch / "licenses/LICENSE").exists() and (nvidia / "licenses/nvidia-cuda-cupti/LICENSE").exists()
    assert bootstrap.left_over() == ["arrow-26.0.1", "nvidia", "torch-2.11.0"]


def test_second_run_does_nothing_and_says_so(bootstrap):
    assert bootstrap.run()[0] == 0
    began = time.monotonic()
    code, out, _ = bootstrap.run(PIP_FIND_LINKS="/nonexistent")
    assert code == 0 and time.monotonic() - began < 1
    assert out.count("nothing to do") == 4, out


def test_sdk_made_by_hand_is_left_alone(bootstrap):
    for path in ("torch-2.11.0/include/torch/csrc/api/include/torch/torch.h", "torch-2.11.0/lib/libtorch_cpu.so",
                 "torch-2.11.0/lib/libtorch_cuda.so"):
        (bootstrap.prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (bootstrap.prefix / path).write_text("mine")
    code, out, _ = bootstrap.run()
    assert code == 0 and "torch 2.11.0: nothing to do" in out
    assert (bootstrap.prefix / "torch-2.11.0/lib/libtorch_cpu.so").read_text() == "mine"


def test_new_pin_replaces_the_folder(bootstrap):
    assert bootstrap.run()[0] == 0
    bootstrap.publish("torch", "2.11.0", "manylinux_2_28_x86_64", 10, "", content="2")
    bootstrap.publish("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_x86_64", 10, "", content="2")
    code, out, _ = bootstrap.run()
    assert code == 0 and "torch 2.11.0: done" in out and out.count("nothing to do") == 2
    assert (bootstrap.prefix / "torch-2.11.0/lib/libc10.so").read_text() == "2"
    assert (bootstrap.prefix / "nvidia/cu13/lib/libcupti.so.13").read_text() == "2"
    assert (bootstrap.prefix / "nvidia/cu13/lib/libcudart.so.13").read_text() == "1"


def test_toolkit_makes_the_cuda_wheels_needless(bootstrap, tmp_path):
    for folder, name in (("lib64", "libcudart.so.13"), ("extras/CUPTI/lib64", "libcupti.so.13")):
        (tmp_path / "cuda" / folder).mkdir(parents=True)
        (tmp_path / "cuda" / folder / name).write_text("toolkit")
    code, out, _ = bootstrap.run(COXSWAIN_CUDA_ROOT=str(tmp_path / "cuda"))
    assert code == 0 and "libcudart.so.13: nothing to do, found in" in out
    assert bootstrap.left_over() == ["arrow-26.0.1", "torch-2.11.0"]


def test_no_network(bootstrap):
    code, _, err = bootstrap.run(PIP_FIND_LINKS="/nonexistent", PYTHON=REAL_PIP)
    assert code == 1 and "could not download torch 2.11.0" in only_error(err) and "check the network" in err
    assert bootstrap.left_over() == []


def test_wheel_cut_short(bootstrap):
    wheel = next(bootstrap.wheels.glob("pyarrow*"))
    wheel.write_bytes(wheel.read_bytes()[:-20])
    for pip, said in ((REAL_PIP, "could not download"), (str(bootstrap.fast_pip), "is not the one pinned")):
        code, _, err = bootstrap.run(PYTHON=pip)
        assert code == 1 and "pyarrow 26.0.1" in only_error(err) and said in err
        assert bootstrap.left_over() == ["torch-2.11.0"]


def test_wheel_without_a_library_we_need(bootstrap):
    bootstrap.publish("torch", "2.11.0", "manylinux_2_28_x86_64", 10, "", "1", members=MEMBERS["torch"][:-1])
    code, _, err = bootstrap.run()
    assert code == 1 and "could not be unpacked" in only_error(err) and "libcaffe2_nvrtc.so" in err
    assert bootstrap.left_over() == []


def test_no_room_on_the_disk(bootstrap, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/df").write_text("#!/bin/sh\necho head\necho disk 100 97 3 97% /\n")
    (tmp_path / "bin/df").chmod(0o755)
    code, _, err = bootstrap.run(PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert code == 1 and "needs 10 MB" in only_error(err) and "has 3 MB free" in err
    assert bootstrap.left_over() == []


def test_stopped_in_the_middle(bootstrap, tmp_path):
    slow = tmp_path / "slow-python"
    slow.write_text('#!/bin/sh\ncase "$*" in *download*) echo half > "$TMPDIR/half"; touch "$BEGAN"; sleep 60;; esac\n')
    slow.chmod(0o755)
    for sign, kept in ((signal.SIGTERM, 0), (signal.SIGKILL, 1)):
        began = tmp_path / f"began-{sign}"
        child = bootstrap.start("--no-debian", PYTHON=str(slow), BEGAN=str(began))
        while not began.exists():
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        os.killpg(child.pid, sign)
        assert child.wait(timeout=30) != 0
        child.communicate()
        assert len(bootstrap.left_over()) == kept, bootstrap.left_over()
    code, _, err = bootstrap.run()
    assert code == 0, err
    assert bootstrap.left_over() == ["arrow-26.0.1", "nvidia", "torch-2.11.0"]


def test_another_system_is_told_what_it_needs(bootstrap, tmp_path):
    (tmp_path / "os-release").write_text("ID=ubuntu\nVERSION_ID=24.04\n")
    packages = bootstrap.root / "deploy/packages/build"
    packages.write_text("bash bash\nsome-dev stdio.h\n")
    environment = {"COXSWAIN_OS_RELEASE": str(tmp_path / "os-release")}
    code, out, _ = bootstrap.run("--no-sdk", **environment)
    assert code == 0 and "all of it was found" in out
    packages.write_text("bash bash\nlost-dev lost/lost.h\nlost no-such-command\n")
    code, _, err = bootstrap.run("--no-sdk", **environment)
    assert code == 1 and "lost-dev (lost/lost.h)" in err and "2 packages" in only_error(err)


def test_wrong_usage(bootstrap):
    code, _, err = bootstrap.run("--with", "everything")
    assert code == 2 and "--with takes: tests, peers" in err
    code, _, err = bootstrap.run("--verbose")
    assert code == 2 and "unknown option '--verbose'" in err
