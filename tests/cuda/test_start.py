"""How the CUDA provider starts: libraries from pip's folders, and why it doesn't start."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

START = """
from onnxfi.cli import TINY_MODEL
from onnxfi.engine import EngineSettings, Session
from onnxfi.errors import BackendError
from onnxfi.graph import load
try:
    Session(load(TINY_MODEL), EngineSettings(provider="cuda"))
    print("started")
except BackendError as error:
    print(error)
"""


_RUNTIME = ("libcublas", "libcublasLt", "libcudart", "libcurand")


@pytest.fixture
def without_cuda() -> None:
    """Where the loader finds CUDA by itself, it can't be taken away."""
    for name in ("libcuda.so.1", f"libcublas.so.{onnxruntime.cuda_version.split('.')[0]}"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        pytest.skip(f"{name} is installed on this machine")


RUN = """
import os
from pathlib import Path
import numpy as np
from onnxfi.cli import TINY_MODEL
from onnxfi.engine import EngineSettings, RunFailedError, Session
from onnxfi.engine.runtime import DeviceMemory
from onnxfi.errors import BackendError
from onnxfi.graph import load
session = Session(load(TINY_MODEL), EngineSettings(provider="cuda"))
feeds = {"x": np.ones(session._session.get_inputs()[0].shape, np.float32)}
memory = DeviceMemory(kind="cuda")
kept = memory.put(feeds["x"])
for given in (feeds["x"], kept):
    assert session.run({"x": given})["y"].shape == feeds["x"].shape
Path(os.environ["STANDIN_BROKEN"]).touch()
for call in (
    lambda: session.run(feeds),
    lambda: session.run({"x": kept}),
    lambda: memory.put(feeds["x"]),
    kept.read,
    lambda: kept.write(np.zeros(kept.nbytes, np.uint8)),
):
    try:
        call()
    except BackendError as error:
        print(error)
"""


def _copied(standin, folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for library in standin.folder.glob("*.so.*[0-9]"):
        if library.name.split(".so")[0] in names:
            shutil.copy(library, folder)
    return folder


def _start(standin, folder: Path, tmp_path: Path) -> str:
    done = replace(standin, folder=folder).run(["-c", START], tmp_path / "log")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1  # onnxruntime's own remarks are not shown
    return done.stdout.strip()


def test_libraries_in_the_systems_folders(standin, tmp_path):
    assert _start(standin, standin.folder, tmp_path) == "started"


def test_libraries_that_pip_installed(standin, without_cuda, tmp_path, monkeypatch):
    """Beside onnxruntime, in ``nvidia/``; only the driver is where the loader looks."""
    site = tmp_path / "site"
    major = onnxruntime.cuda_version.split(".")[0]
    _copied(standin, site / "nvidia" / f"cu{major}" / "lib", *_RUNTIME)
    _copied(standin, site / "nvidia" / "cudnn" / "lib", "libcudnn")
    driver = _copied(standin, tmp_path / "driver", "libcuda")
    (site / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    assert "libcublas" in _start(standin, driver, tmp_path)  # not without them
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *sys.path]))
    assert _start(standin, driver, tmp_path) == "started"


def test_no_driver(standin, without_cuda, tmp_path):
    found = _start(standin, _copied(standin, tmp_path / "some", *_RUNTIME), tmp_path)
    assert found.startswith("provider 'cuda' can't start here, only cpu did: libcuda.so.1: cannot")
    assert found.endswith("it is part of NVIDIA's driver, which is not installed")


def test_no_device(standin, tmp_path, monkeypatch):
    monkeypatch.setenv("STANDIN_NO_DEVICE", "1")
    found = _start(standin, standin.folder, tmp_path)
    assert found == (
        "provider 'cuda' can't start here: CUDA failure 100: stand-in; check the device with"
        " nvidia-smi"
    )


def test_a_device_that_fails_in_a_run_is_no_outcome(standin, tmp_path, monkeypatch):
    monkeypatch.setenv("STANDIN_BROKEN", str(tmp_path / "broken"))
    done = standin.run(["-c", RUN], tmp_path / "log")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5  # none of them is a failure of the model
    for line in lines[:2]:
        assert line.startswith("the device failed in a run: CUDA failure 700: stand-in; runs in")
    for line, what in zip(lines[2:], ("kept on", "read from", "written to"), strict=True):
        assert f" can't be {what} the device" in line
        assert line.endswith(": CUDA failure 700: stand-in; check the device with nvidia-smi")


@pytest.mark.parametrize("name", ["CPUExecutionProvider", "CUDAExecutionProvider"])
def test_libraries_are_loaded_for_cuda_only_and_quietly(name, monkeypatch, capfd, recwarn):
    import warnings

    from onnxfi.engine.runtime import load_libraries

    calls = []

    def preload() -> None:
        calls.append(name)
        sys.stdout.write("Failed to load libcublas.so")
        warnings.warn("no plugin", stacklevel=1)

    monkeypatch.setattr("onnxruntime.preload_dlls", preload, raising=False)
    load_libraries.__wrapped__(name)
    assert len(calls) == (name == "CUDAExecutionProvider")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
