"""Tags: stored values that number their own elements, recognised in an optimised graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, from_words, to_words
from onnxfi.faults import FaultSite
from onnxfi.inject import layout_of

# How many whole numbers (or words) from 2 on a type holds exactly. 0 is what onnxruntime pads with,
# and with 0 and 1 it simplifies. A base of 2^20 leaves a second pass to models over a million
# weights, and tags that survive being multiplied and divided again.
_BASES: Mapping[ElementType, int] = MappingProxyType(
    {
        ElementType.DOUBLE: 1 << 22,
        ElementType.FLOAT: 1 << 20,
        ElementType.FLOAT16: 1 << 10,
        ElementType.BFLOAT16: 1 << 7,
        ElementType.INT8: 250,
        ElementType.UINT8: 250,
        ElementType.INT16: 1 << 15,
        ElementType.UINT16: 1 << 15,
        ElementType.INT32: 1 << 22,
        ElementType.UINT32: 1 << 22,
        ElementType.INT64: 1 << 22,
        ElementType.UINT64: 1 << 22,
        ElementType.INT4: 14,
        ElementType.UINT4: 14,
        # Words, not values: those of numbers below 1.
        ElementType.FLOAT8E4M3FN: 50,
        ElementType.FLOAT8E4M3FNUZ: 50,
        ElementType.FLOAT8E5M2: 50,
        ElementType.FLOAT8E5M2FNUZ: 50,
    }
)
_FIRST = 2
_MANY = 1 << 20
_MOST = 1 << 40  # more elements than any model has
_FLOATS = frozenset(
    {ElementType.DOUBLE, ElementType.FLOAT, ElementType.FLOAT16, ElementType.BFLOAT16}
)


def can_tag(element: ElementType) -> bool:
    """Whether elements of this type can be numbered."""
    return element in _BASES


def converted(words: Words, stored: ElementType, wanted: ElementType) -> Words:
    """Words of a related element type that stand for the same values.

    onnxruntime keeps half-precision weights in single precision for kernels that compute so.
    """
    if stored is wanted:
        return words
    # Widening a signalling NaN raises the invalid flag, which says nothing here.
    with np.errstate(all="ignore"):
        values = from_words(words, stored, words.shape).astype(format_of(wanted).value)
    return to_words(values, wanted)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbering:
    """One number for every element of some stored tensors, written out in digits.

    Float types share one numbering, since onnxruntime may convert between them; each integer
    type has one of its own.

    Attributes:
        starts: Number of the first element of each tensor, by name.
        sizes: How many elements it has.
        elements: Its element type.
    """

    starts: Mapping[str, int]
    sizes: Mapping[str, int]
    elements: Mapping[str, ElementType]

    @staticmethod
    def of(sites: Sequence[FaultSite]) -> Numbering:
        """Number the elements of stored sites, in their order."""
        starts: dict[str, int] = {}
        counts: dict[str, int] = {}
        for site in sites:
            family = _family(site.element)
            starts[site.name] = counts.get(family, 0)
            counts[family] = starts[site.name] + layout_of(site).elements
        return Numbering(
            starts=starts,
            sizes={site.name: layout_of(site).elements for site in sites},
            elements={site.name: site.element for site in sites},
        )

    @property
    def passes(self) -> int:
        """Digits that the largest number needs."""
        most = 1
        for name, start in self.starts.items():
            base = self._base(self.elements[name])
            while base**most < start + self.sizes[name]:
                most += 1
        return most

    def tags(self, digit: int) -> dict[str, Words]:
        """Words of all tensors that show one digit of each number, 0 the lowest."""
        found = {}
        for name, start in self.starts.items():
            element = self.elements[name]
            numbers = np.arange(start, start + self.sizes[name], dtype=np.int64)
            digits = _digits(numbers, self._base(element), digit)
            values = (digits + _FIRST).astype(np.uint64)
            form = format_of(element)
            if element in _FLOATS:
                found[name] = to_words(values.astype(np.float64).astype(form.value), element)
            else:
                found[name] = values.astype(form.word)
        return found

    def read(self, shown: Sequence[Words], element: ElementType) -> NDArray[np.int64]:
        """The numbers that a tensor shows, given its words under each digit; -1 for none."""
        base = self._base(element)
        number = np.zeros(shown[0].size, np.int64)
        valid = np.ones(shown[0].size, np.bool_)
        for place, words in enumerate(shown):
            digit = _whole(words, element)
            valid &= (digit >= 0) & (digit < base)
            if base**place > _MOST:
                valid &= digit == 0
            else:
                number += np.where(valid, digit, 0) * base**place
        return np.where(valid, number, -1)

    def among(self, sites: Sequence[FaultSite], numbers: NDArray[np.int64]) -> Sequence[FaultSite]:
        """Those of some sites that the numbers may be of: a model has many, a tensor few."""
        valid = numbers[numbers >= 0]
        if not valid.size:
            return ()
        low, high = int(valid.min()), int(valid.max())
        starts, sizes = self.starts, self.sizes
        return [s for s in sites if starts[s.name] <= high and starts[s.name] + sizes[s.name] > low]

    def elements_of(self, name: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which elements of a tensor the numbers are, -1 for those of other tensors."""
        start, size = self.starts[name], self.sizes[name]
        mine = (numbers >= start) & (numbers < start + size)
        return np.where(mine, numbers - start, -1)

    def _base(self, element: ElementType) -> int:
        if element not in _FLOATS:
            return _BASES[element]
        return min(
            _BASES[other] for other in (*self.elements.values(), element) if other in _FLOATS
        )


def _digits(numbers: NDArray[np.int64], base: int, place: int) -> NDArray[np.int64]:
    power = int(base**place)
    if power > _MOST:
        return np.zeros_like(numbers)
    digits: NDArray[np.int64] = numbers // power % base
    return digits


def _family(element: ElementType) -> str:
    return "floats" if element in _FLOATS else element.name


def related(stored: ElementType, other: ElementType) -> bool:
    """Whether elements of two types share one numbering."""
    return _family(stored) == _family(other)


def _whole(words: Words, element: ElementType) -> NDArray[np.int64]:
    """Digits that words show, -1 where they show none."""
    if element not in _FLOATS:
        # Kept small enough for the signed type, since what is no digit may be anything.
        capped = np.minimum(words.astype(np.uint64), np.uint64(_MOST))
        digits: NDArray[np.int64] = capped.astype(np.int64) - _FIRST
        return digits
    with np.errstate(all="ignore"):
        values = from_words(words, element, words.shape).astype(np.float64)
    whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < _MOST)
    found: NDArray[np.int64] = np.where(whole, values, 1).astype(np.int64) - _FIRST
    return found


def random_words(sites: Sequence[FaultSite], draw: int = 0) -> dict[str, Words]:
    """Ordinary values that no optimisation singles out, the same in every process.

    Args:
        sites: Stored sites.
        draw: Which of several independent draws.
    """
    rng = np.random.default_rng((len(sites), draw) if draw else len(sites))
    found = {}
    for site in sites:
        elements, form = layout_of(site).elements, format_of(site.element)
        if "exponent" in form.fields:
            values = rng.uniform(0.5, 3.5, elements).astype(form.value)
            found[site.name] = to_words(values, site.element)
        else:
            found[site.name] = rng.integers(2, min(form.mask >> 1, _MANY), elements).astype(
                form.word
            )
    return found
