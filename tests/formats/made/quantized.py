"""A float network, and what onnxruntime's quantizer makes of it: QDQ, QOperator, dynamic."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)


def float_network() -> ModelProto:
    """Two convolutions with a shortcut, pooling, a Gemm and a MatMul."""
    rng = np.random.default_rng(7)
    shapes = {
        "w1": (8, 3, 3, 3),
        "b1": (8,),
        "w2": (8, 8, 3, 3),
        "b2": (8,),
        "w3": (6, 8),
        "b3": (6,),
        "w4": (6, 5),
    }
    stored = [
        numpy_helper.from_array(rng.normal(scale=0.3, size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="conv2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "r1"], ["a"], name="add"),
        helper.make_node("Relu", ["a"], ["r2"], name="relu2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["g"], name="gemm", transB=1),
        helper.make_node("MatMul", ["g", "w4"], ["y"], name="matmul"),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


class _Images(CalibrationDataReader):
    def __init__(self) -> None:
        rng = np.random.default_rng(8)
        images = rng.normal(size=(4, 4, 3, 8, 8)).astype(np.float32)
        self._feeds = iter([{"x": each} for each in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def _static(form: QuantFormat, activations: QuantType, weights: QuantType) -> ModelProto:
    eighths = activations is QuantType.QFLOAT8E4M3FN
    method = CalibrationMethod.Distribution if eighths else CalibrationMethod.MinMax
    with tempfile.TemporaryDirectory() as folder, _silent():
        path = Path(folder) / "model.onnx"
        quantize_static(
            float_network(),
            path,
            _Images(),
            quant_format=form,
            per_channel=not eighths,
            activation_type=activations,
            weight_type=weights,
            calibrate_method=method,
        )
        return onnx.load(path)


def _dynamic(weights: QuantType) -> ModelProto:
    with tempfile.TemporaryDirectory() as folder, _silent():
        source, path = Path(folder) / "float.onnx", Path(folder) / "model.onnx"
        onnx.save(float_network(), source)
        quantize_dynamic(source, path, weight_type=weights)
        return onnx.load(path)


@contextlib.contextmanager
def _silent():
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


_QDQ = partial(_static, QuantFormat.QDQ)
_QOPERATOR = partial(_static, QuantFormat.QOperator)

QUANTIZED: dict[str, Callable[[], ModelProto]] = {
    "qdq_uint8_int8": partial(_QDQ, QuantType.QUInt8, QuantType.QInt8),
    "qdq_uint8_uint8": partial(_QDQ, QuantType.QUInt8, QuantType.QUInt8),
    "qdq_int8_int8": partial(_QDQ, QuantType.QInt8, QuantType.QInt8),
    "qdq_uint16_int8": partial(_QDQ, QuantType.QUInt16, QuantType.QInt8),
    "qdq_int16_int16": partial(_QDQ, QuantType.QInt16, QuantType.QInt16),
    "qdq_uint8_int4": partial(_QDQ, QuantType.QUInt8, QuantType.QInt4),
    "qdq_uint8_uint4": partial(_QDQ, QuantType.QUInt8, QuantType.QUInt4),
    "qdq_float8": partial(_QDQ, QuantType.QFLOAT8E4M3FN, QuantType.QFLOAT8E4M3FN),
    "qoperator_uint8_int8": partial(_QOPERATOR, QuantType.QUInt8, QuantType.QInt8),
    "qoperator_int8_int8": partial(_QOPERATOR, QuantType.QInt8, QuantType.QInt8),
    "dynamic_uint8": partial(_dynamic, QuantType.QUInt8),
    "dynamic_int8": partial(_dynamic, QuantType.QInt8),
}
