"""How the samples of a workload may share runs of a model, seen from its outputs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from onnxfi.engine.runtime import EngineSettings, Session, Watchdog
from onnxfi.engine.study._independence import Verdict, check_alone, check_fixed, check_grown
from onnxfi.engine.study._probe import Prober
from onnxfi.errors import BackendError, ConfigError
from onnxfi.graph import Model
from onnxfi.workload import Workload


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
