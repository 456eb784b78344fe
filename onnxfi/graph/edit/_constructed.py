"""Models built here: one that flips bytes of a buffer, and one whose sums depend on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from onnxfi.graph.index import Model
from onnxfi.graph.io import load

_OPSET, _IR_VERSION = 14, 8
_BYTES = 256


def byte_flipper() -> Model:
    """``flipped = buffer``, but ``(byte & and) ^ xor`` at some offsets.

    Inputs are ``buffer`` uint8 (n,), ``offset`` int64 (k,), each once, and ``and``, ``xor`` int32
    (k,), 256 times the masks; the output is ``flipped`` uint8 (n,). Masks are applied by tables of
    all pairs of bytes: CUDA has kernels for these operators and none for bitwise ones. Nothing
    but the scatter writes to the buffer, so that the output may be bound to its very memory.
    """
    first, second = (values.astype(np.uint8) for values in np.divmod(np.arange(_BYTES**2), _BYTES))
    tables = {"and_table": first & second, "xor_table": first ^ second, "last": np.array([-1])}
    nodes = [
        _node("Gather", ["buffer", "offset"], "clean"),
        *_masked("clean", "and", "kept"),
        *_masked("kept", "xor", "changed"),
        _node("Unsqueeze", ["offset", "last"], "place"),
        _node("ScatterND", ["buffer", "place", "changed"], "flipped"),
    ]
    inputs = [
        _value("buffer", TensorProto.UINT8, "n"),
        _value("offset", TensorProto.INT64, "k"),
        _value("and", TensorProto.INT32, "k"),
        _value("xor", TensorProto.INT32, "k"),
    ]
    outputs = [_value("flipped", TensorProto.UINT8, "n")]
    return load(_model(helper.make_graph(nodes, "byte_flipper", inputs, outputs), tables))


def _masked(byte: str, mask: str, result: str) -> list[NodeProto]:
    """Look ``mask * 256 + byte`` up in the table of the mask."""
    return [
        _node("Cast", [byte], f"{byte}_wide", to=TensorProto.INT32),
        _node("Add", [f"{byte}_wide", mask], f"{result}_entry"),
        _node("Gather", [f"{mask}_table", f"{result}_entry"], result),
    ]


def _node(op_type: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(op_type, inputs, [output], name=f"{op_type}/{output}", **attributes)


def _value(name: str, number: int, size: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, number, [size])


def _model(graph: GraphProto, tables: dict[str, NDArray[np.generic]]) -> bytes:
    graph.initializer.extend(numpy_helper.from_array(table, name) for name, table in tables.items())
    opsets = [helper.make_opsetid("", _OPSET)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    data: bytes = made.SerializeToString()
    return data


_PRODUCTS_OPSET = 10


def byte_products() -> Model:
    """``sums = bytes x weights``: uint8 (m, k) times int8 (k, n), as int32 (m, n)."""
    node = helper.make_node("MatMulInteger", ["bytes", "weights"], ["sums"], name="products")
    inputs = [
        helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["m", "k"]),
        helper.make_tensor_value_info("weights", TensorProto.INT8, ["k", "n"]),
    ]
    outputs = [helper.make_tensor_value_info("sums", TensorProto.INT32, ["m", "n"])]
    graph = helper.make_graph([node], "byte_products", inputs, outputs)
    opsets = [helper.make_opsetid("", _PRODUCTS_OPSET)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return load(made.SerializeToString())
