"""Candidates for trials: flipped bits of a stored tensor, and what they would change."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, format_of
from onnxfi.faults import FaultSite, in_tensor, site_bits
from onnxfi.graph import Model, initializer_words
from onnxfi.sampling import Stream, raw_bits

_MOST = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Single flips at a site, in an order that is random and depends on the seed alone.

    Attributes:
        numbers: int64 (m,): element times width, plus bit.
        element: int64 (m,): flat index of the element.
        bit: int64 (m,).
    """

    numbers: NDArray[np.int64]
    element: NDArray[np.int64]
    bit: NDArray[np.int64]


def candidates(site: FaultSite, seed: int) -> Candidates:
    """All bits of some elements of a site; of all elements unless there are thousands.

    Args:
        site: Where.
        seed: Chooses elements and order.

    Raises:
        FaultError: Its shape is not known.
    """
    width = format_of(site.element).width
    elements = site_bits(site) // width
    chosen = np.arange(elements)
    place = zlib.crc32(site.name.encode())
    if elements > _MOST:
        words = raw_bits(seed, Stream.TRIAL, 0, _MOST, k=place)
        chosen = np.unique((words % np.uint64(elements)).astype(np.int64))
    numbers = (chosen[:, None] * width + np.arange(width)).reshape(-1)
    order = np.argsort(raw_bits(seed, Stream.TRIAL, _MOST, len(numbers), k=place), kind="stable")
    numbers = numbers[order]
    return Candidates(numbers=numbers, element=numbers // width, bit=numbers % width)


def distinct(found: Candidates, ranked: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The first few candidates that are at different elements.

    Args:
        found: Candidates.
        ranked: int64 (n,): positions of some of them, best first.
        most: How many are wanted.

    Returns:
        int64 (at most ``most``,): positions, best first.
    """
    _, first = np.unique(found.element[ranked], return_index=True)
    return ranked[np.sort(first)[:most]]


def stored_words(model: Model, site: FaultSite) -> Words:
    """Words of a stored site, one an element: of one gate only those that it reads."""
    words = initializer_words(model, site.tensor)
    if site.gate is None or site.layout is None:
        return words
    return words[in_tensor(site, np.arange(site.layout.elements))]
