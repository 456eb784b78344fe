"""The plots: outcomes by part and by step, accuracy against stuck neurons, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikestudy.results import Result
from spikestudy.svg import Drawing, Stack, stacked_bars

_OUTCOMES = {"tolerable": "#9ecae1", "critical": "#e6550d", "due": "#756bb1"}
_LINES = ("#3182bd", "#e6550d", "#31a354", "#756bb1")


def part_figure(found: Sequence[Result]) -> str:
    """Share of samples whose outputs differ, by part of the neuron and network."""
    return _outcomes(found, "part", "outcome of samples, one flipped sign or exponent bit")


def step_figure(found: Sequence[Result]) -> str:
    """The same by time step, for faults in currents, membranes and spikes."""
    return _outcomes(found, "step", "outcome of samples, one bit flipped in one time step")


def crowd_figure(found: Sequence[Result]) -> str:
    """Mean accuracy against the number of neurons that are stuck."""
    drawing = Drawing(width=760, height=340, title="accuracy with stuck neurons")
    curves = [
        (network, word)
        for network in dict.fromkeys(each.network for each in found)
        for word in ("dead", "saturated")
        if any(each.network == network and each.group == f"{word} crowd" for each in found)
    ]
    drawing.axes(
        x=[(math.log2(count), f"{count}") for count in (8, 16, 32, 64, 128, 256, 512, 1024)],
        y=[(value / 5, f"{value / 5:.1f}") for value in range(6)],
        labels=("stuck neurons of 2,112", "accuracy"),
    )
    for place, (network, word) in enumerate(curves):
        rows = [e for e in found if e.network == network and e.group == f"{word} crowd"]
        points = [(math.log2(int(each.key)), each.accuracy) for each in rows]
        drawing.curve(points, _LINES[place % len(_LINES)], f"{network}, {word}")
    return drawing.text()


def _outcomes(found: Sequence[Result], group: str, title: str) -> str:
    rows = [each for each in found if each.group == group]
    stacks = [
        Stack(
            group=each.key,
            label=each.network,
            parts=tuple((each.outcomes[name], _OUTCOMES[name]) for name in _OUTCOMES),
        )
        for each in rows
    ]
    return stacked_bars(stacks, tuple(_OUTCOMES.items()), title)
