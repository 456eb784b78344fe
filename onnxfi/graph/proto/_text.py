"""Text of untrusted origin: names that are no UTF-8, and messages of C++ code in one line."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import FunctionProto, GraphProto, ModelProto, TypeProto

from onnxfi.errors import ModelError


def one_line(error: Exception) -> str:
    """What a foreign error says, without line breaks and source positions, at most 300 characters.

    onnx's C++ code writes ``/path/file.cc:12: function: Assertion `...` failed: reason``.
    """
    text = " ".join(str(error).split())
    position, _, reason = text.partition("failed: ")
    if "Assertion" in position and reason:
        text = reason
    return text[:300] or type(error).__name__


def check_part(part: GraphProto | FunctionProto) -> None:
    """Refuse a graph or function body with a name that is not text.

    protobuf gives the strings of a damaged model as bytes where they are no UTF-8.

    Raises:
        ModelError: There is such a name.
    """
    for text in _names(part):
        if not isinstance(text, str):
            raise ModelError(f"the model is damaged: the name {text!r} is not UTF-8 text")


def check_model(proto: ModelProto) -> None:
    """Refuse a model whose imports or functions have names that are not text.

    Raises:
        ModelError: There is such a name.
    """
    texts: list[object] = [entry.domain for entry in proto.opset_import]
    for function in proto.functions:
        texts += [function.name, function.domain, function.overload, *function.input]
        texts += [*function.output, *(entry.domain for entry in function.opset_import)]
    for text in texts:
        if not isinstance(text, str):
            raise ModelError(f"the model is damaged: the name {text!r} is not UTF-8 text")


def _names(part: GraphProto | FunctionProto) -> Iterator[object]:
    for node in part.node:
        yield from node.input
        yield from node.output
        yield node.name
        yield node.op_type
        yield node.domain
        yield node.overload
        for attribute in node.attribute:
            yield attribute.name
            yield attribute.ref_attr_name
    if isinstance(part, GraphProto):
        for value in (*part.input, *part.output, *part.value_info):
            yield value.name
            yield from _symbols(value.type)
        for tensor in part.initializer:
            yield tensor.name
        for sparse in part.sparse_initializer:
            yield sparse.values.name


def _symbols(onnx_type: TypeProto) -> Iterator[object]:
    for tensor in (onnx_type.tensor_type, onnx_type.sparse_tensor_type):
        for dim in tensor.shape.dim:
            yield dim.dim_param
