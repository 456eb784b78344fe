"""Which axis of each model input the samples lie along, read off the declared shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.graph import TensorSpec

Dim = int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAxes:
    """The batch axis of every input that has one.

    Attributes:
        axes: Input name to the axis that holds its samples; inputs fed whole are missing.
        fixed: The number of rows the model insists on, None where it takes any number.
    """

    axes: Mapping[str, int]
    fixed: int | None


def is_free(dim: Dim) -> bool:
    """True for a dimension the model leaves open; a declared 0 or -1 is a placeholder too."""
    return not isinstance(dim, int) or dim <= 0


def batch_axes(inputs: Sequence[TensorSpec]) -> BatchAxes:
    """Find the batch axes from declared shapes.

    A dimension called like a batch ("batch", "batch_size", "N") wins wherever it stands, since
    sequence models keep it on axis 1. Otherwise a free first dimension is the batch axis. Where
    every first dimension is fixed, the first input of rank two or more sets the fixed batch, and
    the inputs that share its first dimension follow it.
    """
    named = _batch_name(inputs)
    free = {spec.name: axis for spec in inputs if (axis := _free_axis(spec, named)) is not None}
    if free:
        return BatchAxes(axes=MappingProxyType(free), fixed=None)
    shaped = [spec for spec in inputs if spec.shape is not None and len(spec.shape) >= 2]
    if not shaped:
        return BatchAxes(axes=MappingProxyType({}), fixed=None)
    rows = _first(shaped[0])
    together = {spec.name: 0 for spec in shaped if _first(spec) == rows}
    return BatchAxes(axes=MappingProxyType(together), fixed=int(rows or 0))


def fixed_batch(inputs: Sequence[TensorSpec]) -> int | None:
    """Rows that the model insists on in every run, None where it takes any number."""
    return batch_axes(inputs).fixed


def state_axis(spec: TensorSpec, inputs: Sequence[TensorSpec]) -> int | None:
    """The batch axis of a state input; None where samples can't be told apart in it.

    It is the dimension called as that of the other inputs, else the first free one (recurrent
    layers keep the batch on axis 1), else the first with as many entries as the fixed batch.

    Args:
        spec: The state.
        inputs: The inputs that are no state.
    """
    if spec.shape is None:
        return 0
    plan = batch_axes(inputs)
    if not plan.axes:
        return None
    named = _batch_name(inputs)
    if named is not None and named in spec.shape:
        return spec.shape.index(named)
    wanted = (place for place, dim in enumerate(spec.shape) if is_free(dim))
    if plan.fixed is not None:
        wanted = (place for place, dim in enumerate(spec.shape) if dim == plan.fixed)
    return next(wanted, None)


def _first(spec: TensorSpec) -> Dim:
    return spec.shape[0] if spec.shape else None


def _batch_name(inputs: Sequence[TensorSpec]) -> str | None:
    for spec in inputs:
        for dim in spec.shape or ():
            if isinstance(dim, str) and ("batch" in dim.lower() or dim in ("N", "n", "bs")):
                return dim
    return None


def _free_axis(spec: TensorSpec, named: str | None) -> int | None:
    if spec.shape is None:
        return 0
    if named is not None and named in spec.shape:
        return spec.shape.index(named)
    if spec.shape and is_free(spec.shape[0]):
        return 0
    return None
