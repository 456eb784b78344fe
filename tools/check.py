"""Run the project's gates: the one script that people and CI use.

``python tools/check.py`` runs all of them; ``python tools/check.py lint types`` some of them.
Tests marked ``heavy`` run only by name: ``python tools/check.py heavy``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATHS = ("onnxfi", "tests", "tools", "docs/toolchains")

# Arguments to this same interpreter, so that the gates are those of the environment in use.
GATES: dict[str, list[list[str]]] = {
    "format": [["-m", "ruff", "format", "--check", *PATHS]],
    "lint": [["-m", "ruff", "check", *PATHS]],
    "types": [["-m", "mypy"]],
    "layers": [["-c", "from importlinter.cli import lint_imports_command as lint; lint()"]],
    "size": [["tools/check_size.py"]],
    "tests": [
        ["-m", "pytest", "-n", "2", "--dist", "worksteal", "--cov", "--cov-report="],
        ["-m", "coverage", "report", "--skip-covered", "--fail-under=90"],
    ],
}

_HEAVY: dict[str, list[list[str]]] = {
    "heavy": [["-m", "pytest", "-n", "2", "--dist", "worksteal", "-m", "heavy"]],
}
_KNOWN = GATES | _HEAVY


def _run(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode


def main(names: list[str]) -> int:
    """Run the named gates (all if none is named), go on after a failure, return 0 if all held."""
    unknown = [name for name in names if name not in _KNOWN]
    if unknown:
        print(f"unknown gate {unknown[0]!r}; choose from: {', '.join(_KNOWN)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or GATES:
        started = time.monotonic()
        ok = all(_run(arguments) == 0 for arguments in _KNOWN[name])
        print(f"== {name}: {'ok' if ok else 'FAILED'} ({time.monotonic() - started:.0f} s)")
        if not ok:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
