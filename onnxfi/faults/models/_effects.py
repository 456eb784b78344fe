"""Effects: the pairs of masks that a fault model can put on an element, numbered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Masks, flip, format_of, set_word, stuck_at_one, stuck_at_zero
from onnxfi.faults.models._columns import integer_column
from onnxfi.faults.models._selection import out_of_range
from onnxfi.faults.sites import FaultSite

Effect: TypeAlias = Literal["flip", "stuck0", "stuck1"]
_MAKERS = {"flip": flip, "stuck0": stuck_at_zero, "stuck1": stuck_at_one}


class Effects(Protocol):
    """A numbered set of mask pairs for elements of one width."""

    @property
    def count(self) -> int:
        """Number of mask pairs."""
        ...

    def masks(self, numbers: NDArray[np.int64]) -> Masks:
        """The pairs that numbers stand for; uint64 arrays of the same length."""
        ...

    def find(self, masks: Masks) -> int | None:
        """Number of one pair (two ints), or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinations:
    """One effect on every choice of ``size`` of the given bits.

    Choices are numbered in colexicographic order: the choice b_1 < ... < b_s of positions in
    ``bits`` has number C(b_1, 1) + ... + C(b_s, s) (the combinatorial number system).

    Attributes:
        bits: int64 (m,), ascending.
        size: Bits of one choice.
        effect: What happens to them.
        width: Width of the element.
    """

    bits: NDArray[np.int64]
    size: int
    effect: Effect
    width: int

    @property
    def count(self) -> int:
        """Number of choices."""
        return math.comb(len(self.bits), self.size)

    def masks(self, numbers: NDArray[np.int64]) -> Masks:
        """Masks of the numbered choices."""
        chosen = np.zeros(len(numbers), dtype=np.uint64)
        rest = numbers
        for level in range(self.size, 0, -1):
            below = np.array([math.comb(bit, level) for bit in range(len(self.bits))], np.int64)
            place = np.searchsorted(below, rest, side="right") - 1
            rest = rest - below[place]
            chosen |= np.uint64(1) << self.bits[place].astype(np.uint64)
        return _MAKERS[self.effect](chosen, self.width)

    def find(self, masks: Masks) -> int | None:
        """Number of the choice that a pair of masks is."""
        touched = touched_bits(masks, self.width)
        places = [place for place, bit in enumerate(self.bits.tolist()) if touched >> bit & 1]
        if _MAKERS[self.effect](touched, self.width) != masks or len(places) != self.size:
            return None
        number = sum(math.comb(place, level) for level, place in enumerate(places, start=1))
        return number if touched.bit_count() == self.size else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Effects written out one by one.

    Attributes:
        and_mask: uint64 (m,).
        xor_mask: uint64 (m,).
    """

    and_mask: NDArray[np.uint64]
    xor_mask: NDArray[np.uint64]

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.and_mask)

    def masks(self, numbers: NDArray[np.int64]) -> Masks:
        """Masks of the numbered rows."""
        return Masks(self.and_mask[numbers], self.xor_mask[numbers])

    def find(self, masks: Masks) -> int | None:
        """Number of the first row that is this pair of masks."""
        same = (self.and_mask == np.uint64(masks.and_mask)) & (
            self.xor_mask == np.uint64(masks.xor_mask)
        )
        return int(np.argmax(same)) if same.any() else None


def bit_runs(bits: NDArray[np.int64], length: int, effect: Effect, width: int) -> Table:
    """One effect on every run of ``length`` adjacent bits inside ``bits``, lowest first."""
    chosen = set(bits.tolist())
    starts = [bit for bit in bits.tolist() if chosen.issuperset(range(bit, bit + length))]
    runs = np.array([(2**length - 1) << start for start in starts], dtype=np.uint64)
    pair = _MAKERS[effect](runs, width)
    return Table(and_mask=np.asarray(pair.and_mask), xor_mask=np.asarray(pair.xor_mask))


def whole_word(word: int, width: int) -> Table:
    """The single effect that replaces an element by a word."""
    pair = set_word(word, width)
    return Table(
        and_mask=np.array([pair.and_mask], np.uint64), xor_mask=np.array([pair.xor_mask], np.uint64)
    )


def bit_masks(name: str, values: Sequence[Any], site: FaultSite, effect: Effect) -> Masks:
    """One effect on bits of a site by their numbers, as people write them into fault lists.

    Args:
        name: Name of the column, for messages.
        values: Bit numbers.
        site: Whose bits they are.
        effect: What happens to them.

    Raises:
        FaultError: The site's elements have no such bit.
    """
    form, bits = format_of(site.element), integer_column(name, values)
    outside = (bits < 0) | (bits >= form.width)
    if outside.any():
        raise out_of_range(int(bits[outside][0]), site)
    return _MAKERS[effect](np.uint64(1) << bits.astype(np.uint64), form.width)


def touched_bits(masks: Masks, width: int) -> int:
    """Bits that one pair of masks (two ints) clears, sets or flips."""
    return int(~masks.and_mask | masks.xor_mask) & ((1 << width) - 1)
