"""The rows with the largest keys of a stream, in memory for those rows only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SPARE = 1 << 16  # rows held beyond twice those wanted, so that thinning out is rare


class Rows(NamedTuple):
    """Faults with their keys.

    Attributes:
        numbers: int64 (m,), fault numbers.
        key: float64 (m,), what they are ordered by, falling.
        tie: float64 (m,), what faults of equal keys are ordered by, rising; where that is equal,
            too, they come by number.
    """

    numbers: NDArray[np.int64]
    key: NDArray[np.float64]
    tie: NDArray[np.float64]

    def order(self) -> NDArray[np.int64]:
        """Positions in order."""
        return np.lexsort((self.numbers, self.tie, -self.key))

    def at(self, positions: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(self.numbers[positions], self.key[positions], self.tie[positions])


class Best:
    """Keeps the first rows of all that are added."""

    def __init__(self, most: int) -> None:
        """Begin with none.

        Args:
            most: Rows to keep.
        """
        self._most = most
        self._parts: list[Rows] = []
        self._held = 0
        self._last: tuple[float, float] | None = None

    def add(
        self,
        numbers: NDArray[np.int64],
        key: NDArray[np.float64],
        tie: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    ) -> None:
        """Add rows.

        Args:
            numbers: int64 (m,).
            key: float64 (m,).
            tie: The ties of rows at some positions; asked only for those that may be kept.
        """
        if self._last is None:
            kept = np.arange(len(numbers))
        else:
            kept = np.flatnonzero(key >= self._last[0])
        rows = Rows(numbers[kept], key[kept], tie(kept))
        if self._last is not None:
            # Where many keys are equal, most of them are beyond the last row all the same.
            least, most = self._last
            rows = rows.at(np.flatnonzero((rows.key > least) | (rows.tie <= most)))
        if not len(rows.numbers):
            return
        self._parts.append(rows)
        self._held += len(rows.numbers)
        if self._held > 2 * self._most + _SPARE:
            self._thin()

    def sorted(self) -> Rows:
        """The rows kept, in order."""
        rows = self._joined()
        return rows.at(rows.order()[: self._most])

    def _thin(self) -> None:
        rows = self.sorted()
        self._parts, self._held = [rows], len(rows.numbers)
        if self._held == self._most:
            self._last = float(rows.key[-1]), float(rows.tie[-1])

    def _joined(self) -> Rows:
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        return Rows(*columns)
