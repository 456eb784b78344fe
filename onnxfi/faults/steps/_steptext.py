"""Steps as text: the choice of time steps or iterations that ``--step`` takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from onnxfi.errors import ConfigError

_MOST = 1_000_000
_RANGE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


def parse_steps(text: str) -> tuple[int, ...]:
    """The steps that a text such as ``3``, ``2-5`` or ``0,4-6`` names, ascending and unique.

    Raises:
        ConfigError: The text is not a choice of steps.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ConfigError(f"{text!r} is not a choice of steps such as 3, 2-5 or 0,4-6")
        low, high = int(found[1]), int(found[2] or found[1])
        if low > high:
            raise ConfigError(f"steps {part.strip()!r} run backwards; write {high}-{low}")
        if high >= _MOST:
            raise ConfigError(f"step {high} is out of range (0..{_MOST - 1})")
        chosen.update(range(low, high + 1))
    return tuple(sorted(chosen))


def steps_text(steps: Sequence[int]) -> str:
    """The text that :func:`parse_steps` reads back; empty for no steps.

    Args:
        steps: Ascending and unique.
    """
    runs: list[str] = []
    for _, run in groupby(enumerate(steps), key=lambda pair: pair[1] - pair[0]):
        members = [step for _, step in run]
        runs.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(runs)
