"""Propagating: from the first fault on, only what it reaches is computed, sample by sample."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._cropped import Cropped
from onnxfi.engine.cut._deviation import (
    Deviation,
    Samples,
    crop,
    deviating,
    gathered,
    samples_of,
    united,
)
from onnxfi.engine.cut._faulty import ValueFaults, with_faults
from onnxfi.engine.executable import Narrow
from onnxfi.faults import SampleLayout
from onnxfi.inject import BatchWindow
from onnxfi.outcome import RunOutputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """What makes a run of a chain another one than the golden run.

    Attributes:
        values: Faults in values that parts read, by value, in the order in which they act.
        positions: Parts that read a changed stored tensor, ascending.
        lifted: Stored tensors that are inputs of their sessions.
        stored: All stored tensors that may change, and those that narrow runs read.
        narrow: Parts among ``positions`` of which only some output channels change, and which.
        cropped: Parts that can run on a crop.
        look: Whether to look for samples that equal golden again; not where faults are all over.
    """

    values: Mapping[str, Sequence[ValueFaults]]
    positions: Sequence[int]
    lifted: Mapping[str, NDArray[Any]]
    stored: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    narrow: Mapping[int, tuple[Narrow, slice]] = field(default_factory=dict)
    cropped: Mapping[int, Cropped] = field(default_factory=dict)
    look: bool = True


class _ReshapedError(Exception):
    """A fault changed how many elements a value has, so its samples can't be told apart."""


def propagate(
    chain: PartChain,
    golden: Mapping[str, NDArray[Any]],
    start: Start,
    window: BatchWindow,
    *,
    hurried: bool = False,
    keep: bool = False,
) -> dict[str, Deviation]:
    """What deviates from golden in a run: outputs of the model, and other values on the way.

    A part runs only if something that it reads deviates, and only for the samples where it does
    (early stop); the parts in front of the first fault never do (late start).

    Args:
        chain: The graph in parts.
        golden: Every value that parts read or return, of the window's golden run.
        start: The faults.
        window: Which samples the run holds.
        hurried: With the shortened limit of a scenario that has hung before.
        keep: Return all values that deviate, also those that are no outputs.

    Returns:
        Deviations by value.

    Raises:
        RunFailedError: A part gave nothing.
        FaultError: A value has not the size that its site's layout promises.
    """
    try:
        return _Propagation(chain, golden, start, window, chain.separable).deviations(hurried, keep)
    except _ReshapedError:
        return _Propagation(chain, golden, start, window, False).deviations(hurried, keep)


def outputs_of(
    chain: PartChain, golden: Mapping[str, NDArray[Any]], found: Mapping[str, Deviation]
) -> RunOutputs:
    """All outputs of a run."""
    return {
        name: gathered(golden[name], chain.layouts[name], found[name], None)
        if name in found
        else golden[name]
        for name in chain.outputs
    }


class Looking:
    """When to look for samples that equal golden again.

    Looking costs time as well. Each time in a row that it has not paid, twice as many parts are
    run before the next look; what equals golden is then only noticed later.
    """

    def __init__(self) -> None:
        self._fruitless = 0
        self._skip = 0

    def now(self) -> bool:
        """Whether to look at what the next part makes."""
        if self._skip:
            self._skip -= 1
            return False
        return True

    def saw(self, looked: bool, fewer: bool) -> None:
        """Take note of whether samples could be left out."""
        if looked:
            self._fruitless = 0 if fewer else self._fruitless + 1
            self._skip = 2**self._fruitless - 1


