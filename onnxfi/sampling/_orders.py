"""Orders of all faults by their scores: priority sampling, and the highest scores first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import FaultSpace
from onnxfi.sampling._importance import Mixture
from onnxfi.sampling._random import Stream, uniforms
from onnxfi.sampling._sampler import Scores, check_listed
from onnxfi.sampling._scores import scored

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriorityOrder:
    """The first faults of a priority order.

    Attributes:
        numbers: int64 (n,), fault numbers, by falling key.
        weight: float64 (n,), sampling weight of each; over all faults of the space they sum to 1.
        key: float64 (n,), priority of each: its weight over a uniform number.
        next_key: Key of the fault that would come next; 0 if all are in.
    """

    numbers: NDArray[np.int64]
    weight: NDArray[np.float64]
    key: NDArray[np.float64]
    next_key: float


def priority_order(
    space: FaultSpace, scores: Scores, mixture: Mixture, *, n: int, seed: int
) -> PriorityOrder:
    """The first ``n`` faults by falling key w / u, with u from a hash of seed and fault number.

    Every prefix is a priority sample (Duffield, Lund and Thorup, J. ACM 2007), the whole order is
    a census, and a longer order begins as a shorter one. Takes two passes over the space and
    memory for ``n`` faults.

    Args:
        space: What can be hit.
        scores: How likely faults are to fail.
        mixture: How scores become weights.
        n: 1..size of the space.
        seed: 0..2^64 - 1.

    Raises:
        ConfigError: A fault model is random, or there are no scores for a site.
    """
    check_listed("importance", space)
    total = sum(float(_raised(part.values, mixture).sum()) for part in scored(space, scores))
    best = Best(n + 1)
    for start, values in scored(space, scores):
        weight = _weights(values, mixture, total, space.size)
        numbers = np.arange(start, start + len(values))
        key = weight / uniforms(seed, Stream.PRIORITY, numbers)
        best.add(numbers, key, weight.__getitem__)
    first = best.sorted()
    more = len(first.numbers) > n
    return PriorityOrder(
        numbers=first.numbers[:n],
        weight=first.tie[:n],
        key=first.key[:n],
        next_key=float(first.key[n]) if more else 0.0,
    )


def _raised(values: NDArray[np.float64], mixture: Mixture) -> NDArray[np.float64]:
    return values if mixture.power == 1 else values**mixture.power


def _weights(
    values: NDArray[np.float64], mixture: Mixture, total: float, size: int
) -> NDArray[np.float64]:
    # Scores that are all 0 say nothing: then every fault is as likely as any other.
    share = mixture.uniform_share if total > 0 else 1.0
    weight = np.full(len(values), share / size)
    if total > 0:
        weight += (1 - share) / total * _raised(values, mixture)
    return weight


def top_order(space: FaultSpace, scores: Scores, *, n: int, seed: int) -> Rows:
    """The first ``n`` faults by falling score, ties by a hash of seed and fault number.

    Takes one pass over the space and memory for ``n`` faults.

    Raises:
        ConfigError: A fault model is random, or there are no scores for a site.
    """
    check_listed("top", space)
    best = Best(n)
    for start, values in scored(space, scores):
        numbers = np.arange(start, start + len(values))

        def tie(kept: NDArray[np.int64], start: int = start) -> NDArray[np.float64]:
            return uniforms(seed, Stream.TIE, kept + start)

        best.add(numbers, values, tie)
    return best.sorted()
