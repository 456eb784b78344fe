"""What a fault does to a number: the exact difference between the faulty and the stored value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, from_words
from onnxfi.faults import Columns


class Change(NamedTuple):
    """Differences of decoded values.

    Attributes:
        amount: float64, faulty minus fault-free value; 0 where it is not finite.
        broken: bool of the same shape: the faulty value is infinite or no number, and the
            fault-free one is not.
    """

    amount: NDArray[np.float64]
    broken: NDArray[np.bool_]


def change(words: Words, columns: Columns, element: ElementType) -> Change:
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
    return Change(np.where(np.isfinite(amount), amount, 0.0), broken)


def _decoded(words: Words, element: ElementType) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return from_words(words.reshape(-1), element, words.shape).astype(np.float64)
