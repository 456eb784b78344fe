"""The profile: run-time shapes, batch axes, and whether samples may share a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from onnxfi.engine.runtime import EngineSettings, Session, Watchdog
from onnxfi.engine.study._batches import default_batch_size
from onnxfi.engine.study._independence import Verdict, gives_the_same_alone, judge, own_session
from onnxfi.engine.study._nested import nested_layouts
from onnxfi.engine.study._probe import Prober
from onnxfi.engine.study._values import ValueLayouts, value_layouts
from onnxfi.errors import BackendError
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, expose
from onnxfi.workload import StateStream, Workload

_COMPARED = 8  # samples of the first batch that are run alone, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the file does not say about a model under a workload.

    Attributes:
        layouts: Where samples lie in each candidate value and each input.
        left_out: Candidate values without a layout, and why.
        outputs: Where samples lie in each output.
        batch_size: Samples in one run.
        rows_independent: Whether samples of one run can't influence each other, and each gives
            the same bits as alone.
        fixed_batch: Rows that the model insists on, None for any number.
        reason: Why the batch size is what it is, in words.
    """

    layouts: Mapping[str, SampleLayout]
    left_out: Mapping[str, str]
    outputs: Mapping[str, SampleLayout]
    batch_size: int
    rows_independent: bool
    fixed_batch: int | None
    reason: str


def profile(
    model: Model,
    workload: Workload,
    settings: EngineSettings,
    candidates: Sequence[str] | None = None,
) -> Profile:
    """Run the model on a few samples to learn where samples lie and whether they may share runs.

    The model runs on 2 and on 3 samples: an axis that goes from 2m to 3m is the batch axis. (A
    model with a fixed batch B runs on B, and the axis is found by replacing a sample.) Samples may
    share a run if each gives, bit for bit, what it gives alone, and if no other sample changes
    when one is replaced by other values, huge numbers or NaN; a batch size that is asked for needs
    only the latter.

    Args:
        model: The model.
        workload: Its samples.
        settings: How it will be run.
        candidates: Values whose layout is wanted; None for all that nodes compute, and for what
            control-flow bodies are handed. Inputs and outputs are always included.

    Raises:
        GoldenError: The fault-free model fails on the samples, or takes too long.
        BackendError: onnxruntime refuses the model.
    """
    rows = workload.fixed_batch
    wanted = _wanted(model, workload, candidates)
    typed = [name for name in wanted if model.index.element_of(name) is not None]
    with closing(Watchdog()) as watchdog:
        prober = Prober(own_session(model, settings, watchdog), workload, rows)
        verdict = judge(model, prober, workload)
        size, reason = _batch_size(model, prober, workload, settings, verdict)
        found = ValueLayouts()
        plain, step = replace(settings, stream=None), workload.first_step()

        def inside(opened: Model) -> Prober:
            return Prober(_lenient(opened, plain, watchdog), step, rows)

        nested = [name for name in typed if _scope(model, name)]
        top = [name for name in typed if not _scope(model, name)]
        if top:
            prober = inside(expose(model, top))
            found = value_layouts(prober, top, verdict, rows or 1, workload.samples - 1)
        if nested:
            bodies = nested_layouts(model, inside, nested, verdict, rows or 1, workload.samples - 1)
            found = found | bodies
    for name in set(wanted).difference(typed):
        if model.index.kind_of(name) == "tensor":
            found.add(name, "its element type is not known")
    layouts = found.layouts | _inputs(workload.first_step())
    if workload.stream is not None:
        growing = _growing(workload.stream, verdict.outputs, layouts)
        if growing is not None:
            for name in set(layouts).difference(workload.stream.inputs):
                del layouts[name]
                found.add(name, f"state {growing!r} changes its shape from step to step")
        layouts = {name: replace(each, steps=workload.steps) for name, each in layouts.items()}
    return Profile(
        layouts=MappingProxyType(layouts),
        left_out=MappingProxyType(found.left_out),
        outputs=MappingProxyType(dict(verdict.outputs)),
        batch_size=size,
        rows_independent=verdict.independent,
        fixed_batch=rows,
        reason=reason,
    )


def _growing(
    stream: StateStream, outputs: Mapping[str, SampleLayout], layouts: Mapping[str, SampleLayout]
) -> str | None:
    """A state whose last shape is not its first, so that values have no shape of their own."""
    for output, name in stream.state:
        if outputs[output].shape != layouts[name].shape:
            return name
    return None


def _batch_size(
    model: Model, prober: Prober, workload: Workload, settings: EngineSettings, verdict: Verdict
) -> tuple[int, str]:
    """Samples in one run, and why."""
    asked = settings.batch_size
    if not verdict.isolated or (asked is None and not verdict.independent):
        return 1, verdict.reason
    rows = workload.fixed_batch
    if rows is not None:
        return min(rows, asked or rows), f"the model takes batches of {rows}"
    default = default_batch_size(model, workload.first_step())
    size = default if asked is None else min(asked, workload.samples)
    differs = None if verdict.independent else verdict.reason
    if differs is None:
        some = np.linspace(0, size - 1, _COMPARED).astype(int).tolist()
        differs = gives_the_same_alone(prober, verdict.outputs, dict.fromkeys(some), size)
    if asked is not None:
        return size, "as asked for" if differs is None else f"as asked for, though {differs}"
    return (size, "by the size of the model's tensors") if differs is None else (1, differs)


def _wanted(model: Model, workload: Workload, candidates: Sequence[str] | None) -> list[str]:
    if candidates is not None:
        fed = workload.inputs.keys() | workload.constants.keys()
        return [name for name in dict.fromkeys(candidates) if name not in fed]
    index = model.index
    made = [value for node in index.nodes for value in node.outputs if value]
    handed = [value for body in index.bodies.values() for value in body.inputs]
    return [
        value
        for value in (*made, *handed)
        if not _scope(model, value) or index.kind_of(value) == "tensor"
    ]


def _scope(model: Model, value: str) -> str:
    """The control-flow body that a value is in; empty at the top level."""
    home = model.index.home(value)
    return "" if home is None else home.scope


def _lenient(exposed: Model, settings: EngineSettings, watchdog: Watchdog) -> Session:
    # Outputs keep optimisation from doing much, and sessions start faster without it; yet some
    # models only load with it, since it removes operators that have no kernel.
    try:
        return Session(exposed, replace(settings, optimization="disabled"), watchdog)
    except BackendError:
        return Session(exposed, settings, watchdog)


def _inputs(workload: Workload) -> dict[str, SampleLayout]:
    layouts = {
        name: SampleLayout(shape=values.shape, batch_axis=None)
        for name, values in workload.constants.items()
    }
    for name, values in workload.inputs.items():
        axis = workload.axes[name]
        shape = values.shape[1:]
        if axis is not None:
            shape = (*shape[:axis], 1, *shape[axis:])
        layouts[name] = SampleLayout(shape=shape, batch_axis=axis)
    return layouts
