"""Channels: which index an element has along one axis of its tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a tensor whose elements are numbered in C order.

    Attributes:
        stride: Elements from one entry along the axis to the next.
        size: Entries along it.
    """

    stride: int
    size: int

    @classmethod
    def of_shape(cls, shape: Sequence[int], axis: int) -> Axis:
        """The axis at a position of a shape; negative positions count from the end."""
        place = axis % len(shape)
        return cls(stride=math.prod(shape[place + 1 :]), size=shape[place])

    def of(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Entry along the axis of each flat index, int64 of the same shape."""
        found: NDArray[np.int64] = index // self.stride % self.size
        return found


WHOLE = Axis(stride=1, size=1)
"""Tensors that are not divided into channels: everything is channel 0."""
