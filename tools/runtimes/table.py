"""The comparison as Markdown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from runtimes.compare import Line

SHOWN = 20
"""Decisions that differ are listed up to this number."""


def markdown(lines: Sequence[Line]) -> str:
    """A table of the lines, what differs in full, and what was refused and why."""
    columns = ("same", "ties", "as unfused", "finite in one", "differ")
    rows = [
        f"| model | faults | scenarios | decisions | faulty | {' | '.join(columns)} |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows += [_row(line) for line in lines if line.compared]
    notes = [
        f"- {line.model}, {line.case}, {note}"
        for line in lines
        for note in line.notes
        if not line.excused
    ]
    if notes:
        rows += ["", "Decisions that differ (onnxruntime first):", "", *notes[:SHOWN]]
        rows += [f"- and {len(notes) - SHOWN} more"] if len(notes) > SHOWN else []
    return "\n".join([*rows, *_refused(lines)])


def _row(line: Line) -> str:
    other = (line.ties, line.unfused, line.infinite, line.differ)
    counts = (line.compared, line.changed, line.compared - sum(other), *other)
    cells = [f"`{line.model}`", line.case, str(line.scenarios), *(f"{n:,}" for n in counts)]
    return f"| {' | '.join(cells)} |"


def _refused(lines: Sequence[Line]) -> list[str]:
    """What the other runtime refuses, a line for each reason, with the files counted by model."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    drawn: Counter[str] = Counter()
    for line in lines:
        drawn[line.model] += line.refused + line.scenarios
        if line.refused:
            found[line.reason][line.model] += line.refused
    if not found:
        return []
    texts = [
        f"- {reason}: " + ", ".join(f"`{m}` ({n} of {drawn[m]})" for m, n in models.items())
        for reason, models in found.items()
    ]
    return ["", "Files that the other runtime refuses, and are not compared:", "", *texts]
