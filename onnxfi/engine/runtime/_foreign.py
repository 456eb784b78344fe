"""Tensors of types that numpy has no dtype for: how onnxruntime takes and gives their bits."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of, from_words, pack, packed_bytes, to_words, unpack
from onnxfi.engine.runtime._runtime import IOBinding, OrtValue, ort
from onnxfi.errors import BackendError
from onnxfi.graph import element_to_onnx

_WHOLE = (
    ElementType.BFLOAT16,
    ElementType.FLOAT8E4M3FN,
    ElementType.FLOAT8E4M3FNUZ,
    ElementType.FLOAT8E5M2,
    ElementType.FLOAT8E5M2FNUZ,
    ElementType.FLOAT8E8M0,
)
_PACKED = (
    ElementType.INT2,
    ElementType.INT4,
    ElementType.UINT2,
    ElementType.UINT4,
    ElementType.FLOAT4E2M1,
)
_BY_NUMBER: Mapping[int, ElementType] = MappingProxyType(
    {element_to_onnx(element): element for element in (*_WHOLE, *_PACKED)}
)

#: Names of these types as onnxruntime has them in descriptions of inputs and outputs.
FOREIGN = frozenset(element.value for element in (*_WHOLE, *_PACKED))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedTensor:
    """A tensor of elements below one byte, several of them in each byte.

    onnxruntime makes no value of it from an array, but reads it where it lies.

    Attributes:
        data: The bytes, as ONNX packs them.
        number: ONNX's number of the element type.
        shape: Its shape, in elements.
    """

    data: NDArray[np.uint8]
    number: int
    shape: tuple[int, ...]

    def bind_input(self, binding: IOBinding, name: str) -> None:
        """Let a run read it; the bytes must live as long as the run."""
        binding.bind_input(name, "cpu", 0, self.number, list(self.shape), self.data.ctypes.data)


def feed_of(values: NDArray[Any]) -> NDArray[Any] | OrtValue | PackedTensor:
    """What onnxruntime takes for an array: the array, or its bits under ONNX's type number.

    Raises:
        BackendError: onnxruntime takes no such array.
    """
    if values.dtype.isbuiltin == 1 or values.dtype.kind in "OU":
        return values
    for number, element in _BY_NUMBER.items():
        form = format_of(element)
        if form.value != values.dtype:
            continue
        if element in _PACKED:
            data = np.frombuffer(pack(to_words(values, element), element), np.uint8)
            return PackedTensor(data=data, number=number, shape=values.shape)
        bits = np.asarray(values, order="C").view(form.word)  # a scalar stays one
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, number)
    raise BackendError(f"onnxruntime takes no input of dtype {values.dtype}")


def array_of(value: OrtValue) -> object:
    """An output as an array; types without a numpy dtype are read from memory.

    Raises:
        BackendError: Such an output is not in the host's memory.
    """
    if not value.is_tensor():
        return value.numpy()
    element = _BY_NUMBER.get(value.element_type())
    if element is None:
        return value.numpy()
    if value.device_name() != "cpu":
        raise BackendError(f"an output of type {element.name} stays on {value.device_name()}")
    shape = tuple(value.shape())
    count = math.prod(shape)
    size = packed_bytes(element, count)
    data = ctypes.string_at(value.data_ptr(), size) if size else b""
    return from_words(unpack(data, element, count), element, shape)
