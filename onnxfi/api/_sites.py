"""Listing the fault sites of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Unpack

from onnxfi.api._arguments import check_keywords, paths_of, plain_settings
from onnxfi.api._keywords import ReadingKeywords, SiteKeywords
from onnxfi.engine import EngineSettings, complete_types, open_workload, profile
from onnxfi.faults import FaultSite, SiteFilter, SiteTable
from onnxfi.faults import enumerate_sites as all_sites
from onnxfi.graph import Model, load
from onnxfi.settings import CampaignSettings
from onnxfi.workload import SampleChoice, sample_choice, stream_of

Inputs = str | PathLike[str] | Mapping[str, Any]


def enumerate_sites(
    model: Any,
    *,
    inputs: Inputs | None = None,
    state: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | PathLike[str]] = (),
    **chosen: Unpack[SiteKeywords],
) -> tuple[FaultSite, ...]:
    """The fault sites of a model, in file order.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        inputs: Workload; with it, computed tensors have their run-time shapes.
        state: Outputs of a streaming model and the inputs that they are fed back to.
        custom_ops: Shared libraries with operators that the model uses; code that runs.
        chosen: Which sites: ``targets``, ``include``, ``exclude``, ``op_types``, ``steps``,
            ``parts``, ``over_steps``; and what a sample is, ``batch_axes``,
            ``whole_inputs``, ``samples_are_runs``; see ``docs/settings.md``.

    Raises:
        ModelError: The model is unusable.
        WorkloadError: The workload does not fit the model.
        ConfigError: A filter matches nothing.
    """
    check_keywords("enumerate_sites", chosen, CampaignSettings)
    wanted = SiteFilter(**plain_settings(chosen, "sites"))
    said = reading_choice(chosen)
    sites = site_table(load_model(model, custom_ops), inputs, state, custom_ops, said).sites
    return sites if wanted == SiteFilter() else wanted.select(sites)


def load_model(model: Any, custom_ops: Sequence[str | PathLike[str]] = ()) -> Model:
    """A model from any form that the API takes, with the types of all that it computes."""
    opened = model if isinstance(model, Model) else load(model)
    return complete_types(opened, EngineSettings(custom_ops=paths_of(custom_ops)))


def reading_choice(given: ReadingKeywords) -> SampleChoice:
    """What arguments say about samples."""
    told = plain_settings(given, "reading")
    return sample_choice(
        told.get("batch_axes", ()),
        told.get("whole_inputs", ()),
        runs=told.get("samples_are_runs", False),
    )


def site_table(
    model: Model,
    inputs: Inputs | None,
    state: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | PathLike[str]] = (),
    choice: SampleChoice | None = None,
) -> SiteTable:
    """All sites of a model, and what is left out; with run-time layouts where inputs are given."""
    told = plain_settings({"state": state or {}}, "state")
    stream = stream_of(told["state"], model.inputs, model.outputs)
    states = () if stream is None else stream.state_inputs
    if inputs is None:
        return all_sites(model.index, model.inputs, model.outputs, states=states)
    settings = EngineSettings(stream=stream, custom_ops=paths_of(custom_ops))
    workload = open_workload(model, inputs, stream=stream, choice=choice, settings=settings)
    found = profile(model, workload, settings)
    layouts, unseen = found.layouts, found.left_out
    return all_sites(model.index, model.inputs, model.outputs, layouts, unseen, states)
