"""Virtual environments of steps that need packages of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from full.steps import Step

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "full"


def python_for(step: Step) -> Path:
    """The interpreter that a step runs with; makes its environment, or brings it up to date."""
    if not step.packages:
        return Path(sys.executable)
    home = FOLDER / f"venv-{step.name}"
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(home)])
    _run([str(python), "-m", "pip", "install", "-q", "-e", str(ROOT), *step.packages])
    return python


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)
