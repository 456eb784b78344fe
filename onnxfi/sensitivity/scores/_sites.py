"""Scores of the faults of one site: of a stored tensor, of a computed one, or by bit alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, from_words
from onnxfi.faults import Columns
from onnxfi.sensitivity.scores._response import DOWN, UP, Axis, Response


class WordChange(NamedTuple):
    """Differences of decoded values.

    Attributes:
        amount: float64, faulty minus fault-free value; 0 where it is not finite.
        broken: bool of the same shape: the faulty value is infinite or NaN, and the
            fault-free one is not.
    """

    amount: NDArray[np.float64]
    broken: NDArray[np.bool_]


def change(words: Words, columns: Columns, element: ElementType) -> WordChange:
    """What faults do to the elements that they touch.

    Args:
        words: Words of those elements, one a fault along the last axis.
        columns: The faults; masks only.
        element: Element type.

    Returns:
        Arrays of the shape of ``words``.
    """
    word = format_of(element).word.type
    with np.errstate(over="ignore"):
        kept = columns.and_mask.astype(word)
        flipped = columns.xor_mask.astype(word)
    before = _decoded(words, element)
    after = _decoded((words & kept) ^ flipped, element)
    with np.errstate(invalid="ignore", over="ignore"):
        amount = after - before
    broken = ~np.isfinite(after) & np.isfinite(before)
    return WordChange(np.where(np.isfinite(amount), amount, 0.0), broken)


def _decoded(words: Words, element: ElementType) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return from_words(words.reshape(-1), element, words.shape).astype(np.float64)


_POOL = 256  # words that stand for a channel
_LIKE_SEEN = 2.0  # how many samples of its own the words of an element's channel count for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComputedScores:
    """How likely faults in a computed tensor are to fail.

    Attributes:
        element: Element type.
        words: (calibration samples, elements of a sample): what the tensor held.
        axis: Its channels.
        response: What a shift of one element does.
        pooled: float64 (channels, width): share of the answers lost by a flip of each bit, bit 0
            first, over what all elements of the channel held, and a little of what those of other
            channels did.
    """

    element: ElementType
    words: Words
    axis: Axis
    response: Response
    pooled: NDArray[np.float64]

    @classmethod
    def of_words(
        cls, words: Words, element: ElementType, axis: Axis, response: Response
    ) -> ComputedScores:
        """Scores from what was seen; arguments as the attributes."""
        pooled = _pooled(words, element, axis, response)
        return cls(element=element, words=words, axis=axis, response=response, pooled=pooled)

    def lost(self, columns: Columns) -> NDArray[np.float64]:
        """Share of answers lost for each row of columns, float64 (r,).

        The mean over the samples that were seen, and, for what an element holds in others, of its
        channel: a number that grows large by a flip of bit 27 may be seen once in a hundred
        samples, but not in this element.
        """
        channel = self.axis.of(columns.index)
        total = np.zeros(len(columns.index))
        for held in self.words:
            total += _lost(held[columns.index], columns, channel, self.element, self.response)
        alike = _LIKE_SEEN * worst_bit(self.pooled[channel % len(self.pooled)], columns)
        found: NDArray[np.float64] = (total + alike) / (len(self.words) + _LIKE_SEEN)
        return found


def worst_bit(by_bit: NDArray[np.float64], columns: Columns) -> NDArray[np.float64]:
    """The largest number among those of the bits that each row touches.

    Args:
        by_bit: float64 (rows or 1, width), bit 0 first.
        columns: The faults.

    Returns:
        float64 (rows,).
    """
    touched = ~columns.and_mask | columns.xor_mask
    found = np.zeros(len(columns.index))
    for bit in np.flatnonzero(by_bit.any(axis=0)).tolist():
        hit = (touched >> np.uint64(bit) & np.uint64(1)).astype(np.bool_)
        found = np.maximum(found, np.where(hit, by_bit[:, bit], 0.0))
    return found


def _lost(
    words: Words,
    columns: Columns,
    channel: NDArray[np.int64],
    element: ElementType,
    response: Response,
) -> NDArray[np.float64]:
    """What faults in some words lose, one a row."""
    found = change(words, columns, element)
    channel = channel % response.channels
    dose = np.abs(found.amount) / response.spread
    seen = response.at(channel, np.where(found.amount > 0, UP, DOWN), dose)
    return np.where(found.broken, response.broken[channel], seen)


def _pooled(
    words: Words, element: ElementType, axis: Axis, response: Response
) -> NDArray[np.float64]:
    """Mean share lost by channel and bit, over words spread evenly over a channel's."""
    width = format_of(element).width
    entry = axis.of(np.arange(words.shape[1]))
    order = np.argsort(entry, kind="stable")
    ends = np.searchsorted(entry[order], np.arange(axis.size + 1))
    found = np.zeros((axis.size, width))
    held = np.diff(ends) * len(words)
    for channel in range(axis.size):
        mine = words[:, order[ends[channel] : ends[channel + 1]]].reshape(-1)
        if not len(mine):
            continue
        some = mine[np.linspace(0, len(mine) - 1, min(len(mine), _POOL)).astype(np.int64)]
        bits = np.repeat(np.arange(width, dtype=np.uint64), len(some))
        flips = Columns(
            owner=np.arange(len(bits)),
            index=np.zeros(len(bits), np.int64),
            and_mask=np.full(len(bits), ~np.uint64(0)),
            xor_mask=np.uint64(1) << bits,
        )
        here = np.full(len(bits), channel)
        lost = _lost(np.tile(some, width), flips, here, element, response)
        found[channel] = lost.reshape(width, len(some)).mean(axis=1)
    # A channel of one element has no more to tell of it; the others have.
    weight = held[:, None]
    pooled: NDArray[np.float64] = (weight * found + _LIKE_SEEN * found.mean(axis=0)) / (
        weight + _LIKE_SEEN
    )
    return pooled


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
