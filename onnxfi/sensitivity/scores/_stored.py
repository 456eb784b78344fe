"""Scores of faults in stored tensors: how far an element's fault shifts what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words
from onnxfi.faults import Columns
from onnxfi.sensitivity.scores._axis import Axis
from onnxfi.sensitivity.scores._change import change
from onnxfi.sensitivity.scores._response import DOWN, UP, Response


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gain:
    """How a change of an element of a stored tensor shifts the value that it goes into.

    The element's channel of that value, and the channel of what it is multiplied with, follow
    from its position. A change D > 0 shifts the channel upwards by D * up and downwards by
    D * down; a change D < 0 the other way round.

    Attributes:
        out: Axis of the stored tensor that becomes the value's channels.
        into: Axis of the stored tensor that runs over the channels of the other operand.
        group_out: Entries along ``out`` of one group of a grouped convolution; 0 for one group.
        unit: float64 (1,) or (channels,): doses (multiples of the value's spread) for each unit
            of the decoded word, before what it is multiplied with.
        up: float64 (operand channels,): what upward shifts it is multiplied with.
        down: Likewise, downward.
        up_share: float64 (operand channels,) or (1,): share of the samples in which the operand
            has what shifts upwards are made of; the others lose nothing.
        down_share: Likewise, downward.
    """

    out: Axis
    into: Axis
    unit: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]
    up_share: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    down_share: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    group_out: int = 0


class Shifts(NamedTuple):
    """What faults do to the value that their tensor goes into, one a row.

    Attributes:
        channel: int64 (r,), the channel that is shifted.
        up: float64 (r,), upward doses, in multiples of the value's spread.
        down: Likewise, downward.
        up_share: float64 (r,), share of the samples that are shifted upwards.
        down_share: Likewise, downward.
        broken: bool (r,): the fault leaves no finite number; the doses are then 0.
    """

    channel: NDArray[np.int64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]
    up_share: NDArray[np.float64]
    down_share: NDArray[np.float64]
    broken: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredScores:
    """How likely faults in a stored tensor are to fail.

    Attributes:
        element: Element type.
        words: The tensor's words.
        gain: How changes reach the value that the tensor goes into.
        response: What shifts of that value do.
    """

    element: ElementType
    words: Words
    gain: Gain
    response: Response

    def lost(self, columns: Columns) -> NDArray[np.float64]:
        """Share of answers lost for each row of columns, float64 (r,)."""
        found = self.shifts(columns)
        up = self.response.at(found.channel, UP, found.up) * found.up_share
        down = self.response.at(found.channel, DOWN, found.down) * found.down_share
        return np.where(found.broken, self.response.broken[found.channel], np.maximum(up, down))

    def shifts(self, columns: Columns) -> Shifts:
        """How far each row of columns shifts its channel."""
        index, gain = columns.index, self.gain
        found = change(self.words[index], columns, self.element)
        out, into = gain.out.of(index), gain.into.of(index)
        if gain.group_out:
            into = into + out // gain.group_out * gain.into.size
        size = np.abs(found.amount) * gain.unit[out % len(gain.unit)]
        raised = found.amount > 0
        rising = gain.up_share[into % len(gain.up_share)]
        falling = gain.down_share[into % len(gain.down_share)]
        return Shifts(
            channel=out % self.response.channels,
            up=size * np.where(raised, gain.up[into], gain.down[into]),
            down=size * np.where(raised, gain.down[into], gain.up[into]),
            up_share=np.where(raised, rising, falling),
            down_share=np.where(raised, falling, rising),
            broken=found.broken,
        )
