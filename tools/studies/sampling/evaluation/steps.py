"""Commands of onnxfi, run one after the other, and what each one cost; stopped, they go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_COMMAND = "import sys; from onnxfi.cli import main; sys.exit(main())"
#: What ru_maxrss counts in.
_UNIT = 1 if sys.platform == "darwin" else 1024


class StepError(Exception):
    """A command stopped before its end; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a step took.

    Attributes:
        wall_s: Seconds that passed.
        cpu_s: Seconds that processors worked on it.
        peak_mib: The most memory that it held.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            wall_s=self.wall_s + other.wall_s,
            cpu_s=self.cpu_s + other.cpu_s,
            peak_mib=max(self.peak_mib, other.peak_mib),
        )


def step(folder: Path, name: str, arguments: Sequence[str]) -> Cost:
    """Run ``onnxfi`` with the arguments, unless it has come to its end before.

    What it prints goes into ``folder/NAME.txt``.

    Returns:
        What it took, all starts together.

    Raises:
        StepError: It stopped before its end, by an error or a signal.
    """
    log = folder / "costs.jsonl"
    before = _known(log, name)
    if before and before[-1][0] == 0:
        return _sum(before)
    with (folder / f"{name}.txt").open("w", encoding="utf-8") as printed:
        code, cost = _run([sys.executable, "-c", _COMMAND, *arguments], printed.fileno())
    with log.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"step": name, "code": code, **asdict(cost)}) + "\n")
    if code != 0:
        raise StepError(f"onnxfi {' '.join(arguments)}: exit code {code}; the same line goes on")
    return _sum([*before, (code, cost)])


def _run(command: Sequence[str], output: int) -> tuple[int, Cost]:
    started = time.monotonic()
    # OMP_NUM_THREADS: numpy's; onnxfi gives each onnxruntime session one thread by itself.
    process = subprocess.Popen(command, stdout=output, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while True:
        try:
            _, status, used = os.wait4(process.pid, 0)
            break
        except KeyboardInterrupt:  # it got the signal as well, and stores what is finished
            continue
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, Cost(
        wall_s=time.monotonic() - started,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss * _UNIT / 2**20,
    )


def _known(log: Path, name: str) -> list[tuple[int, Cost]]:
    if not log.exists():
        return []
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.pop("step") == name:
            code = entry.pop("code")
            found.append((code, Cost(**entry)))
    return found


def _sum(runs: Sequence[tuple[int, Cost]]) -> Cost:
    total = runs[0][1]
    for _, cost in runs[1:]:
        total += cost
    return total
