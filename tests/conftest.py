"""What all tests share: the project's root, and an emulator that they may run under."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would assert a time, and machines are busy.
settings.register_profile("onnxfi", deadline=None)
settings.load_profile("onnxfi")

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Under an emulator of another CPU, let processes that tests start run under it, too.

    ``qemu-x86_64 -cpu Haswell-noTSX python -m pytest`` starts others on the machine's own CPU.
    """
    emulator = _emulator()
    if not emulator:
        return
    # numpy's OpenBLAS goes by the model of the CPU, and has wrong kernels for this Nehalem.
    os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")
    made = tempfile.TemporaryDirectory(prefix="onnxfi-emulated-")
    config.add_cleanup(made.cleanup)
    folder = Path(made.name)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*emulator, sys.executable])} "$@"\n')
    python.chmod(0o755)
    # Read by every Python as it starts, so that what is started there is emulated as well.
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.executable = {str(python)!r}\n")
    path = (str(folder), *filter(None, [os.environ.get("PYTHONPATH")]))
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    sys.executable = str(python)
    multiprocessing.set_executable(sys.executable)


def _emulator() -> list[str]:
    """The command before Python's own: what this process really runs, without what it believes."""
    try:
        command = Path("/proc/thread-self/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []
    return command[: len(command) - len(sys.orig_argv)]


@pytest.fixture(autouse=True)
def in_the_projects_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths such as ``models/...`` are those of the documentation."""
    monkeypatch.chdir(ROOT)
