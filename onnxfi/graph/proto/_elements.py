"""Element types: ONNX's numbers, numpy's dtypes and :class:`ElementType`, and sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxfi.bits import ElementType, format_of, has_format, packed_bytes
from onnxfi.errors import ModelError

_BY_NUMBER: Mapping[int, ElementType] = MappingProxyType(
    {
        number: ElementType[name]
        for name, number in TensorProto.DataType.items()
        if name in ElementType.__members__
    }
)


def element_from_onnx(number: int) -> ElementType | None:
    """The element type with ONNX's number, None if undefined or unknown here."""
    return _BY_NUMBER.get(number)


def element_to_onnx(element: ElementType) -> int:
    """ONNX's number of an element type."""
    return int(TensorProto.DataType.Value(element.name))


def element_of_dtype(dtype: np.dtype[Any]) -> ElementType:
    """The element type whose values numpy (or ml_dtypes) holds in this dtype.

    Raises:
        ModelError: No ONNX element type has this dtype.
    """
    native = dtype.newbyteorder("=")
    for element in ElementType:
        if has_format(element) and format_of(element).value == native:
            return element
    raise ModelError(f"no ONNX element type holds values of numpy dtype {dtype}")


def data_bytes(element: ElementType, count: int) -> int | None:
    """Bytes of ``count`` elements in raw form, None for strings, which have no fixed size."""
    if element is ElementType.STRING:
        return None
    if element is ElementType.COMPLEX64:
        return 8 * count
    if element is ElementType.COMPLEX128:
        return 16 * count
    return packed_bytes(element, count)
