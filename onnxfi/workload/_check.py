"""Turns given arrays into a workload: names, dtypes, shapes and labels against the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.errors import UnsupportedModelError, WorkloadError
from onnxfi.graph import TensorSpec
from onnxfi.workload._axes import BatchAxes, Dim, batch_axes, is_free
from onnxfi.workload._labels import Labels, read_labels
from onnxfi.workload._workload import Workload, digest

LABELS = "labels"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """Arrays by role, before their shapes are checked."""

    axes: dict[str, int | None]
    samples: int


def workload_from_arrays(
    arrays: Arrays, inputs: Sequence[TensorSpec], source: str, where: str
) -> Workload:
    """Check arrays against the model's inputs and make the workload.

    Args:
        arrays: Input names (and optionally ``labels``) to arrays, samples first.
        inputs: The model's inputs.
        source: What to record as the workload's source.
        where: How messages name the source.

    Raises:
        WorkloadError: A name, dtype, shape or label does not fit the model.
        UnsupportedModelError: An input is of a kind that can't be fed.
    """
    labelled = LABELS in arrays and all(spec.name != LABELS for spec in inputs)
    given = {name: a for name, a in arrays.items() if not (labelled and name == LABELS)}
    _check_names(given, inputs, where)
    found = {spec.name: typed(given[spec.name], spec, where) for spec in inputs}
    labels = read_labels(arrays[LABELS], where) if labelled else None
    split = _split(found, inputs, None if labels is None else len(labels), where)
    for spec in inputs:
        _check_shape(found[spec.name], spec, split, where)
    if labels is not None and len(labels) != split.samples:
        raise WorkloadError(
            f"{where}: {len(labels)} labels for {split.samples} samples; give one label a sample"
        )
    return _finish(found, split, labels, source)


def numpy_dtype(spec: TensorSpec) -> np.dtype[Any]:
    """The dtype an input is fed in; object for strings.

    Raises:
        UnsupportedModelError: The input is not a tensor, or of a type that numpy can't feed.
    """
    if spec.kind != "tensor" or spec.element is None:
        raise UnsupportedModelError(
            f"input {spec.name!r} is a {spec.kind}, and only tensors can be fed;"
            f" export the model with tensor inputs"
        )
    if spec.element is ElementType.STRING:
        return np.dtype(object)
    if spec.element in (ElementType.COMPLEX64, ElementType.COMPLEX128):
        return np.dtype(np.complex64 if spec.element is ElementType.COMPLEX64 else np.complex128)
    return format_of(spec.element).value


def _check_names(given: Arrays, inputs: Sequence[TensorSpec], where: str) -> None:
    wanted = [spec.name for spec in inputs]
    missing = [spec for spec in inputs if spec.name not in given]
    extra = [name for name in given if name not in wanted]
    if missing:
        spec = missing[0]
        has = ", ".join(map(repr, given)) or "nothing"
        raise WorkloadError(
            f"{where} has no input {spec.name!r}; the model needs {_describe(spec, inputs)};"
            f" it has: {has}"
        )
    if extra:
        needs = ", ".join(map(repr, wanted)) or "none"
        raise WorkloadError(
            f"{where} has {extra[0]!r}, which is not an input of the model (inputs: {needs};"
            f" optional: 'labels'); remove or rename it"
        )


def _describe(spec: TensorSpec, inputs: Sequence[TensorSpec]) -> str:
    """An input in words, e.g. ``'image' float32 (samples, 3, 32, 32)``."""
    kind = spec.element.value if spec.element else spec.kind
    if spec.shape is None:
        return f"{spec.name!r} {kind}"
    axis = batch_axes(inputs).axes.get(spec.name)
    shape = spec.shape
    if axis is not None:
        shape = ("samples", *shape[:axis], *shape[axis + 1 :])
    return f"{spec.name!r} {kind} {shape_text(shape)}"


def typed(values: NDArray[Any], spec: TensorSpec, where: str) -> NDArray[Any]:
    """An array in the dtype of its input; values are never cast.

    Raises:
        WorkloadError: It has another dtype.
        UnsupportedModelError: The input can't be fed.
    """
    expected = numpy_dtype(spec)
    values = np.asarray(values)
    if expected.kind == "O":
        if values.dtype.kind in "OUT" and all(isinstance(v, str) for v in values.flat):
            return values.astype(object)
        raise WorkloadError(f"{where}: input {spec.name!r} has dtype {values.dtype}, needs strings")
    if values.dtype == expected:
        return np.ascontiguousarray(values).reshape(values.shape)
    # .npz files keep bfloat16 and float8 as raw bytes ("V2", "V1"): the bits are all there.
    raw = values.dtype.type is np.void and values.dtype.names is None
    if raw and expected.isbuiltin != 1 and values.dtype.itemsize == expected.itemsize:
        return np.ascontiguousarray(values).view(expected)
    raise WorkloadError(
        f"{where}: input {spec.name!r} has dtype {values.dtype}, the model needs {expected};"
        f" convert it with .astype({str(expected)!r}) if the values allow"
    )


def _split(found: Arrays, inputs: Sequence[TensorSpec], labels: int | None, where: str) -> _Split:
    """Find the role of every input: batched, stacked or constant."""
    over = [s for s in inputs if s.shape is not None and found[s.name].ndim == len(s.shape) + 1]
    if over:
        counts = {spec.name: len(found[spec.name]) for spec in over}
        samples = agree(counts, where)
        return _Split(axes=dict.fromkeys(counts, None), samples=samples)
    plan = batch_axes(inputs)
    if not plan.axes:
        return _Split(axes={}, samples=1)
    return _batched(found, inputs, plan, labels, where)


def _batched(
    found: Arrays, inputs: Sequence[TensorSpec], plan: BatchAxes, labels: int | None, where: str
) -> _Split:
    lead = next(iter(plan.axes))
    if found[lead].ndim == 0:
        raise WorkloadError(f"{where}: input {lead!r} is a scalar, it needs samples on axis 0")
    counts = {name: len(found[name]) for name in plan.axes if found[name].ndim}
    samples = labels if labels in counts.values() else counts[lead]
    shapes = {spec.name: spec.shape for spec in inputs}
    batch = _dim(shapes[lead], plan.axes[lead])
    for name, count in list(counts.items()):
        # An open first dimension with a name of its own ("boxes") may be a length of its own.
        own = _dim(shapes[name], plan.axes[name])
        if count != samples and isinstance(own, str) and own != batch:
            del counts[name]
    samples = agree(counts, where)
    return _Split(axes={name: plan.axes[name] for name in counts}, samples=samples)


def _dim(shape: tuple[Dim, ...] | None, axis: int) -> Dim:
    return None if shape is None else shape[axis]


def agree(counts: Mapping[str, int], where: str, what: str = "samples", axis: int = 0) -> int:
    """The number of samples (or steps) that all inputs have.

    Raises:
        WorkloadError: They have different numbers, or none.
    """
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise WorkloadError(f"{where}: inputs disagree on the number of {what}: {listed}")
    number = next(iter(counts.values()))
    if number == 0:
        raise WorkloadError(f"{where}: there are no {what} (axis {axis} is empty)")
    return number


def _check_shape(values: NDArray[Any], spec: TensorSpec, split: _Split, where: str) -> None:
    if spec.shape is None:
        return
    declared: tuple[Dim, ...] = spec.shape
    expected: tuple[Dim, ...] = declared
    if spec.name in split.axes:
        axis = split.axes[spec.name]
        rest = declared if axis is None else (*declared[:axis], *declared[axis + 1 :])
        expected = ("samples", *rest)
    fits = len(expected) == values.ndim and all(
        is_free(want) or want == got for want, got in zip(expected, values.shape, strict=True)
    )
    if not fits:
        raise WorkloadError(
            f"{where}: input {spec.name!r} has shape {shape_text(values.shape)}, expected"
            f" {shape_text(expected)}{_hint(spec, split)}"
        )


def _hint(spec: TensorSpec, split: _Split) -> str:
    axis = split.axes.get(spec.name, 0)
    return f"; samples first (the model has them on axis {axis})" if axis else ""


def shape_text(shape: Sequence[Dim]) -> str:
    """A shape in words, ``(samples, 3, ?)``."""
    inner = ", ".join("?" if dim is None else str(dim) for dim in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _finish(found: Arrays, split: _Split, labels: Labels | None, source: str) -> Workload:
    inputs = {name: found[name] for name in split.axes}
    constants = {name: values for name, values in found.items() if name not in split.axes}
    return Workload(
        inputs=MappingProxyType(inputs),
        axes=MappingProxyType(split.axes),
        constants=MappingProxyType(constants),
        labels=labels,
        samples=split.samples,
        sha256=digest(inputs, constants, labels),
        source=source,
    )
