"""Listing the fault sites of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict, Unpack

from onnxfi.api._arguments import paths_of
from onnxfi.engine import EngineSettings, complete_types, open_workload, profile
from onnxfi.faults import FaultSite, SiteFilter, SiteTable
from onnxfi.faults import enumerate_sites as all_sites
from onnxfi.graph import Model, load
from onnxfi.workload import SampleChoice, sample_choice, stream_of

Inputs = str | PathLike[str] | Mapping[str, Any]


class ReadingArguments(TypedDict, total=False):
    """What a sample of the inputs is, where it is not to be inferred; as ``Campaign.create``.

    Attributes:
        batch_axes: Batch axes of inputs and outputs, as ``{"x": 1}``.
        whole_inputs: Inputs that get the same array in every run.
        samples_are_runs: Whether each entry of the arrays' first axis is what one run gets.
    """

    batch_axes: Mapping[str, int | str]
    whole_inputs: Sequence[str]
    samples_are_runs: bool


class SiteChoice(ReadingArguments, total=False):
    """Which sites to list; what is not given does not restrict.

    Attributes:
        targets: Kinds to list.
        include: Globs of names to list.
        exclude: Globs of names to leave out.
        op_types: Operators to list.
        gates: Gates of recurrent operators to list, as sites of their own.
        steps: Time steps or iterations to list, counted from 0.
        parts: Parts of spiking neurons to list.
        over_steps: Tie the steps of each tensor into one site.
    """

    targets: Sequence[str]
    include: Sequence[str]
    exclude: Sequence[str]
    op_types: Sequence[str]
    gates: Sequence[str]
    steps: Sequence[int]
    parts: Sequence[str]
    over_steps: bool


def enumerate_sites(
    model: Any,
    *,
    inputs: Inputs | None = None,
    state: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | PathLike[str]] = (),
    **chosen: Unpack[SiteChoice],
) -> tuple[FaultSite, ...]:
    """The fault sites of a model, in file order.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        inputs: Workload; with it, computed tensors have their run-time shapes.
        state: Outputs of a streaming model and the inputs that they are fed back to.
        custom_ops: Shared libraries with operators that the model uses; code that runs.
        chosen: Which sites: ``targets``, ``include``, ``exclude``, ``op_types``, ``steps``,
            ``parts``, ``over_steps``; and what a sample is, see :class:`ReadingArguments`.

    Raises:
        ModelError: The model is unusable.
        WorkloadError: The workload does not fit the model.
        ConfigError: A filter matches nothing.
    """
    wanted = SiteFilter(
        targets=tuple(chosen.get("targets", ())),
        include=tuple(chosen.get("include", ())),
        exclude=tuple(chosen.get("exclude", ())),
        op_types=tuple(chosen.get("op_types", ())),
        gates=tuple(chosen.get("gates", ())),
        steps=tuple(chosen.get("steps", ())),
        parts=tuple(chosen.get("parts", ())),
        over_steps=chosen.get("over_steps", False),
    )
    said = reading_choice(chosen)
    sites = site_table(load_model(model, custom_ops), inputs, state, custom_ops, said).sites
    return sites if wanted == SiteFilter() else wanted.select(sites)


def load_model(model: Any, custom_ops: Sequence[str | PathLike[str]] = ()) -> Model:
    """A model from any form that the API takes, with the types of all that it computes."""
    opened = model if isinstance(model, Model) else load(model)
    return complete_types(opened, EngineSettings(custom_ops=paths_of(custom_ops)))


def reading_choice(given: ReadingArguments) -> SampleChoice:
    """What arguments say about samples."""
    return sample_choice(
        [f"{name}={axis}" for name, axis in given.get("batch_axes", {}).items()],
        given.get("whole_inputs", ()),
        runs=given.get("samples_are_runs", False),
    )


def site_table(
    model: Model,
    inputs: Inputs | None,
    state: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | PathLike[str]] = (),
    choice: SampleChoice | None = None,
) -> SiteTable:
    """All sites of a model, and what is left out; with run-time layouts where inputs are given."""
    pairs = [f"{output}={name}" for output, name in (state or {}).items()]
    stream = stream_of(pairs, model.inputs, model.outputs)
    states = () if stream is None else stream.state_inputs
    if inputs is None:
        return all_sites(model.index, model.inputs, model.outputs, states=states)
    settings = EngineSettings(stream=stream, custom_ops=paths_of(custom_ops))
    workload = open_workload(model, inputs, stream=stream, choice=choice, settings=settings)
    found = profile(model, workload, settings)
    layouts, unseen = found.layouts, found.left_out
    return all_sites(model.index, model.inputs, model.outputs, layouts, unseen, states)
