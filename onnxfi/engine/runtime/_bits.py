"""Bit-for-bit comparison of arrays, NaN payloads included."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def changed(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements differ in any bit; both arrays have one shape and dtype."""
    if first.dtype.hasobject or first.dtype.kind == "U":
        return np.asarray(first != second, np.bool_)
    size = first.dtype.itemsize
    words = np.dtype(f"u{size}") if size in (1, 2, 4, 8) else np.dtype((np.uint8, (size,)))
    mine = np.ascontiguousarray(first).reshape(-1).view(words)
    theirs = np.ascontiguousarray(second).reshape(-1).view(words)
    differ = mine != theirs
    if differ.ndim > 1:
        differ = differ.any(axis=1)
    return np.asarray(differ).reshape(first.shape)


def same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two arrays have one shape, one dtype and the same bits."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return not changed(first, second).any()
