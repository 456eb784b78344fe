"""What a run returned: one array an output, and how samples lie in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import UnsupportedModelError
from onnxfi.faults import SampleLayout

RunOutputs: TypeAlias = Mapping[str, NDArray[Any]]
"""Outputs of one batch by name."""


def flatten_outputs(names: Sequence[str], raw: Sequence[object]) -> dict[str, NDArray[Any]]:
    """Outputs as onnxruntime returns them, turned into one array each.

    A sequence of tensors becomes an array (L, ...) of its L elements; those of different shapes
    are filled up to one, at the end of each axis, those of different ranks as flat arrays. A
    sequence of maps (the class scores of tree and linear classifiers after ZipMap) becomes an array
    (B, K) whose columns follow the sorted keys; a single map becomes (K,). What is empty becomes
    (0,).

    Args:
        names: Output names.
        raw: Their values, in the same order.

    Raises:
        UnsupportedModelError: An output is a sequence of maps with different keys, or anything
            else that has no array form.
    """
    return {name: _as_array(name, value) for name, value in zip(names, raw, strict=True)}


def blank(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of zeros, or of empty texts."""
    return np.full(shape, "", dtype) if dtype.hasobject else np.zeros(shape, dtype)


def filled_up(values: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """An array in a larger shape of the same rank, with blanks at the end of each axis."""
    if values.shape == tuple(shape):
        return values
    whole = blank(shape, values.dtype)
    whole[tuple(slice(size) for size in values.shape)] = values
    return whole


def storable(values: NDArray[Any]) -> NDArray[Any]:
    """The array in a dtype that numpy itself can read again without pickles.

    Texts get one width for all. bfloat16, float8 and packed types are not numpy's own; float32
    holds all their values.
    """
    if values.dtype.hasobject:
        return values.astype(str)
    known = values.dtype.isbuiltin == 1 or values.dtype.kind == "U"
    return values if known else values.astype(np.float32)


def _as_array(name: str, value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, dict):
        return np.asarray(_from_maps(name, [value])[0])
    if value is None:  # an optional without a value
        return np.zeros(0, np.float32)
    if isinstance(value, list) and all(isinstance(item, np.ndarray) for item in value):
        return _from_tensors(value)
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return _from_maps(name, value)
    raise UnsupportedModelError(
        f"output '{name}' is a {type(value).__name__}, which can't be compared sample by sample; "
        "export the model with tensor outputs, or cut that output off"
    )


def _from_tensors(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if not values:
        return np.zeros(0, np.float32)
    if len({value.ndim for value in values}) > 1:
        values = [value.reshape(-1) for value in values]
    largest = np.max([value.shape for value in values], axis=0).astype(int)
    return np.stack([filled_up(value, largest) for value in values])


def _from_maps(name: str, maps: Sequence[Mapping[Any, Any]]) -> NDArray[Any]:
    keys = sorted(maps[0])
    if any(len(row) != len(keys) or any(key not in row for key in keys) for row in maps):
        raise UnsupportedModelError(
            f"output '{name}' is a sequence of maps with different keys, which has no array form"
        )
    return np.array([[row[key] for key in keys] for row in maps])


def samples_in(array: NDArray[Any], layout: SampleLayout) -> int | None:
    """Samples that an output holds, None if it exists once per run."""
    if layout.batch_axis is None:
        return None
    return int(array.shape[layout.batch_axis]) // layout.rows


def rows_first(array: NDArray[Any], layout: SampleLayout, samples: int) -> NDArray[Any]:
    """The rows of the first ``samples`` samples along axis 0, (samples * m, ...).

    A value that exists once per run is one row.
    """
    if layout.batch_axis is None:
        return array[np.newaxis]
    if layout.batch_axis:
        array = np.moveaxis(array, layout.batch_axis, 0)
    return array[: samples * layout.rows]


def samples_first(array: NDArray[Any], layout: SampleLayout, samples: int) -> NDArray[Any]:
    """Samples along axis 0: (samples, ...), or (samples, m, ...) with m > 1 rows a sample."""
    rows = rows_first(array, layout, samples)
    if layout.batch_axis is None or layout.rows == 1:
        return rows
    return rows.reshape(samples, layout.rows, *rows.shape[1:])


def presented(
    array: NDArray[Any], layout: SampleLayout, samples: int, *, by_row: bool
) -> NDArray[Any]:
    """An output as a criterion wants to see it.

    Rows lose spatial axes of size 1: fully convolutional classifiers answer (B, C, 1, 1). A single
    trailing 1 stays: (B, T, 1) is rather a series of values than scores of T classes.
    """
    if not by_row:
        return samples_first(array, layout, samples)
    rows = rows_first(array, layout, samples)
    if rows.ndim > 3 and set(rows.shape[2:]) == {1}:
        return rows.reshape(rows.shape[:2])
    return rows


def per_sample(flags: NDArray[np.bool_], layout: SampleLayout, samples: int) -> NDArray[np.bool_]:
    """Flags of rows (or samples, or of the run) as flags of samples: True if any is."""
    if len(flags) == samples:
        return flags
    if layout.batch_axis is None:
        return np.broadcast_to(flags.any(), (samples,))
    return np.asarray(flags.reshape(samples, layout.rows).any(axis=1))
