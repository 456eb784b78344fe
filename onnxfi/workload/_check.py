"""Turns given arrays into a workload: names, dtypes and labels against the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.errors import UnsupportedModelError, WorkloadError
from onnxfi.workload._dims import is_free, shape_text
from onnxfi.workload._reading import EACH, Reading
from onnxfi.workload._workload import Labels, Workload, digest, read_labels

if TYPE_CHECKING:
    from onnxfi.graph import TensorSpec

LABELS = "labels"

Arrays = Mapping[str, NDArray[Any]]


def checked(
    arrays: Arrays, inputs: Sequence[TensorSpec], where: str
) -> tuple[dict[str, NDArray[Any]], Labels | None]:
    """Arrays by input, in file order and in the inputs' dtypes, and the labels.

    Args:
        arrays: Input names (and optionally ``labels``) to arrays.
        inputs: The model's inputs.
        where: How messages name the source.

    Raises:
        WorkloadError: A name, a dtype or the labels do not fit the model.
        UnsupportedModelError: An input is of a kind that can't be fed.
    """
    labelled = LABELS in arrays and all(spec.name != LABELS for spec in inputs)
    given = {name: a for name, a in arrays.items() if not (labelled and name == LABELS)}
    _check_names(given, inputs, where)
    found = {spec.name: typed(given[spec.name], spec, where) for spec in inputs}
    return found, read_labels(arrays[LABELS], where) if labelled else None


def workload_of(
    found: Arrays,
    reading: Reading,
    inputs: Sequence[TensorSpec],
    labels: Labels | None,
    source: str,
) -> Workload:
    """The workload that arrays are, read in one way.

    Args:
        found: The arrays, which allow the reading.
        reading: What a sample is.
        inputs: The model's inputs.
        labels: One a sample, or None.
        source: What to record as the workload's source.
    """
    roles = reading.inputs
    several = {
        # Samples first, wherever the array and the model have them; no copy is made.
        name: np.moveaxis(values, role.at, 0)
        for name, values in found.items()
        if (role := roles[name]).at is not None
    }
    constants = {name: values for name, values in found.items() if name not in several}
    samples = len(next(iter(several.values()))) if several else 1
    return Workload(
        inputs=MappingProxyType(several),
        axes=MappingProxyType({name: roles[name].axis for name in several}),
        constants=MappingProxyType(constants),
        labels=labels,
        samples=samples,
        sha256=digest(several, constants, labels),
        source=source,
        reading=reading,
        fixed_batch=_fixed_batch(reading, inputs),
    )


def _fixed_batch(reading: Reading, inputs: Sequence[TensorSpec]) -> int | None:
    """Rows that the model insists on in every run; None for any number, or for whole inputs."""
    if any(role == EACH for role in reading.inputs.values()):
        return None
    sizes = (
        spec.shape[axis]
        for spec in inputs
        if spec.shape is not None
        if (axis := reading.inputs[spec.name].axis) is not None
    )
    return next((dim for dim in sizes if isinstance(dim, int) and not is_free(dim)), None)


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
            f"{where} has no input {spec.name!r}; the model needs {_describe(spec)}; it has: {has}"
        )
    if extra:
        needs = ", ".join(map(repr, wanted)) or "none"
        raise WorkloadError(
            f"{where} has {extra[0]!r}, which is not an input of the model (inputs: {needs};"
            f" optional: 'labels'); remove or rename it"
        )


def _describe(spec: TensorSpec) -> str:
    """An input in words, e.g. ``'image' float32 (batch, 3, 32, 32)``."""
    kind = spec.element.value if spec.element else spec.kind
    return f"{spec.name!r} {kind}" + ("" if spec.shape is None else f" {shape_text(spec.shape)}")


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
