"""Scores of faults in computed tensors: what they would do to values seen on real samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words
from onnxfi.faults import Columns
from onnxfi.sensitivity._axis import Axis
from onnxfi.sensitivity._change import change
from onnxfi.sensitivity._response import DOWN, UP, Response


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComputedScores:
    """How likely faults in a computed tensor are to fail.

    Attributes:
        element: Element type.
        words: (calibration samples, elements of a sample): what the tensor held.
        axis: Its channels.
        response: What a shift of one element does.
    """

    element: ElementType
    words: Words
    axis: Axis
    response: Response

    def lost(self, columns: Columns) -> NDArray[np.float64]:
        """Share of answers lost for each row of columns, float64 (r,): mean over the samples."""
        channel = self.axis.of(columns.index) % self.response.channels
        total = np.zeros(len(columns.index))
        for held in self.words:
            found = change(held[columns.index], columns, self.element)
            dose = np.abs(found.amount) / self.response.spread
            up = self.response.at(channel, UP, dose)
            down = self.response.at(channel, DOWN, dose)
            seen = np.where(found.amount > 0, up, down)
            total += np.where(found.broken, self.response.broken[channel], seen)
        return total / len(self.words)
