"""Traces: how a fault spreads through a model, value by value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from onnxfi.bits import format_of
from onnxfi.engine.engines import ENGINES, Scenarios, Survey, open_engine
from onnxfi.engine.golden import (
    BatchResult,
    EngineContext,
    layouts_of,
    measurable,
    samples_in_order,
)
from onnxfi.engine.study import Profile, profile
from onnxfi.errors import BackendError, FaultError
from onnxfi.faults import FaultSite, SampleLayout, Scenario
from onnxfi.graph import Model
from onnxfi.outcome import Divergence, divergence

# Values of a run that are held at a time, golden and faulty ones each.
_HELD_BYTES = 128 << 20

OnTrace = Callable[[int, int], None]
"""Called with samples done and samples in all, those of all portions of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedValue:
    """A value of the graph under a scenario.

    Attributes:
        name: The value.
        node: The node that computes it.
        op_type: That node's operator.
        divergence: How far it is from the fault-free run.
    """

    name: str
    node: str
    op_type: str
    divergence: Divergence


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How a scenario spreads.

    Attributes:
        values: All tensors of numbers outside of control-flow bodies, in topological order.
        samples: Samples compared.
        silent: Samples whose run gave no outputs; nothing is known of their values.
        engine: The engine that ran it.
        optimization: onnxruntime's graph optimisation level in these runs.
    """

    values: tuple[TracedValue, ...]
    samples: int
    silent: int
    engine: str
    optimization: str

    @property
    def first(self) -> TracedValue | None:
        """The first value that differs; None if none does."""
        return next((value for value in self.values if value.divergence.changed), None)


def trace(context: EngineContext, scenario: Scenario, on_progress: OnTrace | None = None) -> Trace:
    """Compare all values of a model under a scenario with the fault-free run.

    The graph runs as it stands, without optimisation, since a value that is looked at could not be
    fused away: faults are baked into it (or, if bound to a sample or step, enter through ports).
    What is held at a time is bounded: where all values of a run would take too much, fewer samples
    run together, then fewer values are looked at together.

    Args:
        context: Model, workload and sites.
        scenario: The faults.
        on_progress: Told how far it is.

    Raises:
        FaultError: No engine can carry the scenario out in that graph.
        GoldenError: The fault-free run fails.
        BackendError: onnxruntime refuses the model.
    """
    # Every run is looked at once: nothing is worth keeping.
    context = replace(context, settings=replace(context.settings, memory_limit_bytes=0))
    how = replace(context.settings, optimization="disabled")
    try:
        return _traced(replace(context, settings=how), scenario, on_progress)
    except BackendError:
        if context.settings.optimization == "disabled":
            raise
        # Some operators only run where optimisation replaces them.
        return _traced(context, scenario, on_progress)


def _traced(context: EngineContext, scenario: Scenario, on_progress: OnTrace | None) -> Trace:
    model, old = context.model, context.profile
    names = _candidates(model)
    asked = replace(context.settings, batch_size=old.batch_size)
    seen = profile(model, context.workload, asked, names)
    names = [name for name in names if name in seen.layouts or name in seen.outputs]
    layouts = layouts_of(seen, names)
    sizes = {name: _bytes(model, name, layouts[name]) for name in names}
    how = _with_batches(old, seen, sum(sizes.values()))
    groups = _groups(sizes, _HELD_BYTES // how.batch_size)
    sites = tuple(site for site in context.sites if site.name in scenario.sites)
    engine = _engine(context, scenario, sites)
    total = len(groups) * context.workload.samples
    found = {name: Divergence() for name in names}
    silent = done = 0
    for number, group in enumerate(groups):
        watched = replace(context, profile=how, monitors=tuple(group), sites=sites)
        with closing(open_engine(engine, watched)) as opened:
            for result in opened.results(scenario):
                done += result.window.samples
                if result.faulty is None:
                    silent += 0 if number else result.window.samples
                for name in group if result.faulty is not None else ():
                    found[name] += _compared(result, name, layouts[name])
                if on_progress is not None:
                    on_progress(done, total)
    return Trace(
        values=tuple(_value(model, name, found[name]) for name in names),
        samples=context.workload.samples - silent,
        silent=silent,
        engine=engine,
        optimization=context.settings.optimization,
    )


def _engine(context: EngineContext, scenario: Scenario, sites: Sequence[FaultSite]) -> str:
    """The engine that carries a scenario out nearest to the graph as it stands."""
    needs = Scenarios(
        single_site=len(sites) == 1,
        bound=any(group.sample is not None for group in scenario.groups),
        sequences=context.workload.stream is not None,
        graphs=bool(scenario.graphs),
    )
    reason, survey = "no engine can carry it out", Survey(context.model)
    for kind in ENGINES:
        if not kind.traces or kind.objection(needs, sites) is not None:
            continue
        refused = kind.refused(survey, sites)
        if not refused:
            return kind.name
        reason = next(iter(refused.values()))
    raise FaultError(f"scenario {scenario.number} can't be traced: {reason}")


def _candidates(model: Model) -> list[str]:
    index = model.index
    return [
        name
        for node in index.nodes
        if not node.scope
        for name in node.outputs
        if name and measurable(index.element_of(name))
    ]


def _with_batches(old: Profile, seen: Profile, per_sample: int) -> Profile:
    """The campaign's profile with the layouts of all values, and runs of so many samples as fit."""
    size = old.batch_size
    if old.rows_independent and old.fixed_batch is None:
        size = max(1, min(size, _HELD_BYTES // max(1, per_sample)))
    return replace(old, layouts={**seen.layouts, **old.layouts}, batch_size=size)


def _groups(sizes: dict[str, int], limit: int) -> list[list[str]]:
    """Values in order, cut into groups of about so many bytes a sample."""
    groups: list[list[str]] = [[]]
    held = 0
    for name, size in sizes.items():
        if groups[-1] and held + size > limit:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups


def _bytes(model: Model, name: str, layout: SampleLayout) -> int:
    element = model.index.element_of(name)
    assert element is not None  # candidates have one
    return math.prod(layout.shape) * format_of(element).word.itemsize


def _compared(result: BatchResult, name: str, layout: SampleLayout) -> Divergence:
    assert result.faulty is not None
    golden, faulty, window = result.golden[name], result.faulty[name], result.window
    mine, theirs = (samples_in_order(each, layout, window) for each in (golden, faulty))
    if mine is None or theirs is None or golden.shape != faulty.shape:
        return divergence(golden, faulty)
    return divergence(mine, theirs, window.samples)


def _value(model: Model, name: str, found: Divergence) -> TracedValue:
    node = model.index.producer(name)
    assert node is not None  # candidates are computed
    return TracedValue(name=name, node=node.name, op_type=node.op_type, divergence=found)
