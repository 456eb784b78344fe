"""Data in attributes of nodes: lists and tensors as stored data, read and replaced bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto

from onnxfi.bits import ElementType, Words
from onnxfi.errors import ModelError
from onnxfi.graph.forms import Form
from onnxfi.graph.index._index import Initializer
from onnxfi.graph.proto import (
    Reader,
    data_bytes,
    element_count,
    element_from_onnx,
    set_words,
    tensor_words,
)

# Operators outside ai.onnx.ml whose lists are tables of numbers, not settings.
_TABLES = frozenset({"TfIdfVectorizer"})
_FLOAT_TAG = 0x3D
"""Wire form of an entry of ``floats``: field 7, four bytes."""
_FLOAT_TAG_OF_ONE = 0x15
"""Wire form of ``f``: field 2, four bytes."""
_LISTS = {AttributeProto.FLOATS: ElementType.FLOAT, AttributeProto.INTS: ElementType.INT64}


def attribute_data(node: NodeProto, owner: str, scope: str) -> Iterator[Initializer]:
    """What a node holds in attributes that is data: tensors, and lists of classical models.

    The lists of other operators (kernel sizes, axes, scales of a Resize) are settings.

    Args:
        node: The node.
        owner: Its name in the index.
        scope: The graph that it is in.
    """
    if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
        return
    tables = node.domain == "ai.onnx.ml" or node.op_type in _TABLES
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            continue
        if attribute.type == AttributeProto.TENSOR:
            element = element_from_onnx(attribute.t.data_type)
            shape = tuple(attribute.t.dims)
            count = element_count(attribute.t)
            size = None if element is None else data_bytes(element, count)
            if size is None:
                size = sum(len(text) for text in attribute.t.string_data)
        elif tables and attribute.type in _LISTS:
            element = _LISTS[attribute.type]
            shape = (len(attribute.floats) or len(attribute.ints),)
            size = data_bytes(element, shape[0]) or 0
        else:
            continue
        yield Initializer(
            name=f"{owner}/{attribute.name}",
            element=element,
            shape=shape,
            nbytes=size,
            scope=scope,
            form=Form.ATTRIBUTE,
            owner=owner,
            attribute=attribute.name,
        )


def settings_bits(node: NodeProto) -> int:
    """Bits of the numbers in a node's attributes that :func:`attribute_data` does not list."""
    listed = {entry.attribute for entry in attribute_data(node, "", "")}
    bits = 0
    for attribute in node.attribute:
        if attribute.name in listed or attribute.ref_attr_name:
            continue
        if attribute.type in (AttributeProto.FLOAT, AttributeProto.INT):
            bits += 32 if attribute.type == AttributeProto.FLOAT else 64
        bits += 32 * len(attribute.floats) + 64 * len(attribute.ints)
    return bits


def attribute_words(node: NodeProto, name: str, reader: Reader) -> Words:
    """The words of an attribute that :func:`attribute_data` lists.

    Raises:
        ModelError: A tensor's data has another size than it should.
        FaultError: Complex elements and strings are not single words.
    """
    attribute = _attribute(node, name)
    if attribute.type == AttributeProto.TENSOR:
        return tensor_words(attribute.t, reader)
    if attribute.type == AttributeProto.INTS:
        return np.array(attribute.ints, np.int64).view(np.uint64)
    return np.frombuffer(float_bits(attribute, many=True), "<u4").astype(np.uint32)


def set_attribute_words(node: NodeProto, name: str, words: Words) -> None:
    """Replace the data of an attribute in place.

    Raises:
        ModelError: The number of words or their dtype does not fit.
        FaultError: Complex elements and strings are not single words.
    """
    attribute = _attribute(node, name)
    if attribute.type == AttributeProto.TENSOR:
        set_words(attribute.t, words)
        return
    floats = attribute.type == AttributeProto.FLOATS
    count = len(attribute.floats) if floats else len(attribute.ints)
    word = np.dtype(np.uint32 if floats else np.uint64)
    if words.size != count or words.dtype != word:
        raise ModelError(
            f"attribute {name!r} of node {node.name!r} takes {count} words of {word}, got"
            f" {words.size} of {words.dtype}"
        )
    if floats:
        attribute.ClearField("floats")
        attribute.MergeFromString(_float_wire(words))
    else:
        attribute.ints[:] = words.view(np.int64).tolist()


def set_literal(node: NodeProto, tensor: TensorProto) -> None:
    """Put raw data into the number, or list of numbers, of a Constant node, bit-exact."""
    (attribute,) = node.attribute
    if attribute.name == "value_float":
        attribute.ClearField("f")
        attribute.MergeFromString(bytes([_FLOAT_TAG_OF_ONE]) + tensor.raw_data)
    elif attribute.name == "value_int":
        attribute.i = int.from_bytes(tensor.raw_data, "little", signed=True)
    else:
        word = "<u4" if attribute.name == "value_floats" else "<u8"
        set_attribute_words(node, attribute.name, np.frombuffer(tensor.raw_data, word))


def float_bits(attribute: AttributeProto, *, many: bool) -> bytes:
    """Bytes of ``floats``, else of ``f``, bit-exact.

    Read from the wire form, one tag and four bytes each: on the way through Python floats,
    signalling NaNs lose a bit.
    """
    only = AttributeProto()
    only.CopyFrom(attribute)
    only.DiscardUnknownFields()
    for descriptor, _ in attribute.ListFields():
        if descriptor.name != ("floats" if many else "f"):
            only.ClearField(descriptor.name)
    wire: bytes = only.SerializeToString()
    if not many and not wire:
        return bytes(4)
    return np.frombuffer(wire, np.uint8).reshape(-1, 5)[:, 1:].tobytes()


def _float_wire(words: Words) -> bytes:
    """``floats`` in wire form."""
    wire = np.empty((words.size, 5), np.uint8)
    wire[:, 0] = _FLOAT_TAG
    wire[:, 1:] = words.astype("<u4").view(np.uint8).reshape(-1, 4)
    return wire.tobytes()


def _attribute(node: NodeProto, name: str) -> AttributeProto:
    found: AttributeProto = next(entry for entry in node.attribute if entry.name == name)
    return found
