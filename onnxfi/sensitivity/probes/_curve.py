"""Curves of dose and response from few probes: bisected where they rise, interpolated elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Apart = Callable[[float, float], bool]
"""Whether two shares lost differ by so much that what lies between has to be known."""


class Curve:
    """What is lost when one channel is shifted in one direction, known at some doses.

    More shift never loses less (propagation is nearly monotone in practice), so one probe with the
    largest dose tells a channel that never matters, and a rise is found by halving.

    Args:
        doses: float64 (d,), ascending.
        amounts: float64 (d,), what each dose adds, never falling: doses beyond what numbers can
            hold add the same, those below what they can tell apart add nothing.
        apart: Between which neighbouring probes to look further; elsewhere it is interpolated.
    """

    def __init__(
        self, doses: NDArray[np.float64], amounts: NDArray[np.float64], apart: Apart
    ) -> None:
        self._apart = apart
        # Doses that add the same are one place of the curve, that of the first of them.
        self._amounts, first, self._place = np.unique(
            amounts, return_index=True, return_inverse=True
        )
        self._doses = doses[first]
        self._lost = np.full(len(self._amounts), np.nan)
        self._lost[self._amounts == 0] = 0.0

    def wanted(self) -> Iterator[float]:
        """Amounts to probe next; none once the curve is known well enough."""
        known = np.flatnonzero(~np.isnan(self._lost))
        last = len(self._lost) - 1
        if not len(known) or known[-1] != last:
            yield float(self._amounts[last])
            return
        rising = np.maximum.accumulate(self._lost[known])
        # Before the first place: no shift, nothing lost.
        places, heights = [-1, *known.tolist()], [0.0, *rising.tolist()]
        for (low, before), (high, after) in pairwise(zip(places, heights, strict=True)):
            if high - low > 1 and self._apart(before, after):
                yield float(self._amounts[(low + high) // 2])

    def add(self, amount: float, lost: float) -> None:
        """What a probe has shown."""
        self._lost[np.searchsorted(self._amounts, amount)] = lost

    def lost(self) -> NDArray[np.float64]:
        """Share lost at every dose, float64 (d,), never falling."""
        known = np.flatnonzero(~np.isnan(self._lost))
        heights = np.maximum.accumulate(self._lost[known])
        scale = np.log(self._doses)
        found = np.interp(scale, scale[known], heights)
        before = self._doses < self._doses[known[0]]
        found[before] = heights[0] * (self._doses[before] / self._doses[known[0]]) ** 2
        whole: NDArray[np.float64] = found[self._place]
        return whole
