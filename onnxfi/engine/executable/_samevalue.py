"""Telling that two arrays are one value: laid out anew, converted, or off by a rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Kernels of the optimised graph add in another order; 16-bit values are rounded in between.
_CLOSE = 1e-3
_CLOSE_16 = 2e-2
# A requantized integer may fall on the other side of a half now and then, and what is computed
# from it be a few steps off; these are shares of the elements, and of the range.
_OFTEN = 0.05
_STEPS = 0.05
_BLOCKS = (16, 8, 4)
_IMAGE_RANK = 4


def carries(value: NDArray[Any], stored: NDArray[Any], *, blocked: bool) -> bool:
    """Whether a value of the optimised graph is one of the stored graph in another form.

    Args:
        value: The value as onnxruntime lays it out.
        stored: The value of the stored graph, from a run on the same samples.
        blocked: Whether ``value`` may have its channels in blocks: N, C/b, H, W, b seen as
            N, C, H, W.
    """
    # Random samples may well drive a network to infinity, which is no news here.
    with np.errstate(all="ignore"):
        forms = _forms(value, stored, blocked)
        return any(_agree(form, stored) for form in forms) and _telling(stored)


def _telling(stored: NDArray[Any]) -> bool:
    """Whether an array can be told from others: finite numbers, not all the same."""
    if stored.dtype.kind not in "fiu" and stored.dtype.name != "bfloat16":
        return False
    numbers = stored.astype(np.float64)
    return bool(numbers.size > 1 and np.isfinite(numbers).all() and np.ptp(numbers) > 0)


def _forms(
    value: NDArray[Any], stored: NDArray[Any], blocked: bool
) -> Iterator[NDArray[np.float64]]:
    """The value in the layout of the stored one, in all ways that it may have been laid out."""
    if value.ndim != stored.ndim or value.dtype.kind in "bOUS":
        return
    if np.issubdtype(value.dtype, np.integer) != np.issubdtype(stored.dtype, np.integer):
        return
    numbers = value.astype(np.float64)
    if value.shape == stored.shape:
        yield numbers
    if value.ndim > 2:
        last = np.moveaxis(numbers, -1, 1)
        if last.shape == stored.shape:
            yield last
    if blocked and value.ndim == _IMAGE_RANK:
        yield from (plain[:, : stored.shape[1]] for plain in _unblocked(numbers, stored))


def _unblocked(numbers: NDArray[np.float64], stored: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    samples, channels, height, width = numbers.shape
    padded = (samples, height, width) == (stored.shape[0], *stored.shape[2:])
    if not padded or channels < stored.shape[1]:
        return
    for block in _BLOCKS:
        if channels % block == 0:
            apart = numbers.reshape(samples, channels // block, height, width, block)
            yield apart.transpose(0, 1, 4, 2, 3).reshape(numbers.shape)


def _agree(form: NDArray[np.float64], stored: NDArray[Any]) -> bool:
    if form.shape != stored.shape:
        return False
    wanted = stored.astype(np.float64)
    apart = np.abs(form - wanted)
    if np.issubdtype(stored.dtype, np.integer):
        return bool(np.mean(apart > 0) <= _OFTEN and apart.max() <= _STEPS * np.ptp(wanted))
    close = _CLOSE if stored.dtype.itemsize > 2 else _CLOSE_16
    return bool(apart.max() <= close * np.abs(wanted).max())
