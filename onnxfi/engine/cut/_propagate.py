"""Propagating: from the first fault on, only what it reaches is computed, for many scenarios at once.

The scenarios of a block go through the parts of a chain together, as a front of rows (a row is a
sample of a scenario). At each part the rows that deviate from golden, of all scenarios, share runs
of proven sizes, and those that are golden again drop out. So Python and session calls are paid a
part and a run, not a scenario, and small workloads fill large runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._enter import enter_rows, enter_whole
from onnxfi.engine.cut._faulty import ValueFaults
from onnxfi.engine.cut._joined import Joined, joined_keys, pieces
from onnxfi.engine.cut._rows import Collected, Rows, differing, entries_of, value_of
from onnxfi.engine.cut._sizes import run_sizes
from onnxfi.engine.executable import LiftedTensors, Narrow, TensorChange
from onnxfi.engine.runtime import same
from onnxfi.faults import SampleLayout
from onnxfi.inject import BatchWindow
from onnxfi.outcome import OutputRows, RunOutputs

Values = Mapping[str, NDArray[Any]]
_K = TypeVar("_K", str, int)

_NO_KEYS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """What makes a run of a chain another one than the golden run: a scenario in a window.

    Attributes:
        values: Faults in values that parts read, by value, in the order in which they act.
        changes: What changes in stored tensors.
        positions: Parts that read a changed stored tensor, ascending.
        narrow: Parts among ``positions`` of which only some output channels change, and which.
    """

    values: Mapping[str, Sequence[ValueFaults]] = field(default_factory=dict)
    changes: Sequence[TensorChange] = ()
    positions: Sequence[int] = ()
    narrow: Mapping[int, tuple[Narrow, slice]] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether there is one place at which it begins."""
        return len(self.values) + len(self.positions) <= 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Common:
    """What scenarios that propagate together have in common.

    Attributes:
        chain: The graph in parts.
        golden: Every value that parts read or return, of the window's golden run.
        window: Which samples the run holds.
        lifted: Stored tensors that are inputs of their sessions.
        tensors: All stored tensors that may change, and those that narrow runs read.
        look: Whether to look for rows that equal golden again; not where faults are all over.
        keep: Return all values that deviate, also those that are no outputs.
        hurried: With the shortened limit of a scenario that has hung before.
    """

    chain: PartChain
    golden: Values
    window: BatchWindow
    lifted: Values
    tensors: LiftedTensors
    look: bool = True
    keep: bool = False
    hurried: bool = False


class _ReshapedError(Exception):
    """A fault changed how many elements a value has, so its samples can't be told apart."""


class Found:
    """What deviates from golden in the runs of some scenarios.

    Args:
        common: What they have in common.
        tables: Rows that may differ, by value.
        wholes: Values that can't be told apart by sample and differ, by name and scenario.
    """

    def __init__(
        self,
        common: Common,
        tables: Mapping[str, Rows],
        wholes: Mapping[str, Mapping[int, NDArray[Any]]],
    ) -> None:
        self._common = common
        self.tables = tables
        self.wholes = wholes

    @property
    def golden(self) -> RunOutputs:
        """Golden outputs."""
        return {name: self._common.golden[name] for name in self._common.chain.outputs}

    def value(self, name: str, scenario: int) -> NDArray[Any]:
        """A value of a scenario; the golden array itself where nothing differs."""
        common = self._common
        golden = common.golden[name]
        whole = self.wholes.get(name, {}).get(scenario)
        if whole is not None:
            return whole
        table = self.tables.get(name)
        if table is None:
            return golden
        return _with_rows(golden, common.chain.layouts[name], table, scenario, common.window.size)

    def outputs(self, scenario: int) -> RunOutputs:
        """All outputs of a scenario."""
        return {name: self.value(name, scenario) for name in self._common.chain.outputs}

    def rows(self) -> OutputRows | None:
        """Outputs in the samples where some may differ; None if they can't be told apart so."""
        common = self._common
        chain, size = common.chain, common.window.size
        layouts = {name: chain.layouts[name] for name in chain.outputs}
        apart = chain.separable and all(each.batch_axis is not None for each in layouts.values())
        if not apart or any(name in self.wholes for name in layouts):
            return None
        tables = {name: self.tables[name] for name in layouts if name in self.tables}
        keys = joined_keys(list(tables.values()), _NO_KEYS) if tables else _NO_KEYS
        keys = keys[keys % size < common.window.samples]
        clean = {name: entries_of(common.golden[name], layouts[name]) for name in layouts}
        samples = keys % size
        joined = Joined(keys, size, layouts, clean, tables)
        return OutputRows(
            scenario=keys // size,
            sample=samples,
            golden={name: value_of(clean[name][samples], layouts[name]) for name in layouts},
            faulty=joined.feeds(0, keys.size, keys.size) if keys.size else {},
        )


def propagate(common: Common, starts: Sequence[Start]) -> Found:
    """What deviates from golden in the runs of scenarios: outputs, and other values on the way.

    A part runs only for the rows in which something that it reads deviates (early stop); the parts
    in front of the first fault never do (late start). What a scenario gives does not depend on
    which others are there.

    Args:
        common: What the scenarios have in common.
        starts: The scenarios.

    Raises:
        RunFailedError: A part gave nothing: one of the scenarios is why.
        FaultError: A value has not the size that its site's layout promises.
    """
    if common.chain.separable:
        try:
            return _Front(common, starts, separable=True).found()
        except _ReshapedError:
            if len(starts) > 1:
                half = len(starts) // 2
                return _both(
                    common, propagate(common, starts[:half]), propagate(common, starts[half:]), half
                )
    return _Front(common, starts, separable=False).found()


