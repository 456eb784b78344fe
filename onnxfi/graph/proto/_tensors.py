"""Data of tensor messages: read as words, written, sized, and taken out for C++ passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from onnxfi.bits import (
    ElementType,
    Words,
    elements_a_byte,
    format_of,
    pack,
    packed_bytes,
    unpack,
)
from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.proto._types import data_bytes, element_from_onnx
from onnxfi.graph.proto._walk import scopes

Data = bytes | NDArray[np.uint8]
"""The raw bytes of a tensor; an array of them is the reader's own, to be changed at will."""

Reader = Callable[[TensorProto], Data]
"""Reads the raw bytes of a tensor that lies in an external file."""

_DATA_FIELDS = (
    "raw_data",
    "float_data",
    "double_data",
    "int32_data",
    "int64_data",
    "uint64_data",
    "string_data",
)


def is_external(tensor: TensorProto) -> bool:
    """Whether the data lies in another file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def known_element(tensor: TensorProto) -> ElementType:
    """Element type of a stored tensor.

    Raises:
        UnsupportedModelError: The type is undefined or unknown here.
    """
    element = element_from_onnx(tensor.data_type)
    if element is None:
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} has element type number {tensor.data_type}, which is not a"
            f" type that onnxfi knows"
        )
    return element


def element_count(tensor: TensorProto) -> int:
    """Number of elements by the declared dimensions.

    Raises:
        ModelError: A dimension is negative.
    """
    if any(dim < 0 for dim in tensor.dims):
        raise ModelError(f"tensor {tensor.name!r} has a negative dimension: {list(tensor.dims)}")
    return math.prod(tensor.dims)


def data_size(tensor: TensorProto) -> int:
    """Bytes of the raw form that element type and dimensions ask for.

    Raises:
        ModelError: A dimension is negative.
        UnsupportedModelError: The type is unknown, or strings, which have no raw form.
    """
    size = data_bytes(known_element(tensor), element_count(tensor))
    if size is None:
        raise UnsupportedModelError(f"tensor {tensor.name!r} holds strings, which have no words")
    return size


def raw_bytes(tensor: TensorProto, reader: Reader) -> Data:
    """The tensor's data as ONNX lays it out in ``raw_data``.

    Raises:
        ModelError: The data has another size than element type and dimensions say.
        UnsupportedModelError: Strings, which have no raw form.
    """
    element = known_element(tensor)
    expected = data_size(tensor)
    data: Data
    if is_external(tensor):
        data = reader(tensor)
    elif tensor.HasField("raw_data"):
        data = tensor.raw_data
    else:
        data = _typed_bytes(tensor, element)
    if len(data) != expected:
        raise ModelError(
            f"tensor {tensor.name!r} of shape {list(tensor.dims)} and type {element.value} needs"
            f" {expected} bytes, its data has {len(data)}"
        )
    return data


def tensor_words(tensor: TensorProto, reader: Reader, packed: ElementType | None = None) -> Words:
    """The tensor's elements as flat words, bit-exact (NaN payloads kept).

    Args:
        tensor: The tensor.
        reader: Reads external data.
        packed: The type of elements that a tensor of uint8 holds several of in each byte.

    Raises:
        ModelError: As :func:`raw_bytes`.
        FaultError: Complex elements are not single words.
    """
    data = raw_bytes(tensor, reader)
    if packed is not None:
        return unpack(data, packed, len(data) * elements_a_byte(format_of(packed).width))
    return unpack(data, known_element(tensor), element_count(tensor))


def set_words(tensor: TensorProto, words: Words, packed: ElementType | None = None) -> None:
    """Replace a tensor's data in place; name, type and dimensions stay.

    Args:
        tensor: The tensor.
        words: Its words.
        packed: The type of elements that a tensor of uint8 holds several of in each byte.

    Raises:
        ModelError: The number of words or their dtype does not fit the tensor.
        FaultError: Complex elements and strings are not single words.
    """
    check_words(tensor, words, packed)
    element = known_element(tensor) if packed is None else packed
    for field in (*_DATA_FIELDS, "external_data", "data_location"):
        tensor.ClearField(field)
    tensor.raw_data = pack(words, element)


def check_words(tensor: TensorProto, words: Words, packed: ElementType | None = None) -> None:
    """Refuse words that do not fit a tensor; arguments and errors as :func:`set_words`."""
    element, count = known_element(tensor), element_count(tensor)
    if packed is not None:
        element, count = packed, count * elements_a_byte(format_of(packed).width)
    word = format_of(element).word
    if words.size != count or words.dtype != word:
        raise ModelError(
            f"tensor {tensor.name!r} takes {count} words of {word}, got {words.size} of"
            f" {words.dtype}"
        )


def strip_data(tensor: TensorProto) -> None:
    """Drop a tensor's data in place, leaving name, type and dimensions."""
    for field in (*_DATA_FIELDS, "external_data", "data_location"):
        tensor.ClearField(field)


