"""The real command, as installed, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run ``onnxfi ARGUMENTS...``; the environment of the test run does not choose its options."""
    command = str(Path(sys.executable).parent / "onnxfi")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ONNXFI_")}

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *map(str, arguments)],
            cwd=cwd,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run
