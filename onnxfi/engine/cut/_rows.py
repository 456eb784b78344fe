"""Rows: where a value of many scenarios differs from golden, sample by sample, in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout

Array = NDArray[Any]
Keys = NDArray[np.int64]

# Words of a row that are looked at first: most rows that differ do so in many places.
_PROBES = 128
# Bytes of the rows that are compared whole at a time, so that they stay in the cache.
_TOGETHER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of a value that may differ from golden.

    Attributes:
        keys: Whose row each is: scenario * samples of the run + sample, (r,), each once.
        entries: The rows as :func:`entries_of` gives them, (r, ...).
    """

    keys: Keys
    entries: Array

    def positions(self, wanted: Keys) -> Keys:
        """Where the rows with some keys lie, -1 for those that are golden."""
        if wanted is self.keys or np.array_equal(wanted, self.keys):
            return np.arange(wanted.size)
        order = np.argsort(self.keys, kind="stable")
        place = np.searchsorted(self.keys, wanted, sorter=order)
        found = order[np.minimum(place, order.size - 1)]
        return np.where(self.keys[found] == wanted, found, -1)


def united_rows(tables: Sequence[Rows]) -> Rows:
    """Rows of one value that lie in several tables, each row in one."""
    if len(tables) == 1:
        return tables[0]
    return Rows(
        keys=np.concatenate([table.keys for table in tables]),
        entries=np.concatenate([table.entries for table in tables]),
    )


class Collected:
    """Rows of a value as they come in.

    Args:
        like: Golden rows, for shape and type.
        capacity: Rows that there may well be.
    """

    def __init__(self, like: Array, capacity: int) -> None:
        self._like = like
        self._capacity = capacity
        self._entries = np.empty((0, *like.shape[1:]), like.dtype)
        self._keys = np.empty(0, np.int64)
        self._count = 0

    def add(self, keys: Keys, entries: Array) -> None:
        """Take up rows; the array may be kept and written to."""
        if not self._count and keys.size >= self._capacity and entries.flags.writeable:
            self._entries, self._keys, self._count = entries, keys.copy(), keys.size
        else:
            self.extend(keys)[...] = entries

    def extend(self, keys: Keys) -> Array:
        """Room for rows with some keys, to be written to."""
        low, self._count = self._count, self._count + keys.size
        if self._count > len(self._entries):
            self._grow(max(self._capacity, self._count))
        self._keys[low : self._count] = keys
        return self._entries[low : self._count]

    def _grow(self, capacity: int) -> None:
        entries = np.empty((capacity, *self._like.shape[1:]), self._like.dtype)
        keys = np.empty(capacity, np.int64)
        entries[: len(self._entries)], keys[: len(self._keys)] = self._entries, self._keys
        self._entries, self._keys = entries, keys

    def scenarios(self, size: int) -> frozenset[int]:
        """Scenarios that have rows; ``size`` samples are in the run."""
        return frozenset(np.unique(self._keys[: self._count] // size).tolist())

    def take(self, keys: Keys) -> tuple[Keys, Array]:
        """Remove the rows that have one of some keys, and give them back."""
        mine = self._keys[: self._count]
        if not keys.size:
            return mine[:0], self._entries[:0]
        hit = np.isin(mine, keys)
        taken = mine[hit].copy(), self._entries[: self._count][hit]
        if hit.any():
            left = np.flatnonzero(~hit)
            self._entries[: left.size] = self._entries[left]
            self._keys[: left.size] = mine[left]
            self._count = left.size
        return taken

    @property
    def entries(self) -> Array:
        """The rows that have come in, to be written to."""
        return self._entries[: self._count]

    def positions(self, wanted: Keys) -> Keys:
        """Where the rows with some keys lie, -1 for those that have not come in."""
        rows = self.rows
        return np.full(wanted.size, -1) if rows is None else rows.positions(wanted)

    @property
    def rows(self) -> Rows | None:
        """What has come in; None if nothing has."""
        if not self._count:
            return None
        return Rows(keys=self._keys[: self._count], entries=self._entries[: self._count])


def entries_of(values: Array, layout: SampleLayout) -> Array:
    """A value with its samples along axis 0: (n, ...), or (n, m, ...) with m > 1 rows a sample."""
    axis = layout.batch_axis
    first = values if axis == 0 or axis is None else np.moveaxis(values, axis, 0)
    if layout.rows > 1:
        first = first.reshape(-1, layout.rows, *first.shape[1:])
    return np.ascontiguousarray(first)


def value_of(entries: Array, layout: SampleLayout) -> Array:
    """The inverse of :func:`entries_of`: a value as parts read it, for so many samples."""
    if layout.rows > 1:
        entries = entries.reshape(-1, *entries.shape[2:])
    axis = layout.batch_axis
    first = entries if axis == 0 or axis is None else np.moveaxis(entries, 0, axis)
    return np.ascontiguousarray(first)


def samples_of(values: Array, layout: SampleLayout, samples: Keys | None) -> Array:
    """A value in some samples alone; None for all of them."""
    if samples is None or layout.batch_axis is None:
        return values
    return value_of(entries_of(values, layout)[samples], layout)


def differing(found: Array, golden: Array, samples: Keys) -> NDArray[np.bool_]:
    """Which rows differ from golden in any bit.

    Args:
        found: Rows, (r, ...).
        golden: Golden rows of all samples, (n, ...).
        samples: Which sample each row is of, (r,).
    """
    mine, theirs = _words(found), _words(golden)
    width = mine.shape[1]
    if width <= 2 * _PROBES:
        return np.asarray((mine != theirs[samples]).any(axis=1))
    step = width // _PROBES | 1  # odd, so that it meets every place of a block of channels
    differs = np.asarray((mine[:, ::step] != theirs[samples, ::step]).any(axis=1))
    undecided = np.flatnonzero(~differs)
    each = max(1, _TOGETHER // (width * mine.itemsize))
    for low in range(0, undecided.size, each):
        some = undecided[low : low + each]
        differs[some] = (mine[some] != theirs[samples[some]]).any(axis=1)
    return differs


def with_rows(golden: Array, layout: SampleLayout, table: Rows, scenario: int, size: int) -> Array:
    """A value of a scenario: golden but for its rows."""
    mine = np.flatnonzero(table.keys // size == scenario)
    if not mine.size:
        return golden
    entries = entries_of(golden, layout).copy()
    entries[table.keys[mine] - scenario * size] = table.entries[mine]
    return value_of(entries, layout)


def _words(rows: Array) -> Array:
    """Rows as rows of the widest words; text as it is."""
    count = rows.shape[0]
    if rows.dtype.hasobject:
        return rows.reshape(count, -1)
    if rows.size == 0:
        return np.zeros((count, 1), np.uint8)
    flat = rows.reshape(count, -1).view(np.uint8)
    size = next(size for size in (8, 4, 2, 1) if flat.shape[1] % size == 0)
    return flat.view(f"u{size}")
