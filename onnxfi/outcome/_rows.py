"""How an output is laid out for comparison: samples first, padding cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout


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
