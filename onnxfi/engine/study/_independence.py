"""Whether the samples of a workload may share a run of a model, seen from its outputs."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from onnxfi.engine.runtime import EngineSettings, Session, Watchdog, same
from onnxfi.engine.study._layouts import (
    Replacement,
    by_growth,
    by_replacement,
    of_one_sample,
    of_repeated_sample,
    proven,
)
from onnxfi.engine.study._probe import Prober
from onnxfi.errors import BackendError, ConfigError, GoldenError
from onnxfi.faults import SampleLayout
from onnxfi.graph import Model, TensorSpec
from onnxfi.outcome import RunOutputs
from onnxfi.workload import Workload

_GROWN = 3  # samples in the larger probing run


class Mode(enum.Enum):
    """How many samples a run of the model can hold."""

    ALONE = "one sample"
    GROWN = "any number"
    FIXED = "a fixed number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What probing the outputs showed.

    Attributes:
        mode: How many samples a run can hold.
        outputs: Where samples lie in each output.
        isolated: Whether no sample of a run changes when another is replaced.
        independent: Whether, besides, each sample gives the same bits alone as in a run.
        reason: Why, in words.
    """

    mode: Mode
    outputs: Mapping[str, SampleLayout]
    isolated: bool
    independent: bool
    reason: str


def check_alone(
    prober: Prober,
    declared: tuple[TensorSpec, ...],
    last: int,
    reason: str,
    stepped: Collection[str] = (),
) -> Verdict:
    """The verdict for a model whose runs hold a single sample.

    A first dimension of 1 that is declared so, or else is there for the first and the last
    sample, is taken for the batch axis: it makes [1, 10] scores of ten classes. In outputs that
    have steps on axis 0 (``stepped``), so is a second one.
    """
    first, final = prober.solo(0), prober.solo(last)
    shapes = {spec.name: spec.shape for spec in declared}
    outputs = {}
    for name, value in first.items():
        known = shapes.get(name)
        one = bool(known) and known is not None and known[0] == 1
        at = 1 if name in stepped else 0
        single = value.ndim > at and value.shape[at] == 1
        steady = single and final[name].shape[at : at + 1] == (1,)
        axis = at if single and (one or steady) else None
        outputs[name] = SampleLayout(shape=value.shape, batch_axis=axis)
    return Verdict(
        mode=Mode.ALONE, outputs=outputs, isolated=False, independent=False, reason=reason
    )


def check_grown(prober: Prober) -> Verdict | str:
    """The verdict for a model that takes any number of samples; why not, if it does not."""
    try:
        two, three = prober.base(2), prober.base(_GROWN)
    except GoldenError as error:
        return f"runs of several samples fail ({error})"
    alone = prober.solo(0)
    found = {name: by_growth(two[name].shape, three[name].shape) for name in three}
    outputs = {name: _or_whole(found[name], alone, name) for name in three}
    unclear = [f"output {name!r}: {why}" for name, why in found.items() if isinstance(why, str)]
    leak = unclear[0] if unclear else _leak(outputs, prober.changes(three, _GROWN), _GROWN)
    return _verdict(prober, Mode.GROWN, outputs, leak, _GROWN)


def check_fixed(prober: Prober, rows: int) -> Verdict:
    """The verdict for a model with a fixed batch of ``rows``."""
    base = prober.base(rows)
    changes = prober.changes(base, rows)
    outputs, unclear = {}, []
    for name, value in base.items():
        found = by_replacement(value.shape, changes[name], rows)
        if not isinstance(found, str) and len(found.shape) != value.ndim:
            found = "the rows of a sample lie apart"
        if isinstance(found, str):
            unclear.append(f"output {name!r}: {found}")
            found = of_repeated_sample(value.shape, rows)
        outputs[name] = found
    leak = unclear[0] if unclear else _leak(outputs, changes, rows)
    return _verdict(prober, Mode.FIXED, outputs, leak, rows)


