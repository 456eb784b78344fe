"""The CUDA provider on a machine without a GPU: stand-in libraries, built once, and a probe.

It proves where nodes go and what is copied, nothing about numbers. Tests are skipped where the
stand-ins can't be built or don't fit the installed onnxruntime.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROVIDER = Path(onnxruntime.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
START = """
import onnxruntime as ort
from onnxfi.cli import TINY_MODEL
session = ort.InferenceSession(TINY_MODEL, providers=["CUDAExecutionProvider"])
assert "CUDAExecutionProvider" in session.get_providers()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A folder with stand-ins that the CUDA provider starts with."""

    folder: Path

    def run(
        self, command: list[str], log: Path, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with the stand-ins; what they saw goes to the log."""
        return subprocess.run(
            [sys.executable, *command],
            env={
                **os.environ,
                "LD_LIBRARY_PATH": str(self.folder),
                "STANDIN_LOG": str(log),
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    """The stand-ins, or a skip with the reason why there are none."""
    gcc = shutil.which("gcc")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the stand-in CUDA libraries are for Linux on x86-64")
    if gcc is None:
        pytest.skip("no gcc to build the stand-in CUDA libraries with")
    if not PROVIDER.exists():
        pytest.skip("this onnxruntime has no CUDA provider")
    if (PROVIDER.parents[2] / "nvidia").exists():
        pytest.skip("CUDA's own libraries are installed beside onnxruntime and would be loaded")
    folder = tmp_path_factory.mktemp("standin")
    command = [sys.executable, str(HERE / "build.py"), str(PROVIDER), str(folder), gcc]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if built.returncode:
        pytest.skip(f"the stand-in CUDA libraries can't be built: {built.stderr[-300:]}")
    made = StandIn(folder=folder)
    started = made.run(["-c", START], folder / "log")
    if started.returncode:
        pytest.skip(f"the stand-ins don't fit this onnxruntime: {started.stderr[-300:]}")
    return made


@pytest.fixture(scope="session")
def examined(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """What ``probe.py`` finds for some cases."""

    def examine(**cases: dict[str, Any]) -> dict[str, dict[str, Any]]:
        log = tmp_path_factory.mktemp("probe") / "log"
        done = standin.run([str(HERE / "probe.py")], log, json.dumps(list(cases.values())))
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""  # the provider's warnings about ScatterND included
        return dict(zip(cases, json.loads(done.stdout), strict=True))

    return examine
