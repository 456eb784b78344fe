"""Run the commands of a section of a documentation page, word for word, and show what they said.

They run in a folder that is emptied first and gets the project's `docs` and `models`: a third
argument, or one below build/full. `onnxfi` is the one of this environment. Printed is each command,
and of its output the lines that tell the result.

    python tools/run_section.py docs/toolchains.md PyTorch

Exits with the code of the first command that fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from full.environment import FOLDER, ROOT
from full.section import sections

TELLING = re.compile(r"are right|decide|^  stored bits|fault-free accuracy|scenarios that fail")
_SHOWN = 500


def _place(folder: Path) -> None:
    """Make the folder look like the project's root to the commands."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "runs").mkdir(parents=True)
    for name in ("docs", "models"):
        (folder / name).symlink_to(ROOT / name)


def _run(command: str, folder: Path) -> int:
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([here, os.environ["PATH"]])}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"$ {command}")
    for line in done.stdout.splitlines():
        if TELLING.search(line):
            print(re.sub(r"[├●┤─]+|  +(?=[├●┤─])", "", line).rstrip())
    if done.returncode:
        print(f"exit code {done.returncode}\n{done.stderr[-_SHOWN:]}")
    return done.returncode


def main(page: str, heading: str, place: str | None = None) -> int:
    """Run a section; 0 if all its commands did."""
    known = sections(Path(page))
    if heading not in known:
        print(f"{page} has no commands under {heading!r}; it has: {', '.join(known)}")
        return 2
    folder = Path(place) if place else FOLDER / re.sub(r"\W+", "-", heading.lower())
    _place(folder)
    print("```text")
    codes = (_run(command, folder) for command in known[heading].commands)
    failed = next((code for code in codes if code), 0)
    print("```")
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
