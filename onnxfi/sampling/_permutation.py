"""Keyed pseudo-random orders of [0, size): random access, without a list of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.sampling._random import Words, keyed_hash, raw_bits

_LISTED = 1024  # up to here a truly shuffled list costs less than it is worth avoiding
_ROUNDS = 12


class Permutation(Protocol):
    """An order of the integers in [0, size)."""

    def at(self, position: int) -> int:
        """The integer at a position."""
        ...

    def many(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The integers at many positions, int64 (n,)."""
        ...


def permutation(size: int, seed: int, stream: int, k: int = 0) -> Permutation:
    """The order of [0, size) that belongs to (seed, stream, k).

    Args:
        size: 1..2^62.
        seed: 0..2^64 - 1.
        stream: Which use of the seed.
        k: Which of the stream's orders.
    """
    if size <= _LISTED:
        order = np.argsort(raw_bits(seed, stream, 0, size, k=k), kind="stable")
        return Shuffled(order.astype(np.int64))
    keys = raw_bits(seed, stream, 0, 2 * _ROUNDS, k=k).tolist()
    return Feistel.of(size, list(zip(keys[::2], keys[1::2], strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Shuffled:
    """A small order, listed: every one of the size! orders is equally likely."""

    order: NDArray[np.int64]

    def at(self, position: int) -> int:
        """The integer at a position."""
        return int(self.order[position])

    def many(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The integers at many positions."""
        return self.order[positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feistel:
    """A large order, computed: a numeric Feistel network on [0, rows * columns).

    An integer x is a pair (x // columns, x % columns); each round adds a keyed hash of one half to
    the other, which can be undone, so every round is a permutation (Black and Rogaway, CT-RSA
    2002). The few integers that leave [0, size) are mapped again until they fall inside (cycle
    walking), which keeps it a permutation.

    Attributes:
        size: Number of integers.
        rows: Larger of the two factors, about sqrt(size); at most 2^31.
        columns: The other factor; rows * columns is less than size + rows.
        keys: Two 64-bit words a round.
    """

    size: int
    rows: int
    columns: int
    keys: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, size: int, keys: list[tuple[int, int]]) -> Feistel:
        """The network for a size, with one pair of keys a round."""
        rows = isqrt(size - 1) + 1
        return cls(size=size, rows=rows, columns=-(-size // rows), keys=tuple(keys))

    def at(self, position: int) -> int:
        """The integer at a position."""
        value = self._once(position)
        while value >= self.size:
            value = self._once(value)
        return int(value)

    def many(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The integers at many positions."""
        values = self._once(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self.size)
        while len(outside):
            values[outside] = self._once(values[outside])
            outside = outside[values[outside] >= self.size]
        return np.asarray(values, np.int64)

    def _once(self, value: Words) -> Words:
        left, right = value // self.columns, value % self.columns
        for turn, (first, second) in enumerate(self.keys):
            if turn % 2:
                right = (right + keyed_hash(left, first, second) % self.columns) % self.columns
            else:
                left = (left + keyed_hash(right, first, second) % self.rows) % self.rows
        return left * self.columns + right
