"""Scores of faults in computed tensors: what they would do to values seen on real samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of
from onnxfi.faults import Columns
from onnxfi.sensitivity.scores._axis import Axis
from onnxfi.sensitivity.scores._change import change
from onnxfi.sensitivity.scores._response import DOWN, UP, Response

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
