"""How likely each bit of an element is drawn: the four bit weightings of ISimDL, in numpy.

After arXiv 2303.08035: all bits alike; by place b + 1; by 2^b; or by the derivative of the decoding
formula v = (1 - 2s) 2^E (1 + M) in that bit, the bits taken as real numbers.
"""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import BitFormat, ElementType, format_of


class Weighting(enum.Enum):
    """A bit weighting, by the letter that it has in names of samplers."""

    RANDOM = "R"
    LINEAR = "L"
    EXPONENTIAL = "E"
    GRADIENT = "G"


def bit_shares(
    weighting: Weighting, values: NDArray[Any], element: ElementType
) -> NDArray[np.float64]:
    """The probability of each bit, given the element.

    Args:
        weighting: Which.
        values: What the elements stand for, any shape; only the gradient weighting reads them. It
            need not be what is stored: for computed tensors conductances take its place.
        element: Format of the stored elements.

    Returns:
        float64 (elements, width), rows sum to 1; a read-only view where all rows are the same.
    """
    width = format_of(element).width
    place = np.arange(width, dtype=np.float64)
    if weighting is Weighting.GRADIENT:
        return _by_gradient(values.reshape(-1).astype(np.float64), format_of(element))
    row = {
        Weighting.RANDOM: np.ones(width),
        Weighting.LINEAR: place + 1,
        Weighting.EXPONENTIAL: 2.0**place,
    }[weighting]
    return np.broadcast_to(row / row.sum(), (values.size, width))


def _by_gradient(values: NDArray[np.float64], form: BitFormat) -> NDArray[np.float64]:
    """The gradient weighting.

    Zeros, all of whose derivatives vanish, fall back to 2^b. So do integers: each bit of a
    linear code changes the value by its place, whatever the others are.
    """
    place = 2.0 ** np.arange(form.width, dtype=np.float64)
    if "exponent" not in form.fields:
        return np.broadcast_to(place / place.sum(), (len(values), form.width))
    size = np.abs(values)
    found = np.zeros((len(values), form.width))
    exponent, mantissa = form.fields["exponent"], form.fields.get("mantissa", range(0))
    for step, bit in enumerate(exponent):
        found[:, bit] = size * math.log(2) * 2.0**step
    _, above = np.frexp(size)
    smallest = 2 - 2 ** (len(exponent) - 1)  # exponent of subnormal numbers
    scale = np.ldexp(1.0, np.maximum(above - 1, smallest))
    for step, bit in enumerate(mantissa):
        found[:, bit] = 2.0 ** (step - len(mantissa)) * scale
    for bit in form.fields.get("sign", range(0)):
        found[:, bit] = 2 * size
    found[size == 0] = place
    return found / found.sum(axis=1, keepdims=True)