def count_elements(tensor: TensorProto, element: ElementType) -> int | None:
    """Elements that the data in the message itself has; None if it can't be said exactly.

    Packed elements are counted in bytes: the count is the declared one if the bytes fit it.
    """
    declared = element_count(tensor)
    if tensor.HasField("raw_data"):
        held, needed = len(tensor.raw_data), data_bytes(element, declared)
    else:
        held, needed = _held(tensor, element, declared)
    if held == needed or needed is None:
        return declared
    return declared * held // needed if needed else held


def _held(tensor: TensorProto, element: ElementType, count: int) -> tuple[int, int]:
    """Entries in the typed field, and how many of them the declared elements need."""
    if element is ElementType.STRING:
        return len(tensor.string_data), count
    if element in (ElementType.FLOAT, ElementType.COMPLEX64):
        return len(tensor.float_data), count * (1 if element is ElementType.FLOAT else 2)
    if element in (ElementType.DOUBLE, ElementType.COMPLEX128):
        return len(tensor.double_data), count * (1 if element is ElementType.DOUBLE else 2)
    if element is ElementType.INT64:
        return len(tensor.int64_data), count
    if element in (ElementType.UINT32, ElementType.UINT64):
        return len(tensor.uint64_data), count
    form = format_of(element)
    packed = form.width in (2, 4)
    return len(tensor.int32_data), packed_bytes(element, count) if packed else count


def _typed_bytes(tensor: TensorProto, element: ElementType) -> bytes:
    if element in (ElementType.FLOAT, ElementType.COMPLEX64):
        return _fixed_width(tensor, "float_data")
    if element in (ElementType.DOUBLE, ElementType.COMPLEX128):
        return _fixed_width(tensor, "double_data")
    if element is ElementType.INT64:
        return np.array(tensor.int64_data, dtype="<i8").tobytes()
    if element in (ElementType.UINT32, ElementType.UINT64):
        wide = np.array(tensor.uint64_data, dtype="<u8")
        return wide.astype(format_of(element).word.newbyteorder("<")).tobytes()
    # All other types put each element, or each byte of packed elements, into an int32.
    words = np.array(tensor.int32_data, dtype="<i4")
    form = format_of(element)
    return words.astype(form.word.newbyteorder("<")).tobytes()


def _fixed_width(tensor: TensorProto, field: str) -> bytes:
    """Bytes of a packed float field.

    Read from the wire form: on the way through Python floats, signalling NaNs lose a bit.
    """
    only = TensorProto()
    only.CopyFrom(tensor)
    for descriptor, _ in tensor.ListFields():
        if descriptor.name != field:
            only.ClearField(descriptor.name)
    wire: bytes = only.SerializeToString()
    start = 1
    while start < len(wire) and wire[start] & 0x80:
        start += 1
    return wire[start + 1 :]


# Small tensors stay: shape inference and the version converter read axes, shapes and scales.
_SMALL = 1024


def detach(proto: ModelProto) -> Mapping[str, TensorProto]:
    """Take the data of larger top-level initializers out of a message, in place."""
    taken: dict[str, TensorProto] = {}
    for tensor in proto.graph.initializer:
        if tensor.ByteSize() > _SMALL:
            whole = TensorProto()
            whole.CopyFrom(tensor)
            taken[tensor.name] = whole
            strip_data(tensor)
    return taken


def attach(proto: ModelProto, taken: Mapping[str, TensorProto]) -> None:
    """Put the data back, by name, in place."""
    for tensor in proto.graph.initializer:
        whole = taken.get(tensor.name)
        if whole is not None:
            tensor.CopyFrom(whole)


def skeleton(proto: ModelProto) -> ModelProto:
    """A copy without the data of larger tensors in any graph."""
    bare = ModelProto()
    bare.CopyFrom(proto)
    for scope in scopes(bare.graph):
        for tensor in scope.graph.initializer:
            if tensor.ByteSize() > _SMALL or is_external(tensor):
                strip_data(tensor)
    return bare
