"""Joined rows: what a part reads for the rows of many scenarios, in pieces of proven sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._rows import Keys, Rows, value_of
from onnxfi.faults import SampleLayout

Array = NDArray[Any]


def pieces(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut rows into runs of given sizes: the first row, one past the last, and the size.

    Only the last run may have fewer rows than its size; it is filled up.

    Args:
        count: Rows.
        sizes: Sizes of runs, the largest first.
    """
    low = 0
    for size in sizes:
        while count - low >= size:
            yield low, low + size, size
            low += size
    if low < count:
        yield low, count, sizes[-1]


def joined_keys(tables: Sequence[Rows], without: Keys) -> Keys:
    """Keys of all rows of some values, each once, but for those of some scenarios' rows.

    They come in the order of the first table where that is possible, so that it can be read as it
    lies there.

    Args:
        tables: Rows by value; those that hold most come first.
        without: Keys that are left out.
    """
    found = tables[0].keys
    for table in tables[1:]:
        if table.keys is not found and not np.array_equal(table.keys, found):
            more = table.keys[~np.isin(table.keys, found)]
            found = np.concatenate([found, more]) if more.size else found
    return found[~np.isin(found, without)] if without.size else found


class Joined:
    """What a part reads for rows of many scenarios.

    Args:
        keys: The rows.
        size: Samples of the run that golden values are of.
        layouts: Where samples lie in each value that is read.
        golden: Golden values, by name: rows as :func:`entries_of` gives them, or the value itself
            where it exists once per run.
        tables: Rows that may differ, by name; values without them are golden.
    """

    def __init__(
        self,
        keys: Keys,
        size: int,
        layouts: Mapping[str, SampleLayout],
        golden: Mapping[str, Array],
        tables: Mapping[str, Rows],
    ) -> None:
        self.keys = keys
        self.samples = keys % size
        self._size = size
        self._layouts = layouts
        self._sources = {
            name: self._source(values, layouts[name], tables.get(name))
            for name, values in golden.items()
        }

    def feeds(self, low: int, high: int, size: int) -> dict[str, Array]:
        """What the part reads for some rows, the last one repeated up to the size."""
        rows: slice | Keys = slice(low, high)
        if high - low < size:
            rows = np.minimum(np.arange(low, low + size), high - 1)
        return {name: source(rows) for name, source in self._sources.items()}

    def _source(
        self, golden: Array, layout: SampleLayout, table: Rows | None
    ) -> Callable[[slice | Keys], Array]:
        if layout.batch_axis is None:
            return lambda _: golden
        if table is None:
            return lambda rows: value_of(self._golden(golden, rows), layout)
        if table.keys is self.keys or np.array_equal(table.keys, self.keys):
            return lambda rows: value_of(table.entries[rows], layout)
        positions = table.positions(self.keys)
        mixed = bool((positions < 0).any())
        if not mixed:
            return lambda rows: value_of(table.entries[positions[rows]], layout)

        def mix(rows: slice | Keys) -> Array:
            found, mine = golden[self.samples[rows]], positions[rows]
            own = mine >= 0
            found[own] = table.entries[mine[own]]
            return value_of(found, layout)

        return mix

    def _golden(self, golden: Array, rows: slice | Keys) -> Array:
        samples = self.samples[rows]
        first, last = int(samples[0]), int(samples[-1])
        # Samples in their order, as whole scenarios have them, are read where they lie.
        if last - first == samples.size - 1 and (np.diff(samples) == 1).all():
            return golden[first : last + 1]
        return golden[samples]
