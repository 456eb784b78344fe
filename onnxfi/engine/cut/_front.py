"""The front: rows of many scenarios on their way through the parts of a chain."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._cropfront import CropFront, Origin
from onnxfi.engine.cut._enter import Entering, enter_whole
from onnxfi.engine.cut._faulty import ValueFaults
from onnxfi.engine.cut._found import Found
from onnxfi.engine.cut._joined import Joined, joined_keys, pieces
from onnxfi.engine.cut._rows import Collected, Rows, differing, entries_of, united_rows, with_rows
from onnxfi.engine.cut._sizes import run_sizes
from onnxfi.engine.cut._start import Common, Start
from onnxfi.engine.executable import Narrow
from onnxfi.engine.runtime import same
from onnxfi.faults import SampleLayout

_K = TypeVar("_K", str, int)

_NO_KEYS = np.empty(0, np.int64)
# What narrow runs of several scenarios may make at a time.
_STACK_BYTES = 1 << 20


class ReshapedError(Exception):
    """A fault changed how many elements a value has, so its samples can't be told apart."""


class Front:
    """The rows of some scenarios on their way through a chain.

    Args:
        common: What the scenarios have in common.
        starts: The scenarios.
        separable: Whether samples can be told apart.
    """

    def __init__(self, common: Common, starts: Sequence[Start], *, separable: bool) -> None:
        self._common = common
        self._chain = common.chain
        self._starts = starts
        self._size = common.window.size
        self._separable = separable
        self._single = all(start.single for start in starts)
        self._crops = CropFront(common)
        self._tables: dict[str, Rows] = {}
        self._wholes: dict[str, dict[int, NDArray[Any]]] = {}
        self._entries: dict[str, NDArray[Any]] = {}
        self._pending: list[int] = []
        self._queued: set[int] = set()

    @cached_property
    def _entering(self) -> Mapping[str, list[int]]:
        """Scenarios with faults in each value."""
        return _grouped((name, k) for k, start in enumerate(self._starts) for name in start.values)

    @cached_property
    def _changed(self) -> Mapping[int, list[int]]:
        """Scenarios with a changed stored tensor in each part."""
        return _grouped((at, k) for k, start in enumerate(self._starts) for at in start.positions)

    def found(self) -> Found:
        """Run what has to be run, in order."""
        chain = self._chain
        self._queue(self._changed)
        for name in self._entering:
            if name in chain.makers:
                self._queue((chain.makers[name],))
            else:
                self._enter(name, self._collecting(name, 0))
        while self._pending:
            position = heapq.heappop(self._pending)
            self._run(position)
            if not self._common.keep:
                self._drop(position)
        return Found(self._common, self._tables, self._wholes)

    def _queue(self, positions: Iterable[int]) -> None:
        for position in positions:
            if position not in self._queued:
                self._queued.add(position)
                heapq.heappush(self._pending, position)

    def _layout(self, name: str) -> SampleLayout:
        layout = self._chain.layouts[name]
        return layout if self._separable else SampleLayout(shape=layout.shape, batch_axis=None)

    def _golden(self, name: str) -> NDArray[Any]:
        """A golden value, samples first where it has samples."""
        if name not in self._entries:
            self._entries[name] = entries_of(self._common.golden[name], self._layout(name))
        return self._entries[name]

    def _collecting(self, name: str, ahead: int) -> Collected | None:
        """Room for rows of a value: so many, and those with faults; None if it has no rows."""
        if self._layout(name).batch_axis is None:
            return None
        entering = self._entering.get(name, ())
        # Faults of a scenario that is on its way act in rows that it mostly has.
        coming = sum(self._starts[k].single for k in entering) * self._size
        return Collected(self._golden(name), ahead + coming)

    def _drop(self, position: int) -> None:
        """Forget values that nothing reads any more."""
        chain = self._chain
        for name in chain.parts[position].reads:
            if chain.readers[name][-1] == position and name not in chain.outputs:
                self._crops.drop(name)
                self._tables.pop(name, None)
                self._wholes.pop(name, None)
                self._entries.pop(name, None)

    # -- one part

    def _run(self, position: int) -> None:
        part = self._chain.parts[position]
        self._run_cropped(position)
        changed = self._changed.get(position, [])
        narrow = [k for k in changed if self._runs_narrow(position, k)]
        alone = set(changed).difference(narrow)
        alone.update(k for name in part.reads for k in self._wholes.get(name, ()))
        rows = any(name in self._tables for name in part.reads)
        sizes = self._sizes(position) if rows else ()
        if rows and not sizes:
            alone.update(self._with_rows_in(part.reads))
        keys = self._shared_keys(part.reads, alone)
        ahead = keys.size + (len(alone) + len(narrow)) * self._size
        made = {name: self._collecting(name, ahead) for name in part.makes}
        collected = {name: rows for name, rows in made.items() if rows is not None}
        if keys.size:
            self._run_shared(position, keys, sizes, collected)
        for k in sorted(alone):
            self._run_alone(position, k, collected)
        if narrow:
            self._run_narrow(position, narrow, collected)
        for name in part.makes:
            self._enter(name, collected.get(name))

    def _enter(self, name: str, collected: Collected | None) -> None:
        """Let faults act in a value once it is made; whoever reads it has to run."""
        entering = self._entering.get(name, ())
        layout, golden = self._layout(name), self._common.golden[name]
        if collected is None:
            wholes = self._wholes.setdefault(name, {})
            for k in entering:
                before = wholes.pop(k, None)
                after = enter_whole(golden, before, self._starts[k].values[name])
                if after is not None:
                    wholes[k] = after
            if not wholes:
                del self._wholes[name]
        else:
            entered = {k: self._starts[k].values[name] for k in entering}
            faults = self._without_crops(name, entered)
            if faults:
                Entering(
                    golden=golden,
                    entries=self._golden(name),
                    layout=layout,
                    collected=collected,
                ).carry_out(faults)
            rows = collected.rows
            if rows is not None:
                self._tables[name] = rows
            if name in self._chain.outputs:
                self._leave(self._crops.reading((name,)), (name,))
        if name in self._tables or name in self._wholes or self._crops.has(name):
            self._queue(self._chain.readers.get(name, ()))

    def _without_crops(
        self, name: str, faults: Mapping[int, Sequence[ValueFaults]]
    ) -> Mapping[int, Sequence[ValueFaults]]:
        """Faults in a value that do not enter by crops; those that do, enter."""
        crops = {
            k: each[0]
            for k, each in faults.items()
            if self._starts[k].single and self._crops.takes(name, each)
        }
        if not crops:
            return faults
        refused = self._crops.enter(name, crops)
        return {k: each for k, each in faults.items() if k not in crops or k in refused}

    def _run_cropped(self, position: int) -> None:
        """Run a part on crops where it can be; other crops that it reads become whole rows."""
        part = self._chain.parts[position]
        masks = self._common.keep or part.masks
        for origin in self._crops.reading(part.reads):
            whole = any(name in self._tables for name in part.reads)
            if not self._crops.run(position, origin, whole, masks):
                self._leave([origin], part.reads)

    def _leave(self, origins: Sequence[Origin], names: Sequence[str]) -> None:
        """Make whole rows of the crops of some values."""
        for name in names:
            left = [rows for o in origins if (rows := self._crops.leave(o, name))]
            if left:
                before = [self._tables[name]] if name in self._tables else []
                self._tables[name] = united_rows([*before, *left])

    def _runs_narrow(self, position: int, scenario: int) -> bool:
        """Whether a part runs for some channels of a scenario alone: where it reads golden."""
        start = self._starts[scenario]
        if position not in start.narrow:
            return False
        reads = self._chain.parts[position].reads
        return start.single or not (
            scenario in self._with_rows_in(reads)
            or any(scenario in self._wholes.get(name, ()) for name in reads)
        )

    def _with_rows_in(self, names: Iterable[str]) -> set[int]:
        """Scenarios that have rows in some values."""
        tables = [self._tables[name].keys for name in names if name in self._tables]
        return {int(k) for keys in tables for k in np.unique(keys // self._size)}

    def _shared_keys(self, reads: Sequence[str], alone: set[int]) -> NDArray[np.int64]:
        """Keys of the rows that share runs of a part."""
        tables = [self._tables[name] for name in reads if name in self._tables]
        if not tables:
            return _NO_KEYS
        tables.sort(key=lambda table: -table.entries.nbytes)
        without = _NO_KEYS
        if alone:
            first = np.array(sorted(alone), np.int64)[:, np.newaxis] * self._size
            without = (first + np.arange(self._size)).ravel()
        return joined_keys(tables, without)

    def _sizes(self, position: int) -> tuple[int, ...]:
        """Sizes of runs in which rows of a part may share a run; none if they can't."""
        common, chain = self._common, self._chain
        if not self._separable:
            return ()
        key = position, chain.parts[position].stored.intersection(common.lifted)
        if key not in chain.sizes:
            golden, lifted = common.golden, common.lifted
            chain.sizes[key] = run_sizes(chain, position, golden, lifted, self._size)
        return chain.sizes[key]

    def _run_shared(
        self,
        position: int,
        keys: NDArray[np.int64],
        sizes: tuple[int, ...],
        collected: Mapping[str, Collected],
    ) -> None:
        """Run a part for rows of many scenarios."""
        common, chain = self._common, self._chain
        part = chain.parts[position]
        layouts = {name: self._layout(name) for name in (*part.reads, *part.makes)}
        joined = Joined(
            keys,
            self._size,
            layouts,
            {name: self._golden(name) for name in part.reads},
            {name: self._tables[name] for name in part.reads if name in self._tables},
        )
        run = chain.prepared(position, common.lifted)
        look = common.keep or (common.look and part.masks)
        # All samples of one scenario run as golden ones did.
        whole = keys.size == self._size and (keys == keys[0] + np.arange(self._size)).all()
        for low, high, size in pieces(keys.size, (self._size,) if whole else sizes):
            found = run(joined.feeds(low, high, size), common.hurried)
            for name, into in collected.items():
                value = found[name]
                if not _as_expected(value, layouts[name], size):
                    raise ReshapedError
                entries, mine = entries_of(value, layouts[name])[: high - low], keys[low:high]
                if look:
                    differs = differing(entries, self._golden(name), joined.samples[low:high])
                    if not differs.all():
                        entries, mine = entries[differs], mine[differs]
                into.add(mine, entries)

    def _run_alone(self, position: int, scenario: int, collected: Mapping[str, Collected]) -> None:
        """Run a part for all samples of one scenario."""
        common, chain = self._common, self._chain
        part, start = chain.parts[position], self._starts[scenario]
        feeds = {name: self._seen_by(scenario, name) for name in part.reads}
        with common.tensors.armed(start.changes if position in start.positions else ()):
            found = chain.run(position, feeds, common.lifted, hurried=common.hurried)
        look = common.keep or (common.look and part.masks)
        for name in part.makes:
            golden, value, layout = common.golden[name], found[name], self._layout(name)
            if name not in collected:
                if not same(value, golden):
                    self._wholes.setdefault(name, {})[scenario] = value
                continue
            if value.shape != golden.shape:
                raise ReshapedError
            keys, entries = np.arange(self._size), entries_of(value, layout)
            if look or position in start.positions:
                differs = differing(entries, self._golden(name), keys)
                if not differs.all():
                    keys, entries = keys[differs], entries[differs]
            collected[name].add(keys + scenario * self._size, entries)

    def _seen_by(self, scenario: int, name: str) -> NDArray[Any]:
        """A value as a scenario sees it, all samples."""
        golden = self._common.golden[name]
        whole = self._wholes.get(name, {}).get(scenario)
        if whole is not None:
            return whole
        table = self._tables.get(name)
        if table is None:
            return golden
        return with_rows(golden, self._layout(name), table, scenario, self._size)

    def _run_narrow(
        self, position: int, scenarios: Sequence[int], collected: Mapping[str, Collected]
    ) -> None:
        """Run a part that reads golden values for the output channels that change."""
        common, chain = self._common, self._chain
        reads = {name: common.golden[name] for name in chain.parts[position].reads}
        for some in self._stacks(position, scenarios):
            channels, slices = [], []
            for k in some:
                narrow, mine = self._starts[k].narrow[position]
                with common.tensors.armed(self._starts[k].changes):
                    parts = narrow.slices(common.tensors.feeds, mine)
                    slices.append({name: part.copy() for name, part in parts.items()})
                channels.append(mine)
            feeds = narrow.feeds(reads, slices, channels)
            found = chain.run_narrow(position, narrow, feeds, hurried=common.hurried)
            low = 0
            for k, mine in zip(some, channels, strict=True):
                high = low + mine.stop - mine.start
                part = narrow.part(found, slice(low, high))
                self._narrowed(k, narrow, mine, part, collected.get(narrow.made))
                low = high

    def _stacks(self, position: int, scenarios: Sequence[int]) -> Iterator[list[int]]:
        """Scenarios whose channels run one behind the other."""
        some: list[int] = []
        size = 0
        for k in scenarios:
            narrow, channels = self._starts[k].narrow[position]
            made = self._common.golden[narrow.made]
            mine = made.nbytes * (channels.stop - channels.start) // narrow.channels
            if some and (narrow.fixed or size + mine > _STACK_BYTES):
                yield some
                some, size = [], 0
            some.append(k)
            size += mine
        if some:
            yield some

    def _narrowed(
        self,
        scenario: int,
        narrow: Narrow,
        channels: slice,
        found: NDArray[Any],
        collected: Collected | None,
    ) -> None:
        """Take up what some channels of a part are in a scenario; the others are golden."""
        golden = self._common.golden[narrow.made]
        if collected is None:  # samples can't be told apart
            if not same(found, narrow.part(golden, channels)):
                value = golden.copy()
                narrow.part(value, channels)[...] = found
                self._wholes.setdefault(narrow.made, {})[scenario] = value
            return
        layout = self._layout(narrow.made)
        clean = entries_of(narrow.part(golden, channels), layout)
        mine = entries_of(found, layout)
        hit = np.flatnonzero(differing(mine, clean, np.arange(self._size)))
        if hit.size:
            room = collected.extend(hit + scenario * self._size)
            room[...] = self._golden(narrow.made)[hit]
            narrow.part(room, channels)[...] = mine[hit]


def _grouped(pairs: Iterable[tuple[_K, int]]) -> dict[_K, list[int]]:
    found: dict[_K, list[int]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _as_expected(value: NDArray[Any], layout: SampleLayout, count: int) -> bool:
    """Whether a value has the shape of so many samples."""
    return value.shape == layout.run_shape(count)
