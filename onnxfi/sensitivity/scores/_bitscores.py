"""Scores by bit alone: of tensors whose words can't be seen before a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.faults import Columns
from onnxfi.sensitivity.scores._computed import worst_bit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BitScores:
    """How likely faults in a tensor are to fail, by the bits that they touch.

    Attributes:
        element: Element type.
        by_bit: float64 (width,): share of the answers that flips of a bit lose on average, bit 0
            first.
    """

    element: ElementType
    by_bit: NDArray[np.float64]

    def lost(self, columns: Columns) -> NDArray[np.float64]:
        """Share of answers lost for each row of columns, float64 (r,): of the worst bit touched."""
        return worst_bit(self.by_bit[None], columns)
