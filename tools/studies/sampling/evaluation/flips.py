"""What flipping each bit of a number does to its value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, from_words, to_words


def changes(words: Words, element: ElementType) -> NDArray[np.float64]:
    """How far each flip moves a stored number, float64 (elements, width), signed.

    A number that becomes infinite or no number moves by the largest one of the format. Integers
    move by codes.
    """
    form = format_of(element)
    flipped = words[:, None] ^ (np.array(1, form.word) << np.arange(form.width, dtype=form.word))
    before = values(words, element)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        after = from_words(flipped.reshape(-1), element, flipped.shape).astype(np.float64)
        moved = after - before
    largest = _largest(element)
    moved = np.where(np.isnan(moved), largest, moved)
    return np.clip(moved, -largest, largest)


def values(words: Words, element: ElementType) -> NDArray[np.float64]:
    """Stored numbers, float64 (elements,)."""
    with np.errstate(invalid="ignore"):
        return from_words(words, element, words.shape).astype(np.float64)


def words_of(numbers: NDArray[Any], element: ElementType) -> Words:
    """The words that hold computed numbers, rounded to what the format has."""
    form = format_of(element)
    whole = "exponent" not in form.fields
    return to_words((np.rint(numbers) if whole else numbers).astype(form.value), element)


def _largest(element: ElementType) -> float:
    """The largest finite number of a format."""
    form = format_of(element)
    if "exponent" not in form.fields:
        return float(2**form.width)
    every = np.arange(min(form.mask, 0xFFFF) + 1, dtype=np.uint64)
    # The upper half of a word decides; below it, all bits set are the largest.
    below = max(0, form.width - 16)
    words = (every << np.uint64(below)) | np.uint64((1 << below) - 1)
    decoded = values(words.astype(form.word), element)
    return float(decoded[np.isfinite(decoded)].max())
