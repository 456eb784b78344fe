"""Monitors: values of a model that are returned besides its outputs, and their statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.engine.golden._context import BatchResult, EngineContext
from onnxfi.engine.golden._golden import once
from onnxfi.engine.runtime import EngineSettings, Session, Watchdog
from onnxfi.engine.study import Profile, windows
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, expose
from onnxfi.inject import BatchWindow
from onnxfi.outcome import (
    PartialStatistics,
    RunOutputs,
    ValueStatistics,
    rows_first,
    value_statistics,
)
from onnxfi.workload import Workload

Partial = Mapping[str, PartialStatistics]


def watching(context: EngineContext) -> EngineContext:
    """A context whose model returns the monitored values, whatever engine runs it."""
    if not context.monitors:
        return context
    return replace(context, model=expose(context.model, context.monitors))


class Watch:
    """Takes statistics of monitored values from runs.

    Args:
        context: Which values, and where samples lie in them.
    """

    def __init__(self, context: EngineContext) -> None:
        self._layouts = layouts_of(context.profile, context.monitors)
        self._golden: dict[tuple[str, BatchWindow], _Seen] = {}

    def of(self, result: BatchResult) -> Partial:
        """Statistics of one run; none if it gave no outputs."""
        faulty = result.faulty
        if faulty is None:
            return {}
        return {name: self._of_value(name, result, faulty[name]) for name in self._layouts}

    def _of_value(self, name: str, result: BatchResult, faulty: NDArray[Any]) -> PartialStatistics:
        golden, window = result.golden[name], result.window
        if faulty is not golden:
            return _statistics(self._layouts[name], window, faulty, golden)
        # Nothing reached it: engines that start late hand the golden value itself on.
        seen = self._golden.get((name, window))
        if seen is None or seen[0]() is not golden:
            seen = ref(golden), _statistics(self._layouts[name], window, golden, None)
            self._golden[name, window] = seen
        return seen[1]


_Seen = tuple[ReferenceType[NDArray[Any]], PartialStatistics]


def added(first: Partial, second: Partial) -> Partial:
    """Statistics of both."""
    if not first or not second:
        return first or second
    return {name: first[name] + second[name] for name in first}


def whole(found: Partial, names: Sequence[str]) -> dict[str, ValueStatistics]:
    """The figures of all monitored values, those of which nothing was seen among them."""
    return {name: found.get(name, PartialStatistics()).whole() for name in names}


def golden_statistics(
    model: Model,
    workload: Workload,
    profile: Profile,
    settings: EngineSettings,
    monitors: Sequence[str],
) -> dict[str, ValueStatistics]:
    """Statistics of monitored values in the fault-free run of a model.

    Args:
        model: The model.
        workload: Its samples.
        profile: Batch size, and layouts of the monitored values.
        settings: How it is run.
        monitors: The values.

    Raises:
        GoldenError: A run failed.
        BackendError: onnxruntime refuses the model with these values as outputs.
    """
    if not monitors:
        return {}
    layouts = layouts_of(profile, monitors)
    found: Partial = {}
    with closing(Watchdog()) as watchdog:
        session = Session(expose(model, monitors), settings, watchdog)
        for window in windows(workload.samples, profile.batch_size, profile.fixed_batch):
            outputs = once(session, workload, window, {})
            seen = {
                name: _statistics(layout, window, outputs[name], None)
                for name, layout in layouts.items()
            }
            found = added(found, seen)
    return whole(found, monitors)


def judged(context: EngineContext, outputs: RunOutputs) -> RunOutputs:
    """The outputs that the model itself has, without monitored values."""
    if not context.monitors:
        return outputs
    return {name: outputs[name] for name in context.profile.outputs}


def measurable(element: ElementType | None) -> bool:
    """Whether values of an element type can be returned by a session and measured."""
    if element is None or not has_format(element):
        return False
    # Those below one byte are packed, and sessions hand them out that way.
    return element is ElementType.BOOL or format_of(element).width >= 8


def layouts_of(profile: Profile, monitors: Sequence[str]) -> dict[str, SampleLayout]:
    """Where samples lie in monitored values, in models that run step by step those of all steps."""
    return {name: profile.outputs.get(name) or _stacked(profile, name) for name in monitors}


def _stacked(profile: Profile, name: str) -> SampleLayout:
    layout = profile.layouts[name]
    if layout.steps is None:
        return layout
    axis = None if layout.batch_axis is None else layout.batch_axis + 1
    return SampleLayout(shape=(layout.steps, *layout.shape), batch_axis=axis)


def samples_in_order(
    values: NDArray[Any], layout: SampleLayout, window: BatchWindow
) -> NDArray[Any] | None:
    """The rows of the real samples, samples first; None for what can't be told apart by sample."""
    if layout.batch_axis is None or values.ndim != len(layout.shape):
        return None
    return rows_first(values, layout, window.samples)


def _statistics(
    layout: SampleLayout, window: BatchWindow, values: NDArray[Any], golden: NDArray[Any] | None
) -> PartialStatistics:
    """Statistics over the real samples of a run."""
    mine = _real(values, layout, window)
    return value_statistics(mine, None if golden is None else _real(golden, layout, window))


def _real(values: NDArray[Any], layout: SampleLayout, window: BatchWindow) -> NDArray[Any]:
    rows = samples_in_order(values, layout, window) if window.padding else None
    return values if rows is None else np.ascontiguousarray(rows)
