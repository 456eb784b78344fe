"""Masks: the one primitive ``x' = (x & and_mask) ^ xor_mask``, its composition and merging."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_Mask = TypeVar("_Mask", int, NDArray[np.uint64])
_WORD = 64


class Masks(NamedTuple):
    """A fault on one element, or on many in columns.

    Attributes:
        and_mask: Bits that are kept; an int, or a uint64 array.
        xor_mask: Bits that are flipped afterwards; likewise.
    """

    and_mask: int | NDArray[np.uint64]
    xor_mask: int | NDArray[np.uint64]


def flip(mask: _Mask, width: int = _WORD) -> Masks:
    """Invert the bits of ``mask`` in an element of ``width`` bits."""
    return Masks(_keep(mask, width), mask)


def stuck_at_zero(mask: _Mask, width: int = _WORD) -> Masks:
    """Set the bits of ``mask`` to 0."""
    return Masks(_keep(mask, width) ^ mask, mask ^ mask)


def stuck_at_one(mask: _Mask, width: int = _WORD) -> Masks:
    """Set the bits of ``mask`` to 1."""
    return Masks(_keep(mask, width) ^ mask, mask)


def set_word(word: _Mask, width: int = _WORD) -> Masks:
    """Replace the whole word; bits of ``word`` above ``width`` are dropped."""
    return Masks(word ^ word, word & _keep(word, width))


def compose(first: Masks, second: Masks) -> Masks:
    """One pair of masks that does what ``first`` and then ``second`` do."""
    # Any: numpy's stubs have no overload for the union of an int and an array.
    and_mask: Any = first.and_mask & second.and_mask
    xor_mask: Any = (first.xor_mask & second.and_mask) ^ second.xor_mask
    return Masks(and_mask, xor_mask)


def merge(
    index: NDArray[np.int64], and_mask: NDArray[np.uint64], xor_mask: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Compose faults on the same element, so that every element occurs once.

    Args:
        index: int64 (k,), element of each fault, in list order.
        and_mask: uint64 (k,).
        xor_mask: uint64 (k,).

    Returns:
        The same three columns with ascending unique indices; the very same arrays if they have
        them already.
    """
    if (index[1:] > index[:-1]).all():  # often so, and sorting is what takes longest
        return index, and_mask, xor_mask
    order = np.argsort(index, kind="stable")
    index, and_mask, xor_mask = index[order], and_mask[order], xor_mask[order]
    # Composition is associative, so each pass joins neighbours: m faults on one element take
    # log2(m) passes over the whole column.
    while True:
        again = index[1:] == index[:-1]
        if not again.any():
            return index, and_mask, xor_mask
        first = np.flatnonzero(np.concatenate(([True], ~again)))
        counts = np.diff(np.append(first, len(index)))
        rank = np.arange(len(index)) - np.repeat(first, counts)
        kept = np.flatnonzero(rank % 2 == 0)
        paired = kept[(kept + 1 < len(index))]
        paired = paired[again[paired]]
        and_mask, xor_mask = and_mask.copy(), xor_mask.copy()
        later = paired + 1
        xor_mask[paired] = (xor_mask[paired] & and_mask[later]) ^ xor_mask[later]
        and_mask[paired] &= and_mask[later]
        index, and_mask, xor_mask = index[kept], and_mask[kept], xor_mask[kept]


def _keep(mask: _Mask, width: int) -> _Mask:
    """All ones of ``width`` bits, in the shape of ``mask``."""
    full = (1 << width) - 1
    if isinstance(mask, int):
        return full
    return np.full_like(mask, full)
