"""The results as the Markdown tables that the documentation quotes."""

from __future__ import annotations

from collections.abc import Sequence

from spikestudy.results import Result

_TITLES = {
    "part": "By part of the neuron",
    "layer": "Weights and biases by layer",
    "step": "Currents, membranes and spikes by time step",
    "dead": "One dead neuron",
    "saturated": "One saturated neuron",
    "dead crowd": "Several dead neurons",
    "saturated crowd": "Several saturated neurons",
}


def tables(found: Sequence[Result]) -> str:
    """All tables, one a group, networks below each other."""
    lines: list[str] = []
    for group, title in _TITLES.items():
        rows = [each for each in found if each.group == group]
        if not rows:
            continue
        lines += [f"### {title}", "", *_head(group), *map(_row, rows), ""]
        if any(each.spikes for each in rows):
            lines += _spikes(rows)
    return "\n".join(lines)


def _head(group: str) -> list[str]:
    what = "neurons" if group.endswith("crowd") else group.split()[0]
    if group in ("dead", "saturated"):
        what = "layer"
    return [
        f"| network | {what} | scenarios | masked | tolerable | critical | due | failed (95 %) "
        "| accuracy | worst |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]


def _row(each: Result) -> str:
    shares = " | ".join(_share(each.outcomes[name]) for name in each.outcomes)
    value, low, high = each.failed
    count = f"{each.scenarios}{' (all)' if each.scenarios == each.space else ''}"
    return (
        f"| {each.network} | {each.key} | {count} | {shares} "
        f"| {value:.4f} ({low:.4f}–{high:.4f}) | {each.accuracy[0]:.3f} | {each.worst:.3f} |"
    )


def _spikes(rows: Sequence[Result]) -> list[str]:
    lines = [
        "| network | stuck in | spikes of | a sample | scenarios that change them | mean change "
        "| most lost | most gained |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for each in rows:
        for layer, (golden, changed, change, least, most) in each.spikes.items():
            lines.append(
                f"| {each.network} | {each.key} | {layer} | {golden:.0f} | {100 * changed:.0f} % "
                f"| {change:+.2f} | {least:+.2f} | {most:+.2f} |"
            )
    return [*lines, ""]


def _share(value: float) -> str:
    if value in (0.0, 1.0):
        return f"{100 * value:.0f} %"
    return f"{100 * value:.2f} %"
