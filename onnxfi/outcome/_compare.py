"""Bitwise comparison of a faulty output with the golden one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32}
_TEXT = "OSUT"  # numpy kinds of string tensors
_ALWAYS_FINITE = "iub" + _TEXT


def differs(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """In which samples any bit differs, bool (B,).

    Bits, not values: -0.0 differs from 0.0, and two NaN are equal if their payloads are.

    Args:
        golden: Array (B, ...), samples first.
        faulty: Array of the same shape and dtype.
    """
    if golden.size == 0:
        return np.zeros(len(golden), np.bool_)
    mine, theirs = _words(golden), _words(faulty)
    return np.asarray((mine != theirs).any(axis=1))


def changed_elements(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements differ in any bit, flat; arrays of one shape and a dtype of up to 8 bytes."""
    if golden.size == 0:
        return np.zeros(0, np.bool_)
    mine, theirs = (_words(array.reshape(1, -1))[0] for array in (golden, faulty))
    return np.asarray(mine != theirs)


def turned_nonfinite(golden: NDArray[Any], faulty: NDArray[Any]) -> NDArray[np.bool_]:
    """In which samples an element is non-finite where golden is finite, bool (B,).

    Args:
        golden: Array (B, ...), samples first; integers and text are always finite.
        faulty: Array of the same shape and dtype.
    """
    if faulty.dtype.kind in _ALWAYS_FINITE:
        return np.zeros(len(golden), np.bool_)
    bad = ~np.isfinite(faulty)
    if not bad.any():
        return np.zeros(len(golden), np.bool_)
    bad &= np.isfinite(golden)
    return np.asarray(bad.reshape(len(golden), -1).any(axis=1))


def has_nonfinite(values: NDArray[Any]) -> bool:
    """True if any element is infinite or NaN."""
    return values.dtype.kind not in _ALWAYS_FINITE and not np.isfinite(values).all()


def _words(array: NDArray[Any]) -> NDArray[Any]:
    flat = np.ascontiguousarray(array).reshape(len(array), -1)
    if flat.dtype.kind in _TEXT:  # text: no words, but == compares it exactly
        return flat
    return flat.view(_WORDS.get(flat.dtype.itemsize, np.uint64))