def _both(common: Common, first: Found, second: Found, offset: int) -> Found:
    """What two lists of scenarios give, those of the second numbered on."""
    shift = offset * common.window.size
    tables = dict(first.tables)
    for name, rows in second.tables.items():
        moved, before = Rows(keys=rows.keys + shift, entries=rows.entries), tables.get(name)
        if before is not None:
            moved = Rows(
                keys=np.concatenate([before.keys, moved.keys]),
                entries=np.concatenate([before.entries, moved.entries]),
            )
        tables[name] = moved
    wholes = {name: dict(each) for name, each in first.wholes.items()}
    for name, each in second.wholes.items():
        wholes.setdefault(name, {}).update({offset + k: value for k, value in each.items()})
    return Found(common, tables, wholes)


def _with_rows(
    golden: NDArray[Any], layout: SampleLayout, table: Rows, scenario: int, size: int
) -> NDArray[Any]:
    """A value of a scenario: golden but for its rows."""
    mine = np.flatnonzero(table.keys // size == scenario)
    if not mine.size:
        return golden
    entries = entries_of(golden, layout).copy()
    entries[table.keys[mine] - scenario * size] = table.entries[mine]
    return value_of(entries, layout)


class _Front:
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
                self._enter(name, Collected(self._golden(name), self._coming(name)))
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

    def _coming(self, name: str) -> int:
        """Rows that enter with faults in a value, at most."""
        if self._layout(name).batch_axis is None:
            return 0
        return len(self._entering.get(name, ())) * self._size

    def _drop(self, position: int) -> None:
        """Forget values that nothing reads any more."""
        chain = self._chain
        for name in chain.parts[position].reads:
            if chain.readers[name][-1] == position and name not in chain.outputs:
                self._tables.pop(name, None)
                self._wholes.pop(name, None)
                self._entries.pop(name, None)

    # -- one part

    def _run(self, position: int) -> None:
        part = self._chain.parts[position]
        changed = self._changed.get(position, [])
        narrow = [k for k in changed if self._runs_narrow(position, k)]
        alone = set(changed).difference(narrow)
        alone.update(k for name in part.reads for k in self._wholes.get(name, ()))
        sizes = self._sizes(position)
        if not sizes:
            alone.update(self._with_rows_in(part.reads))
        keys = self._shared_keys(part.reads, alone)
        ahead = keys.size + (len(alone) + len(narrow)) * self._size
        collected = {
            name: Collected(self._golden(name), ahead + self._coming(name))
            for name in part.makes
            if self._layout(name).batch_axis is not None
        }
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
                after = enter_whole(golden, layout, before, self._starts[k].values[name], self._size)
                if after is not None:
                    wholes[k] = after
            if not wholes:
                del self._wholes[name]
        else:
            faults = {k: self._starts[k].values[name] for k in entering}
            if faults:
                enter_rows(golden, self._golden(name), layout, faults, self._size, collected)
            rows = collected.rows
            if rows is not None:
                self._tables[name] = rows
        if name in self._tables or name in self._wholes:
            self._queue(self._chain.readers.get(name, ()))

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
        for low, high, size in pieces(keys.size, sizes):
            found = run(joined.feeds(low, high, size), common.hurried)
            for name, into in collected.items():
                value = found[name]
                if not _as_expected(value, layouts[name], size):
                    raise _ReshapedError
                entries, mine = entries_of(value, layouts[name])[: high - low], keys[low:high]
                if look:
                    differs = differing(entries, self._golden(name), joined.samples[low:high])
                    if not differs.all():
                        entries, mine = entries[differs], mine[differs]
                into.add(mine, entries)

    def _run_alone(
        self, position: int, scenario: int, collected: Mapping[str, Collected]
    ) -> None:
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
                raise _ReshapedError
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
        return _with_rows(golden, self._layout(name), table, scenario, self._size)

    def _run_narrow(
        self, position: int, scenarios: Sequence[int], collected: Mapping[str, Collected]
    ) -> None:
        """Run a part that reads golden values for the output channels that change."""
        common, chain = self._common, self._chain
        reads = {name: common.golden[name] for name in chain.parts[position].reads}
        for k in scenarios:
            start = self._starts[k]
            narrow, channels = start.narrow[position]
            with common.tensors.armed(start.changes):
                feeds = narrow.feeds(reads, common.tensors.feeds, channels)
                found = chain.run_narrow(position, narrow, feeds, hurried=common.hurried)
            golden = common.golden[narrow.made]
            if narrow.made not in collected:  # samples can't be told apart
                if not same(found, narrow.part(golden, channels)):
                    value = golden.copy()
                    narrow.part(value, channels)[...] = found
                    self._wholes.setdefault(narrow.made, {})[k] = value
                continue
            layout = self._layout(narrow.made)
            clean = entries_of(narrow.part(golden, channels), layout)
            mine = entries_of(found, layout)
            hit = np.flatnonzero(differing(mine, clean, np.arange(self._size)))
            if hit.size:
                room = collected[narrow.made].extend(hit + k * self._size)
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
