"""Rows as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

_TRUTH = (
    "target",
    "faults",
    "injected",
    "worst drop",
    "p0, drop 5 %",
    "critical",
    "p0, drop 25 %",
    "critical",
)
_FOUND = (
    "target",
    "method",
    "precision in 100",
    "ratio",
    "ceiling",
    "of the best",
    "top 100",
    "own draws",
    "probes",
)
_RATE = (
    "target",
    "method",
    "variance reduction",
    "probes paid",
    "bias",
    "spread",
    "coverage",
    "of the bound",
    "width",
    "of the bound",
)
_OWN = (
    "target",
    "sampler of its own",
    "precision",
    "failing faults out of reach",
    "variance reduction",
    "coverage",
)
_BOUND = ("target without failing faults", "method", "bound", "by uniform draws")


def markdown(rows: Sequence[Row], drop: float = 0.05) -> str:
    """Tables of truths, searches, estimates, samplers of their own, and bounds.

    Args:
        rows: All rows.
        drop: The threshold that all but the first are about.
    """
    truths = [row for row in rows if row["task"] == "truth"]
    mine = [row for row in rows if row["drop"] == drop]
    bounds = [row for row in mine if row["task"] == "bound"]
    parts = [
        _table(_TRUTH, _truth_lines(truths)),
        _table(_FOUND, _found_lines([row for row in mine if row["task"] != "truth"])),
        _table(_RATE, [_rate_line(row) for row in mine if row["task"] == "estimation"]),
        _table(_OWN, [_own_line(row) for row in mine if row["task"] == "draws" and "drawn" in row]),
        _table(_BOUND, [_bound_line(row) for row in bounds]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    text = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in text)


def _truth_lines(rows: Sequence[Row]) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        head = [
            row["target"],
            f"{row['faults']:,}",
            f"{row['injected']:,}",
            f"{row['worst_drop']:.2g}",
        ]
        line = found.setdefault(row["target"], head)
        line += [rate(row["p0"], exact=row["exact"]), f"{row['critical']:,}"]
    return list(found.values())


def _found_lines(rows: Sequence[Row]) -> list[list[str]]:
    by_key = {(row["target"], row["method"], row["task"]): row for row in rows}
    lines = []
    for (target, method, task), row in by_key.items():
        if task != "discovery":
            continue
        gain, precision = row["gain"], row["precision"]
        top = by_key.get((target, method, "top"))
        own = by_key.get((target, method, "draws"))
        spread = f"{precision['value']:.3f} ({precision['low']:.3f}–{precision['high']:.3f})"
        lines.append(
            [
                target,
                _name(method),
                spread,
                _ratio(gain),
                "-" if gain["ceiling"] is None else f"{gain['ceiling']:.3g}",
                "-" if gain["lift"] is None else f"{100 * gain['lift']:.0f} %",
                "-" if top is None else f"{top['precision']['value']:.3f}",
                "-" if own is None else f"{own['expected']:.3g}",
                f"{row['probes']:.0f}",
            ]
        )
    return lines


def _ratio(gain: Row) -> str:
    if gain["ratio"] is not None:
        return f"{gain['ratio']:.3g} ({gain['low']:.3g}–{gain['high']:.3g})"
    return "-" if gain["at_least"] is None else f"≥ {gain['at_least']:.3g}"


def _rate_line(row: Row) -> list[str]:
    low, high = row["coverage_interval"]
    return [
        row["target"],
        _name(row["method"]),
        f"{row['variance_reduction']:.3g}",
        f"{row['variance_reduction_paid']:.3g}",
        f"{100 * row['bias']:+.1f} %",
        f"{row['spread']:.3f}",
        f"{row['coverage']:.3f} ({low:.3f}–{high:.3f})",
        f"{row['bound_coverage']:.3f}",
        f"{row['width']:.2g}",
        f"{row['bound_width']:.2g}",
    ]


def _bound_line(row: Row) -> list[str]:
    bounds = [f"{row['bound']:.2g}", f"{row['uniform_bound']:.2g}"]
    return [row["target"], _name(row["method"]), *bounds]


def _own_line(row: Row) -> list[str]:
    reduction = row["variance_reduction"]
    return [
        row["target"],
        _name(row["method"]),
        f"{row['expected']:.3g}",
        f"{100 * row['missed']:.2g} %",
        "-" if reduction is None else f"{reduction:.3g}",
        f"{row['coverage']:.3f}",
    ]


def rate(p0: Row, *, exact: bool) -> str:
    """A failure rate, with its interval where it is estimated."""
    if exact:
        return f"{100 * p0['value']:.4g} %"
    if p0["value"] == 0:
        return f"≤ {100 * p0['high']:.2g} %"
    return f"{100 * p0['value']:.3g} % ({100 * p0['low']:.3g}–{100 * p0['high']:.3g})"


def _name(method: str) -> str:
    return method.replace("|", "\\|")  # what would be the end of a cell
