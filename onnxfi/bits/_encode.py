"""Encoding: the word that stores a number in a format."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._element import ElementType
from onnxfi.bits._format import BitFormat, format_of
from onnxfi.bits._words import from_words
from onnxfi.errors import ConfigError


def encode(value: float | int, element: ElementType) -> int:
    """The word of a number in a format.

    Args:
        value: The number. Floats are rounded to the nearest value of the format, ties to even;
            integers and bool must be met exactly. NaN gives the format's quiet NaN.
        element: The element type.

    Returns:
        The word, as a Python int of the format's width.

    Raises:
        ConfigError: The format has no such number: out of range, a fraction in an integer format,
            or an infinity or NaN that the format lacks.
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    if "exponent" not in form.fields:
        return _encode_integer(value, form)
    try:
        number = float(value)
    except OverflowError:
        raise _refusal(value, form, "out of range") from None
    if form.width > 16:
        return _encode_wide(number, form)
    return _encode_narrow(number, form)


def _encode_integer(value: float | int, form: BitFormat) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise _refusal(value, form, "not an integer")
    whole = int(value)
    low, high = (-(1 << form.width - 1), form.mask >> 1) if form.signed else (0, form.mask)
    if not low <= whole <= high:
        raise _refusal(value, form, f"out of range {low}..{high}")
    return whole & form.mask


def _encode_wide(number: float, form: BitFormat) -> int:
    with np.errstate(all="ignore"):
        stored = np.array(number, dtype=np.float64).astype(form.value)
    if math.isfinite(number) and not np.isfinite(stored):
        raise _refusal(number, form, "out of range")
    return int(stored.view(form.word))


def _encode_narrow(number: float, form: BitFormat) -> int:
    """Compare with every number of the format: ml_dtypes rounds twice, once to float32."""
    table = _decoded(form)
    if math.isnan(number):
        return _special(number, form, np.isnan(table))
    if math.isinf(number):
        return _special(number, form, table == number)
    finite = np.where(np.isfinite(table), table, np.nan)
    above = np.unique(np.abs(finite[~np.isnan(finite)]))
    limit = above[-1] + (above[-1] - above[-2]) / 2
    if abs(number) >= limit or (not form.signed and number < above[0]):
        raise _refusal(number, form, "out of range")
    distance = np.abs(finite - number)
    nearest = np.flatnonzero(distance == np.nanmin(distance))
    same_sign = np.signbit(table[nearest]) == np.signbit(number)
    best = min(zip(nearest % 2, ~same_sign, nearest, strict=True))
    return int(best[2])


def _special(number: float, form: BitFormat, found: NDArray[np.bool_]) -> int:
    words = np.flatnonzero(found)
    if words.size == 0:
        raise _refusal(number, form, "not in this format")
    with np.errstate(all="ignore"):
        usual = np.array(number, dtype=np.float64).astype(form.value)
    word = int(usual.view(form.word)) & form.mask
    return word if word in words else int(words[0])


def _decoded(form: BitFormat) -> NDArray[np.float64]:
    """Every number of a format of up to 16 bits, by word."""
    words: NDArray[Any] = np.arange(1 << form.width).astype(form.word)
    # Widening a signalling NaN raises the invalid flag, which says nothing about the table.
    with np.errstate(all="ignore"):
        return from_words(words, form.element, (len(words),)).astype(np.float64)


def _refusal(value: float | int, form: BitFormat, reason: str) -> ConfigError:
    shown = f"{value:g}" if isinstance(value, float) else str(value)[:40]
    return ConfigError(f"{shown} can't be stored as {form.element.name}: {reason}")
