"""Late starts: an opened graph in a chain of parts, with its golden values, ready for scenarios."""

from __future__ import annotations

import math
from collections.abc import Hashable, Set
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import from_words
from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._clean import CleanValues
from onnxfi.engine.cut._cropped import Cropped, find_cropped
from onnxfi.engine.cut._crops import crop, trials
from onnxfi.engine.cut._faulty import ValueFaults
from onnxfi.engine.cut._joined import pieces
from onnxfi.engine.cut._propagate import propagate
from onnxfi.engine.cut._proven import Proven
from onnxfi.engine.cut._rows import samples_of
from onnxfi.engine.cut._start import Common, Start
from onnxfi.engine.executable import (
    LiftedTensors,
    Narrow,
    OpenGraph,
    changes_of,
    find_narrow,
    may_be_narrow,
    packed_for,
)
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import RunFailedError, Watchdog, same
from onnxfi.errors import BackendError, UnsupportedModelError
from onnxfi.faults import SampleLayout, Scenario
from onnxfi.graph import Cuts, initializer_words, partition
from onnxfi.inject import BatchWindow, layout_of, window_columns
from onnxfi.outcome import RunOutputs

_MANY = 1 / 2
_COMPARED = 8
_CROPS = (43, 16, 3, 1)  # sizes of runs in which crops are tried
# Of the elements of all stored tensors, the share of one that is seldom hit.
_SELDOM = 256


