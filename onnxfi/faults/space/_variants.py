"""Variants: what the faults of one element of a site are, where all elements have the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from onnxfi.faults.space._space import FaultSpace

_PROBES = 4096  # variants of one element that are looked at


class Variants(NamedTuple):
    """The faults of one element; those of the next follow in the same order.

    Attributes:
        elements: How many elements there are.
        bits: The bit of each variant, -1 where several are affected.
        fields: The field of each variant, empty where it is in several.
    """

    elements: int
    bits: tuple[int, ...]
    fields: tuple[str, ...]


def element_variants(space: FaultSpace, start: int, stop: int) -> Variants | None:
    """Bits and fields of the faults of one element of a segment.

    None unless every element has the same few variants, numbered element by element: that is so
    for the single-bit models of this package; of a user's own model it is checked at both ends.

    Args:
        space: The space.
        start: First fault number of a segment.
        stop: One past its last.
    """
    if not space.enumerable:
        return None
    site = space.sites[int(space.homes(np.array([start]))[0])]
    elements = site.layout.elements if site.layout else 0
    each, rest = divmod(stop - start, max(elements, 1))
    if rest or not 0 < each <= _PROBES:
        return None
    first = space.where(np.arange(start, start + each))
    last = space.where(np.arange(stop - each, stop))
    if not (np.array_equal(first.bit, last.bit) and np.array_equal(first.field, last.field)):
        return None
    return Variants(elements, tuple(first.bit.tolist()), tuple(first.field.tolist()))
