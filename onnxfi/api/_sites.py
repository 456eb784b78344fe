"""Listing the fault sites of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from onnxfi.engine import EngineSettings, profile
from onnxfi.faults import FaultSite, SiteFilter, SiteTable
from onnxfi.faults import enumerate_sites as all_sites
from onnxfi.graph import Model, load
from onnxfi.workload import read_workload

Inputs = str | PathLike[str] | Mapping[str, Any]


def enumerate_sites(
    model: Any,
    *,
    inputs: Inputs | None = None,
    targets: Sequence[str] = (),
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    op_types: Sequence[str] = (),
) -> tuple[FaultSite, ...]:
    """The fault sites of a model, in file order.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        inputs: Workload; with it, computed tensors have their run-time shapes.
        targets: Kinds to list; empty for all.
        include: Globs of names to list; empty for all.
        exclude: Globs of names to leave out.
        op_types: Operators to list; empty for all.

    Raises:
        ModelError: The model is unusable.
        WorkloadError: The workload does not fit the model.
        ConfigError: A filter matches nothing.
    """
    sites = site_table(load_model(model), inputs).sites
    if not (targets or include or exclude or op_types):
        return sites
    wanted = SiteFilter(
        targets=tuple(targets),
        include=tuple(include),
        exclude=tuple(exclude),
        op_types=tuple(op_types),
    )
    return tuple(wanted.select(sites))


def load_model(model: Any) -> Model:
    """A model from any form that the API takes; an opened one is passed through."""
    return model if isinstance(model, Model) else load(model)


def site_table(model: Model, inputs: Inputs | None) -> SiteTable:
    """All sites of a model, and what is left out; with run-time layouts where inputs are given."""
    if inputs is None:
        return all_sites(model.index, model.inputs, model.outputs)
    found = profile(model, read_workload(inputs, model.inputs), EngineSettings())
    return all_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)