class LateStart:
    """A graph cut where faults enter and where work begins.

    Args:
        context: Workload, settings, and the sites.
        graph: The graph.
        watchdog: Ends runs that take too long.

    Raises:
        ModelError: The graph can't be cut behind some site.
    """

    def __init__(self, context: EngineContext, graph: OpenGraph, watchdog: Watchdog) -> None:
        self.graph = graph
        self.sites = {site.name: site for site in context.sites}
        self._context = context
        self._watchdog = watchdog
        traced = {image.initializer for each in graph.images.values() for image in each}
        self.chain = self._chain(traced, work=True)
        self.stored = {name: initializer_words(context.model, name) for name in graph.images}
        found = (
            find_narrow(graph.model, part, graph.observation, traced) if graph.replay else None
            for part in self.chain.parts
        )
        narrow = {k: each for k, each in enumerate(found) if each is not None}
        self.narrow = Proven(narrow, self._same_when_narrow)
        blocks = {place.block for place in graph.places.values()} - {None}
        block = blocks.pop() if len(blocks) == 1 else None
        crops = (find_cropped(graph.model, part, block) for part in self.chain.parts)
        cropped = {k: each for k, each in enumerate(crops) if each is not None}
        self.cropped = Proven(cropped, self._same_when_cropped)
        sliced = {name for each in narrow.values() for name in each.lifted}
        self.lifted = LiftedTensors(graph.model, sorted(traced | sliced))
        loose = sorted(traced - graph.packed)
        self.loose = {name: self.lifted.feeds[name] for name in loose}
        words = sum(words.nbytes for words in self.stored.values())
        fixed, chains, lifted = words + graph.nbytes, [self.chain], self.lifted
        self._chains = chains

        def elsewhere() -> int:  # no method: in a circle, nothing is freed when it is dropped
            return fixed + lifted.nbytes + sum(chain.nbytes for chain in chains)

        self._elsewhere = elsewhere
        self._row_bytes: list[int] | None = None
        self.clean = CleanValues(
            self.chain,
            context,
            {**graph.fed, **self._returned},
            self.loose,
            self.lifted,
            self._elsewhere,
        )

    @cached_property
    def wide(self) -> PartChain:
        """The same graph cut only where faults enter computed tensors, for many of them at once.

        The executable graph runs as it is, so that larger parts give the same bits.
        """
        if not self.graph.replay:
            return self.chain
        found = self._chain(set(), work=False)
        found.separable = self.chain.separable  # which golden runs of its parts have shown
        self._chains.append(found)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self._elsewhere() + self.clean.nbytes

    def row_bytes(self, first: int, window: BatchWindow) -> int:
        """Bytes that a sample of a scenario takes at most on its way from some part on."""
        if self._row_bytes is None:
            values = self.clean.of(window, {})
            each = [
                sum(values[name].nbytes for name in (*part.reads, *part.makes)) // window.size
                for part in self.chain.parts
            ]
            self._row_bytes = np.maximum.accumulate(each[::-1])[::-1].tolist()
        return self._row_bytes[max(0, first)]

    def _chain(self, traced: set[str], *, work: bool) -> PartChain:
        graph, context = self.graph, self._context
        outputs = tuple(spec.name for spec in context.model.outputs)
        cuts = Cuts(
            behind=frozenset(
                place.value
                for place in graph.places.values()
                if graph.model.index.producer(place.value) is not None
            ),
            before=frozenset(_large(graph, traced)),
            closed=graph.observation.closed,
            alone=may_be_narrow(graph.model, traced) if graph.replay else frozenset(),
            work=work and graph.by_work,
            repeat=not graph.replay,
        )
        returned = {
            name: SampleLayout(shape=value.shape, batch_axis=None)
            for name, value in self._returned.items()
        }
        layouts = {**context.profile.outputs, **graph.observation.layouts, **returned}
        parts = partition(graph.model, outputs, cuts)
        return PartChain(graph, parts, layouts, context, self._watchdog)

    @cached_property
    def _returned(self) -> dict[str, NDArray[Any]]:
        """Stored tensors, or what was folded into them, that the model returns as they are."""
        model, found = self.graph.model, {}
        for spec in self._context.model.outputs:
            entry = model.index.initializers.get(spec.name)
            if entry is not None and spec.name not in self.graph.fed:
                if entry.element is None:
                    raise UnsupportedModelError(f"output {spec.name!r} has no array form")
                words = initializer_words(model, spec.name)
                found[spec.name] = from_words(words, entry.element, entry.shape)
        return found

    def packed(self, changed: Set[str], *, single: bool) -> tuple[str, ...]:
        """Stored tensors that are inputs of their sessions for a scenario alone.

        Args:
            changed: Initializers that it changes.
            single: Whether a single element is all that it changes: then a part that runs narrow
                gives what it gives with packed weights.
        """
        read = self.chain.reading(changed)
        narrow = [self.narrow[k].filter for k in read if k in self.narrow]
        alone = single and len(read) == 1 and set(narrow) == changed
        return () if alone else packed_for(self.graph, changed)

    def _same_when_cropped(self, position: int, cropped: Cropped) -> bool:
        """Whether crops of a golden image come out as crops of what the part makes of it."""
        if not self.chain.separable:
            return False
        values = self.clean.of(self.clean.first, {})
        made = values[cropped.made]
        samples = np.arange(min(_COMPARED, len(made)))
        for size in (1, 3):
            height, width = made.shape[2:]
            frame = trials(height, width, size, samples.size)
            if frame is None:
                continue
            keys = np.tile(samples, len(frame.top) // samples.size)
            feeds = cropped.feeds(keys, frame, {}, {}, values)
            clean = crop(made, cropped.block, keys, frame)
            for low, high, _ in pieces(keys.size, _CROPS):
                some = {name: value[low:high] for name, value in feeds.items()}
                try:
                    found = self.chain.run_cropped(position, some)
                except (BackendError, RunFailedError):
                    return False
                if not same(found, clean[low:high]):
                    return False
        return True

    def _same_when_narrow(self, position: int, narrow: Narrow) -> bool:
        """Whether channels that run alone come out as channels of what the part makes."""
        chain, values = self.chain, self.clean.of(self.clean.first, {})
        first = np.arange(min(_COMPARED, self.clean.first.size)) if chain.separable else None
        names = (*chain.parts[position].reads, narrow.made)
        held = {name: samples_of(values[name], chain.layouts[name], first) for name in names}
        whole = held.pop(narrow.made)
        trials = [[block] for block in narrow.trials]
        if not narrow.fixed:  # all of them one behind the other, backwards
            trials.append(list(narrow.trials)[::-1])
        for some in trials:
            slices = [narrow.slices(self.lifted.feeds, block) for block in some]
            try:
                found = chain.run_narrow(position, narrow, narrow.feeds(held, slices, some))
            except (BackendError, RunFailedError):
                return False
            expected = np.concatenate([narrow.part(whole, b) for b in some], axis=narrow.axis)
            if not same(found, expected):
                return False
        return True


def _large(graph: OpenGraph, traced: Set[str]) -> Set[str]:
    """Stored tensors that are hit so often that the parts that read them should begin there.

    A fault in another one runs what lies in front of it in its part as well, which is little: all
    that does much work begins a part. In exchange every other run has fewer parts.
    """
    if not graph.replay:
        return traced
    entries = graph.model.index.initializers
    sizes = {name: math.prod(entries[name].shape) for name in traced}
    return {name for name, size in sizes.items() if size * _SELDOM >= sum(sizes.values())}


class ArmedLate:
    """A scenario at a late start.

    Args:
        late: The graph.
        scenario: The faults.

    Raises:
        FaultError: An index is out of range, or a fault in a stored tensor bound to one sample.
    """

    def __init__(self, late: LateStart, scenario: Scenario) -> None:
        self._late = late
        graph = late.graph
        images, stored = graph.images, late.stored
        self._changes = changes_of(scenario, late.sites, stored, images)
        self._groups = [group for group in scenario.groups if group.site not in images]
        # Where nearly every cut has a fault behind it, there is nothing to be gained in between.
        many = len(self._groups) > _MANY * len(late.wide.parts) if len(self._groups) > 1 else False
        self._chain = late.wide if many else late.chain
        self._positions = self._chain.reading({change.initializer for change in self._changes})
        self._narrow = {} if many else self._narrowed()
        # A part that runs alone, for some channels, gives what it gives with packed weights.
        alone = not self._groups and len(self._narrow) == len(self._positions) == 1
        changed = {change.initializer for change in self._changes}
        packed = () if alone else packed_for(graph, changed)
        self._packed = {name: late.lifted.array(name) for name in packed}
        self._bound = any(group.sample is not None for group in self._groups)
        self._values: dict[BatchWindow | int, dict[str, list[ValueFaults]]] = {}

    def _narrowed(self) -> dict[int, tuple[Narrow, slice]]:
        """Parts of which only some output channels change."""
        late, found = self._late, {}
        for position in self._positions:
            narrow = late.narrow.get(position)
            read = late.chain.parts[position].stored
            changes = [change for change in self._changes if change.initializer in read]
            if narrow is None or any(c.initializer != narrow.filter for c in changes):
                continue
            channels = narrow.touched(changes, late.lifted.feeds[narrow.filter].size)
            if channels is not None:
                found[position] = narrow, channels
        return found

    def golden(self, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window."""
        values = self._late.clean.of(window, self._packed)
        return {name: values[name] for name in self._late.chain.outputs}

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        """Faulty outputs of a window."""
        return propagate(self.common(window, hurried), [self.start(window)]).outputs(0)

    def common(self, window: BatchWindow, hurried: bool = False) -> Common:
        """What it has in common in a window with all scenarios of the same :attr:`kind`."""
        late = self._late
        return Common(
            chain=self._chain,
            golden=late.clean.of(window, self._packed),
            window=window,
            lifted={**late.loose, **self._packed},
            tensors=late.lifted,
            cropped=late.cropped if self._chain is late.chain else {},
            look=self._chain is late.chain,
            hurried=hurried,
        )

    @property
    def kind(self) -> Hashable:
        """What is equal for scenarios that can propagate together."""
        return self._chain is self._late.chain, frozenset(self._packed)

    @property
    def cropped(self) -> bool:
        """Whether it may begin with crops of images."""
        places, cropped = self._late.graph.places, self._late.cropped.candidates
        single = len(self._groups) == 1 and not self._changes
        place = places.get(self._groups[0].site) if single else None
        return bool(cropped) and place is not None and place.block is not None

    @cached_property
    def first(self) -> int:
        """The part at which it begins, or behind which; -1 at the inputs of the graph."""
        chain, places = self._chain, self._late.graph.places
        values = [places[g.site].value if g.site in places else g.site for g in self._groups]
        makers = [chain.makers.get(value, -1) for value in values]
        return min((*makers, *self._positions), default=-1)

    def start(self, window: BatchWindow) -> Start:
        """What makes a run of a window another one than the golden run."""
        return Start(
            values=self._faults(window),
            changes=self._changes,
            positions=self._positions,
            narrow=self._narrow,
        )

    def _faults(self, window: BatchWindow) -> dict[str, list[ValueFaults]]:
        """Faults in values of a run, by value."""
        key = window if self._bound else window.size
        if key not in self._values:
            self._values = {key: self._in_window(window)}
        return self._values[key]

    def _in_window(self, window: BatchWindow) -> dict[str, list[ValueFaults]]:
        found: dict[str, list[ValueFaults]] = {}
        late = self._late
        for group in self._groups:
            site = late.sites[group.site]
            columns = window_columns(group, site, window)
            elements = math.prod(layout_of(site).run_shape(window.size))
            place = late.graph.places.get(group.site)
            if place is None:  # a stored tensor that the graph has as an input
                faults = ValueFaults(site=site, columns=columns, elements=elements)
                found.setdefault(site.name, []).append(faults)
                continue
            faults = ValueFaults(
                site=site,
                columns=place.moved(columns),
                elements=place.moved_size(elements),
                block=place.block,
            )
            found.setdefault(place.value, []).append(faults)
        return found