class _Propagation:
    """One run of a chain."""

    def __init__(
        self,
        chain: PartChain,
        golden: Mapping[str, NDArray[Any]],
        start: Start,
        window: BatchWindow,
        separable: bool,
    ) -> None:
        self._chain = chain
        self._golden = golden
        self._start = start
        self._size = window.size
        self._separable = separable
        self._found: dict[str, Deviation] = {}
        self._pending: list[int] = []
        self._queued: set[int] = set()
        self._looking = Looking()
        self._thorough = False

    def deviations(self, hurried: bool, keep: bool) -> dict[str, Deviation]:
        """Run what has to be run, in order."""
        chain, start = self._chain, self._start
        self._thorough = keep
        self._queue(start.positions)
        for name in start.values:
            if name in chain.makers:
                self._queue((chain.makers[name],))
            else:
                self._arrive(name, self._faulty(name))  # an input of the graph
        while self._pending:
            position = heapq.heappop(self._pending)
            self._step(position, hurried)
            for name in chain.parts[position].makes:
                if name in start.values:
                    self._arrive(name, self._faulty(name))
            if not keep:
                self._drop(position)
        return self._found

    def _step(self, position: int, hurried: bool) -> None:
        """Run a part if anything makes it another run than golden, in the cheapest way."""
        start = self._start
        if self._deviating(self._chain.parts[position].reads):
            if not self._run_cropped(position, hurried):
                self._run(position, hurried)
        elif position in start.narrow:
            self._run_narrow(position, hurried)
        elif position in start.positions:
            self._run(position, hurried)

    def _queue(self, positions: Sequence[int]) -> None:
        for position in positions:
            if position not in self._queued:
                self._queued.add(position)
                heapq.heappush(self._pending, position)

    def _arrive(self, name: str, deviation: Deviation | None) -> None:
        """Take note of how a value deviates; whoever reads it has to run."""
        if deviation is None:
            self._found.pop(name, None)
            return
        self._found[name] = deviation
        self._queue(self._chain.readers.get(name, ()))

    def _drop(self, position: int) -> None:
        """Forget values that nothing reads any more."""
        for name in self._chain.parts[position].reads:
            if self._chain.readers[name][-1] == position and name not in self._chain.outputs:
                self._found.pop(name, None)

    def _layout(self, name: str) -> SampleLayout:
        layout = self._chain.layouts[name]
        return layout if self._separable else SampleLayout(shape=layout.shape, batch_axis=None)

    def _deviating(self, names: Sequence[str]) -> list[Deviation]:
        return [self._found[name] for name in names if name in self._found]

    def _run(self, position: int, hurried: bool) -> None:
        part = self._chain.parts[position]
        samples: Samples = None
        if self._separable and position not in self._start.positions:
            samples = united(self._deviating(part.reads), self._size)
        feeds = {
            name: gathered(self._golden[name], self._layout(name), self._found.get(name), samples)
            for name in part.reads
        }
        found = self._chain.run(position, feeds, self._start.lifted, hurried=hurried)
        near = next((d.near for d in self._deviating(part.reads) if d.near is not None), None)
        pays = self._start.look and part.masks and self._looking.now()
        look, fewer = self._thorough or pays, False
        for name in part.makes:
            values, golden, layout = found[name], self._golden[name], self._layout(name)
            if samples is not None and not _as_expected(values, golden, layout, samples):
                raise _ReshapedError
            deviation: Deviation | None = Deviation(samples=samples, values=values, near=near)
            if look:
                deviation = deviating(values, golden, layout, samples, near)
                fewer = fewer or deviation is None or deviation.samples is not samples
            self._arrive(name, deviation)
        self._looking.saw(look, fewer)

    def _run_cropped(self, position: int, hurried: bool) -> bool:
        """Run a part on what deviations reach, if it can be run so and that pays."""
        cropped = self._start.cropped.get(position)
        if cropped is None or not self._separable or position in self._start.positions:
            return False
        reads = self._chain.parts[position].reads
        deviations = {name: self._found[name] for name in reads if name in self._found}
        region = cropped.region(deviations, self._golden)
        if region is None:
            return False
        if not region.area:
            self._arrive(cropped.made, None)
            return True
        samples = united(deviations.values(), self._size)
        feeds = cropped.feeds(region, deviations, self._golden, samples)
        found = self._chain.run_cropped(position, feeds, hurried=hurried)
        golden = crop(self._golden[cropped.made], region, samples)
        deviation = deviating(found, golden, self._layout(cropped.made), None)
        if deviation is not None:
            kept = deviation.samples  # of those that were run
            if kept is None:
                kept = samples
            elif samples is not None:
                kept = samples[kept]
            deviation = replace(deviation, samples=kept, region=region)
        self._arrive(cropped.made, deviation)
        return True

    def _run_narrow(self, position: int, hurried: bool) -> None:
        """Run a part that reads golden values for the output channels that change."""
        narrow, channels = self._start.narrow[position]
        reads = {name: self._golden[name] for name in self._chain.parts[position].reads}
        feeds = narrow.feeds(reads, self._start.stored, channels)
        found = self._chain.run_narrow(position, narrow, feeds, hurried=hurried)
        golden, layout = self._golden[narrow.made], self._layout(narrow.made)
        deviation = deviating(found, narrow.part(golden, channels), layout, None)
        if deviation is not None:
            values = samples_of(golden, layout, deviation.samples)
            values = values.copy() if values is golden else values
            narrow.part(values, channels)[...] = deviation.values
            deviation = replace(deviation, values=values)
        self._arrive(narrow.made, deviation)

    def _faulty(self, name: str) -> Deviation | None:
        """A value with its faults, on top of how it deviates anyway."""
        deviation = self._found.get(name)
        for faults in self._start.values[name]:
            golden, layout = self._golden[name], self._layout(name)
            deviation = with_faults(golden, layout, deviation, faults, self._size)
        return deviation


def _as_expected(
    values: NDArray[Any], golden: NDArray[Any], layout: SampleLayout, samples: NDArray[np.int64]
) -> bool:
    """Whether a value has golden's shape but for the samples that were left out."""
    if layout.batch_axis is None or values.ndim != golden.ndim:
        return values.shape == golden.shape
    wanted = list(golden.shape)
    wanted[layout.batch_axis] = samples.size * layout.rows
    return list(values.shape) == wanted
