"""Searching for doses at which losses begin, with as few trials as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from onnxfi.sensitivity.scores import DOSES, DOWN, UP

Rung = tuple[int, int]
"""Direction and position of a dose in ``DOSES``."""
Measured = dict[Rung, float]

_SAME = 0.05  # losses that differ by less are not told apart


def search(sizes: Mapping[Rung, int], measure: Callable[[Rung], float], most: int) -> Measured:
    """Measure losses at some doses: the largest first, then wherever they change most.

    Losses are taken to rise with the dose, so where the largest dose does nothing, nothing else is
    tried; where it loses something, doses are halved between those that lose differently.

    Args:
        sizes: How many trials a rung costs, by rung; those that faults reach.
        measure: Carries out the trials of a rung and gives the mean loss.
        most: Trials that may be spent; the largest dose of each direction is always tried.

    Returns:
        Losses by rung, of those tried.
    """
    measured: Measured = {}
    for direction in (UP, DOWN):
        places = [place for way, place in sizes if way == direction]
        if places:
            top = (direction, max(places))
            measured[top] = measure(top)
            most -= sizes[top]
    while True:
        gaps = [_widest(sizes, measured, way) for way in (UP, DOWN)]
        gap, rung = max(gaps, key=lambda each: each[0])
        if rung is None or gap < _SAME or sizes[rung] > most:
            return measured
        measured[rung] = measure(rung)
        most -= sizes[rung]


def curves(measured: Measured) -> NDArray[np.float64]:
    """Losses at all doses, from those at some.

    Between measured doses they are linear in the logarithm of the dose; below the smallest they
    fall with its square, above the largest they stay. A direction in which no fault goes has the
    losses of the other.

    Returns:
        float64 (2, doses), never falling with the dose.
    """
    scale = np.log(DOSES)
    lost = np.zeros((2, len(DOSES)))
    ways = {way for way, _ in measured}
    for way in ways:
        places = sorted(place for each, place in measured if each == way)
        values = [measured[way, place] for place in places]
        lost[way] = np.interp(scale, scale[places], values)
        below = slice(0, places[0])
        lost[way, below] = values[0] * (np.array(DOSES)[below] / DOSES[places[0]]) ** 2
    if len(ways) == 1:
        (way,) = ways
        lost[1 - way] = lost[way]
    found: NDArray[np.float64] = np.maximum.accumulate(lost, axis=1)
    return found


def _widest(
    sizes: Mapping[Rung, int], measured: Measured, direction: int
) -> tuple[float, Rung | None]:
    """Where neighbouring losses differ most, and the rung in the middle between them."""
    places = sorted(place for way, place in sizes if way == direction)
    below, best, middle = 0.0, 0.0, None
    untried: list[int] = []
    for place in places:
        rung = (direction, place)
        if rung not in measured:
            untried.append(place)
            continue
        gap = abs(measured[rung] - below)
        if untried and gap > best:
            best, middle = gap, (direction, untried[len(untried) // 2])
        below, untried = measured[rung], []
    return best, middle
