"""What all tests share: the project's root, and an emulator that they may run under."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would assert a time, and machines are busy.
settings.register_profile("onnxfi", deadline=None)
settings.load_profile("onnxfi")

ROOT = Path(__file__).resolve().parents[1]

#: Sizes and times at which the package goes another way. Tests lower them, so that what is small
#: and quick goes that way, too.
_BOUNDS = {
    "file_bytes": "onnxfi.graph.io.sizes.PROTOBUF_BYTES",
    "write_chunk": "onnxfi.graph.io.sizes.CHUNK_BYTES",
    "held_bytes": "onnxfi.graph.io.sizes.HELD_BYTES",
    "mapped_bytes": "onnxfi.graph.io.sizes.MAPPED_BYTES",
    "traced_elements": "onnxfi.inject._able._MOST_ELEMENTS",
    "trace_bytes": "onnxfi.engine._trace._HELD_BYTES",
    "values_at_first": "onnxfi.engine.study._values._FIRST",
    "values_bytes": "onnxfi.engine.study._values._GROUP_BYTES",
    "iterations_bytes": "onnxfi.engine.study._nested._LARGEST_BYTES",
    "scores_together": "onnxfi.sensitivity.scores._summary._TOGETHER",
    "line_every_s": "onnxfi.cli._progress.LINE_EVERY_S",
}


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


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give bounds of the package other values, by the names in ``_BOUNDS``."""

    def change(**values: float) -> None:
        for name, value in values.items():
            monkeypatch.setattr(_BOUNDS[name], value)

    return change
