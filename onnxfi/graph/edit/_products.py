"""A model that sums up 8-bit products: what it gives for large ones depends on the CPU."""

from __future__ import annotations

from onnx import TensorProto, helper

from onnxfi.graph.index import Model
from onnxfi.graph.io import load

_OPSET, _IR_VERSION = 10, 8


def byte_products() -> Model:
    """``sums = bytes x weights``: uint8 (m, k) times int8 (k, n), as int32 (m, n)."""
    node = helper.make_node("MatMulInteger", ["bytes", "weights"], ["sums"], name="products")
    inputs = [
        helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["m", "k"]),
        helper.make_tensor_value_info("weights", TensorProto.INT8, ["k", "n"]),
    ]
    outputs = [helper.make_tensor_value_info("sums", TensorProto.INT32, ["m", "n"])]
    graph = helper.make_graph([node], "byte_products", inputs, outputs)
    opsets = [helper.make_opsetid("", _OPSET)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return load(made.SerializeToString())
