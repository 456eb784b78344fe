"""Words and values: the same elements once as unsigned integers, once decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._element import ElementType
from onnxfi.bits._format import Words, format_of
from onnxfi.errors import ConfigError


def to_words(values: NDArray[Any], element: ElementType) -> Words:
    """The stored words of an array of values.

    Args:
        values: Any shape, in the format's value dtype (``format_of(element).value``).
        element: Its element type.

    Returns:
        A flat copy in C order, one unsigned word per element; bit-exact, NaN payloads kept.

    Raises:
        ConfigError: The array has another dtype.
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    native = values
    if values.dtype.byteorder == ">":
        native = values.astype(values.dtype.newbyteorder("="))
    if native.dtype != form.value:
        raise ConfigError(f"{element.name} values need dtype {form.value}, got {native.dtype}")
    flat = np.ascontiguousarray(native).reshape(-1)
    words: Words = flat.view(form.word) & form.word.type(form.mask)
    return words


def from_words(words: Words, element: ElementType, shape: tuple[int, ...]) -> NDArray[Any]:
    """Decode words into values.

    Args:
        words: One unsigned word per element, in the format's word dtype, C order.
        element: The element type.
        shape: Shape of the result; its product is the number of words.

    Returns:
        A new array of dtype ``format_of(element).value``; bit-exact, NaN payloads kept; bool from
        bit 0.

    Raises:
        ConfigError: The words have another dtype, or their number does not fit the shape.
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    if words.dtype != form.word:
        raise ConfigError(f"{element.name} words need dtype {form.word}, got {words.dtype}")
    if words.size != np.prod(shape, dtype=object):
        raise ConfigError(f"{words.size} words do not fill a tensor of shape {list(shape)}")
    stored = np.ascontiguousarray(words).reshape(-1) & form.word.type(form.mask)
    values: NDArray[Any] = stored.view(form.value).reshape(shape)
    return values