def gives_the_same_alone(
    prober: Prober, outputs: Mapping[str, SampleLayout], samples: Iterable[int], size: int
) -> str | None:
    """Which of some samples gives other bits in a run of ``size`` than alone; None if none does."""
    together = prober.base(size)
    for sample in samples:
        alone = prober.solo(sample)
        for name, layout in outputs.items():
            mine = of_one_sample(together[name], layout, sample)
            if not same(mine, of_one_sample(alone[name], layout, 0)):
                return f"output {name!r} has other bits for a sample in a batch than alone"
    return None


def _verdict(
    prober: Prober, mode: Mode, outputs: Mapping[str, SampleLayout], leak: str | None, samples: int
) -> Verdict:
    """The verdict once it is known whether samples leak into each other."""
    differs = None if leak else gives_the_same_alone(prober, outputs, range(samples), samples)
    return Verdict(
        mode=mode,
        outputs=outputs,
        isolated=leak is None,
        independent=leak is None and differs is None,
        reason=leak or differs or "samples of a run are independent, bit for bit",
    )


def _or_whole(found: SampleLayout | str, alone: RunOutputs, name: str) -> SampleLayout:
    if isinstance(found, str):
        return SampleLayout(shape=alone[name].shape, batch_axis=None)
    return found


def _leak(
    outputs: Mapping[str, SampleLayout], changes: Mapping[str, Sequence[Replacement]], samples: int
) -> str | None:
    """Which output lets one sample change another, None if none does."""
    for name, layout in outputs.items():
        if not changes[name]:
            return f"the samples are too alike to show whether output {name!r} keeps them apart"
        # Any other layout than the given one would mean that rows of a sample lie apart.
        if proven([layout], changes[name], samples) != layout:
            return f"replacing one sample changes output {name!r} of others"
    return None


def own_session(model: Model, settings: EngineSettings, watchdog: Watchdog) -> Session:
    """The model's own session; an error says if it is onnxruntime's optimisation that fails.

    Raises:
        BackendError: onnxruntime refuses the model.
    """
    try:
        return Session(model, settings, watchdog)
    except BackendError as error:
        if settings.optimization == "disabled":
            raise
        try:
            Session(model, replace(settings, optimization="disabled"))
        except BackendError:
            raise error from None
        raise BackendError(f"{error}; it loads with --optimization disabled") from error


def judge(model: Model, prober: Prober, workload: Workload) -> Verdict:
    """Run a workload's first samples together and alone.

    Args:
        model: The model.
        prober: Runs it.
        workload: The samples, read as the prober does.

    Raises:
        GoldenError: The fault-free model fails on a single sample.
        ConfigError: An output has its samples on another axis than the user has said.
    """
    verdict = _judge(model, prober, workload)
    outputs = dict(verdict.outputs)
    for name, axis in workload.reading.outputs.items():
        stream = workload.stream
        stepped = stream is not None and name not in stream.state_outputs
        layout, at = outputs[name], axis + stepped
        if layout.batch_axis == at:
            continue
        if verdict.isolated or at >= len(layout.shape):
            found = "none" if layout.batch_axis is None else f"axis {layout.batch_axis - stepped}"
            raise ConfigError(
                f"output {name!r} of shape {list(layout.shape)} has no samples on axis {axis}, as"
                f" --batch-axis says; runs show {found}"
            )
        outputs[name] = replace(layout, batch_axis=at)
    return replace(verdict, outputs=outputs)


def _judge(model: Model, prober: Prober, workload: Workload) -> Verdict:
    alone = partial(check_alone, prober, model.outputs, workload.samples - 1)
    if workload.stream is not None:
        states = workload.stream.state_outputs
        stepped = [spec.name for spec in model.outputs if spec.name not in states]
        alone = partial(alone, stepped=stepped)
    if workload.stacked or not workload.axes:
        return alone("each sample is a whole set of inputs")
    rows = workload.fixed_batch
    if rows == 1:
        return alone("the model takes one sample a run")
    prober.solo(0)  # a model that fails on any number of samples is told from one that needs one
    if rows is not None:
        return check_fixed(prober, rows)
    verdict = check_grown(prober)
    if isinstance(verdict, str):
        return alone(verdict)
    return verdict
