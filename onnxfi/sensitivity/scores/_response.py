"""Dose and response: how much is lost when a channel of a value is shifted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_LIKE_SEEN = 1.0  # samples that the mean of all channels counts for in each


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


UP, DOWN = 0, 1
DOSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 1e3, 1e6)
"""Shifts at which responses are known, in multiples of the value's spread."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """What shifting a channel of a value does to the model's answers.

    Attributes:
        value: Name of the value.
        spread: Standard deviation of the value over the calibration samples, in its own units;
            doses are multiples of it.
        doses: float64 (d,), ascending, positive.
        lost: float64 (channels, 2, d): share of the answers that are lost, 0..1, shifted
            upwards (``[:, UP]``) and downwards (``[:, DOWN]``); never falling with the dose.
        broken: float64 (channels,): the same where the channel is not finite.
    """

    value: str
    spread: float
    doses: NDArray[np.float64]
    lost: NDArray[np.float64]
    broken: NDArray[np.float64]

    @property
    def channels(self) -> int:
        """Channels of the value; 1 for one that is not divided."""
        return len(self.lost)

    def at(
        self,
        channel: NDArray[np.int64],
        direction: int | NDArray[np.int64],
        dose: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Share lost, by doses in multiples of the spread.

        Between known doses it is linear in the logarithm of the dose; below the first it falls
        with the dose's square, above the last it stays.

        Args:
            channel: int64 (m,).
            direction: ``UP`` or ``DOWN``, or int64 (m,) of them.
            dose: float64 (m,), from 0 up.

        Returns:
            float64 (m,).
        """
        known, first = len(self.doses), self.doses[0]
        flat = self.lost.reshape(-1)
        curve = (2 * channel + direction) * known  # where each curve begins
        found: NDArray[np.float64] = flat[curve] * np.minimum(dose / first, 1.0) ** 2
        above = np.flatnonzero(dose > first)  # most bits of most words do less
        if not len(above) or known == 1:
            return found
        inside = np.minimum(dose[above], self.doses[-1])
        place = np.searchsorted(self.doses, inside) - 1
        scale = np.log(self.doses)
        part = (np.log(inside) - scale[place]) / np.diff(scale)[place]
        begin = curve[above] + place
        found[above] = flat[begin] * (1 - part) + flat[begin + 1] * part
        return found


def towards_mean(response: Response, samples: int) -> Response:
    """Draw the channels of a measured response towards their mean.

    A channel of which none of thirty samples was lost is not one of which none ever is, if others
    are; but what no channel loses, such as shifts that a Relu cuts off, stays at 0.

    Args:
        response: As measured.
        samples: Samples that were looked at.
    """
    mean = response.lost.mean(axis=0)
    lost = (samples * response.lost + _LIKE_SEEN * mean) / (samples + _LIKE_SEEN)
    return replace(response, lost=lost)
