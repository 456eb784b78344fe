"""Ports in the executable graph: it runs as a whole, with faults let in through inputs."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import merge
from onnxfi.engine.cut import LateStart
from onnxfi.engine.executable import TensorChange, TensorPlace
from onnxfi.engine.golden import EngineContext, GoldenSession, golden_room
from onnxfi.engine.runtime import Session, Watchdog
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario
from onnxfi.graph import Cuts, lift_initializers, partition
from onnxfi.graph.cut import cut
from onnxfi.inject import (
    BatchWindow,
    Instrumented,
    RunColumns,
    disarmed_feeds,
    faulty_words,
    instrument,
    layout_of,
    port_feeds,
    stored_array,
    window_columns,
    words_in,
)
from onnxfi.outcome import RunOutputs
from onnxfi.workload import Workload


class ReplayedModel:
    """The executable graph in a session, ports in it, its stored tensors lifted.

    Nothing is optimised any more, so ports leave every other kernel as it is.

    Args:
        context: Workload and settings.
        late: The graph.
        computed: Names of the sites that get a port.
        packed: Packed stored tensors that are lifted besides the others.
        watchdog: Ends runs that take too long.

    Raises:
        BackendError: onnxruntime refuses the graph.
        ModelError: Its opset can't be raised.
    """

    def __init__(
        self,
        context: EngineContext,
        late: LateStart,
        computed: Sequence[str],
        packed: Sequence[str],
        watchdog: Watchdog,
    ) -> None:
        graph = late.graph
        self.late = late
        outputs = [spec.name for spec in context.model.outputs]
        (whole,) = partition(graph.model, outputs, Cuts(work=False))
        nodes = frozenset(whole.nodes)
        run = (node for node in graph.model.index.nodes if node.name in nodes)
        made = {name for node in run for name in node.outputs}
        # Optimised, no output may wait for a value any more: then faults in it change nothing.
        self.reached = frozenset(made.union(whole.reads))
        sites = {}
        for name in computed:
            place = graph.places[name]
            if place.value in self.reached:
                sites[place.value] = _as_there(place, late)
        examples = graph.observation.examples
        model = cut(graph.model, frozenset(whole.nodes), outputs, examples)
        self.instrumented: Instrumented = instrument(model, tuple(sites.values()))
        self.batches = _Read(context.workload, frozenset(whole.reads))
        lifted = [name for name in (*late.loose, *packed) if name in whole.stored]
        model = lift_initializers(self.instrumented.model, lifted)
        self.session = Session(model, context.settings, watchdog, replay=True)
        self.extra: Mapping[str, NDArray[Any]] = {
            **{name: value for name, value in graph.fed.items() if name in whole.reads},
            **{name: late.lifted.array(name) for name in lifted},
            **disarmed_feeds(self.instrumented, {}),
        }
        self.reference = GoldenSession(self.session, self.batches, self.extra, golden_room(context))

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self.reference.nbytes


class _Read:
    """The inputs of a workload that a graph reads: those that it does not are none of its inputs.

    Args:
        workload: The samples.
        names: What the graph reads.
    """

    def __init__(self, workload: Workload, names: Container[str]) -> None:
        self._workload = workload
        self._names = names
        self.source = workload.source

    def batch(self, start: int, stop: int, pad_to: int | None = None) -> dict[str, NDArray[Any]]:
        """As :meth:`Workload.batch`."""
        feeds = self._workload.batch(start, stop, pad_to)
        return {name: values for name, values in feeds.items() if name in self._names}


def can_replay(context: EngineContext, late: LateStart) -> bool:
    """Whether a graph can run as a whole: it is an executable one whose nodes make all outputs."""
    made = late.chain.makers
    return late.graph.replay and all(spec.name in made for spec in context.model.outputs)


class ArmedReplay:
    """A scenario in a replayed model.

    Args:
        opened: The model.
        scenario: The faults.
        changes: What they change in the graph's stored tensors.
    """

    def __init__(
        self, opened: ReplayedModel, scenario: Scenario, changes: Sequence[TensorChange]
    ) -> None:
        late = opened.late
        graph = late.graph
        self._opened = opened
        self._changes = changes
        self._fed: dict[str, NDArray[Any]] = {}
        by_value: dict[str, list[FaultGroup]] = {}
        for group in scenario.groups:
            if group.site in graph.fed:
                self._fed[group.site] = _faulty(group, late.sites[group.site], graph.fed)
            elif group.site in graph.places:
                value = graph.places[group.site].value
                if value in opened.reached:
                    by_value.setdefault(value, []).append(group)
        ports = {port.site.name: port for port in opened.instrumented.ports}
        self._armed = [(ports[value], groups) for value, groups in by_value.items()]

    def golden(self, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window."""
        return self._opened.reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        """Faulty outputs of a window."""
        opened = self._opened
        feeds = opened.batches.batch(window.start, window.stop, window.size)
        armed: dict[str, NDArray[Any]] = {}
        for port, groups in self._armed:
            armed |= port_feeds(port, self._columns(groups, window))
        fed = {name: value for name, value in self._fed.items() if name in opened.extra}
        # Only for the length of a run: a caller may take the results of two scenarios in turns.
        with opened.late.lifted.armed(self._changes):
            return opened.session.run({**feeds, **opened.extra, **fed, **armed}, hurried=hurried)

    def _columns(self, groups: Sequence[FaultGroup], window: BatchWindow) -> RunColumns:
        """Faults of stored tensors that are one value there, in the order in which they act."""
        late = self._opened.late
        found = [
            late.graph.places[group.site].moved(
                window_columns(group, late.sites[group.site], window)
            )
            for group in groups
        ]
        if len(found) == 1:
            return found[0]
        index, and_mask, xor_mask = merge(
            np.concatenate([columns.index for columns in found]),
            np.concatenate([columns.and_mask for columns in found]),
            np.concatenate([columns.xor_mask for columns in found]),
        )
        return RunColumns(index=index, and_mask=and_mask, xor_mask=xor_mask)


def _as_there(place: TensorPlace, late: LateStart) -> FaultSite:
    """A site as it is in the executable graph."""
    site = place.site
    if place.position is None:
        # The profile's layout, which is proven: growth alone takes rows that follow each other
        # step by step for rows that follow each other sample by sample.
        return replace(site, name=place.value)
    layout, shape = layout_of(site), late.graph.observation.examples[place.value].shape
    if layout.batch_axis is not None:
        samples = math.prod(shape) // place.elements
        shape = (shape[0] // samples, *shape[1:])
    there = SampleLayout(shape=shape, batch_axis=layout.batch_axis)
    return replace(site, name=place.value, layout=there)


def _faulty(group: FaultGroup, site: FaultSite, clean: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return stored_array(faulty_words(group, site, words_in(clean[site.name], site)), site)
