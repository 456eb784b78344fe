"""Formats that no quantizer makes: onnxruntime's own operators, float8, packed, half, double."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_MS = "com.microsoft"
_EIGHTHS = {
    "e4m3fn": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
    "e4m3fnuz": (TensorProto.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz),
    "e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
}


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def _floats(*shape: int) -> np.ndarray:
    return _rng().normal(scale=0.3, size=shape).astype(np.float32)


def _bytes(*shape: int) -> np.ndarray:
    return _rng().integers(0, 256, shape).astype(np.uint8)


def _node(operator: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """A node; ``_`` stands for an input or output that is left out."""
    reads, makes = (["" if n == "_" else n for n in names.split()] for names in (inputs, outputs))
    return helper.make_node(operator, reads, makes, name=f"{operator}_{makes[-1]}", **attributes)


def _model(
    nodes: Sequence[NodeProto],
    stored: dict[str, Any],
    into: Sequence[int],
    out: int,
    **given: Any,
) -> ModelProto:
    """A model from ``x`` (n, *into) to ``y`` (n, out); stored values as arrays or messages."""
    tensors = []
    for name, value in stored.items():
        if isinstance(value, TensorProto):
            value.name = name
            tensors.append(value)
        else:
            tensors.append(numpy_helper.from_array(np.asarray(value), name))
    element = given.get("element", TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", element, ["n", *into])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", out])],
        tensors,
    )
    opsets = [helper.make_opsetid("", given.get("opset", 21)), helper.make_opsetid(_MS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def _packed(element: int, shape: Sequence[int], low: int) -> TensorProto:
    values = _rng().integers(low, low + 16, shape).ravel().tolist()
    return helper.make_tensor("", element, shape, values)


def _raw(element: int, values: np.ndarray) -> TensorProto:
    data = np.ascontiguousarray(values).tobytes()
    return helper.make_tensor("", element, values.shape, data, raw=True)


def _matmul_nbits(bits: int, **attributes: Any) -> ModelProto:
    nodes = [
        _node(
            "MatMulNBits", "x B scales zeros", "m", domain=_MS, K=32, N=6, bits=bits,
            block_size=16, **attributes,
        ),
        _node("Relu", "m", "r"),
        _node("MatMul", "r w", "y"),
    ]  # fmt: skip
    middle = {2: 0b1010, 4: 0x88, 8: 128}[bits]
    zeros = np.full((6, 2 if bits == 8 else 1), middle, np.uint8)
    stored = {
        "B": _bytes(6, 2, 2 * bits),
        "scales": np.abs(_floats(6, 2)) + np.float32(0.01),
        "zeros": zeros,
        "w": _floats(6, 5),
    }
    return _model(nodes, stored, [32], 5)


def _blocks_of_int4() -> ModelProto:
    nodes = [
        _node("DequantizeLinear", "W scales", "d", axis=0, block_size=16),
        _node("MatMul", "x d", "m"),
        _node("Relu", "m", "y"),
    ]
    stored = {"W": _packed(TensorProto.INT4, (32, 6), -8), "scales": np.abs(_floats(2, 6))}
    return _model(nodes, stored, [32], 6)


def _bnb4() -> ModelProto:
    nodes = [
        _node("MatMulBnb4", "x B absmax", "y", domain=_MS, K=16, N=6, block_size=16, quant_type=1)
    ]
    return _model(nodes, {"B": _bytes(48), "absmax": np.abs(_floats(6))}, [16], 6)


def _gather_blocks() -> ModelProto:
    nodes = [
        _node(
            "GatherBlockQuantized", "E x scales zeros", "e", domain=_MS, block_size=16,
            gather_axis=0, quantize_axis=1,
        ),
        _node("ReduceMean", "e axes", "r", keepdims=0),
        _node("Add", "r b", "y"),
    ]  # fmt: skip
    stored = {
        "E": _packed(TensorProto.UINT4, (10, 16), 0),
        "scales": np.abs(_floats(10, 1)),
        "zeros": helper.make_tensor("", TensorProto.UINT4, (10, 1), [8] * 10),
        "axes": np.array([1]),
        "b": _floats(16),
    }
    return _model(nodes, stored, [3], 16, element=TensorProto.INT64)


def _dynamic_matmul() -> ModelProto:
    nodes = [
        _node("DynamicQuantizeMatMul", "x B scale zero bias", "m", domain=_MS),
        _node("Relu", "m", "r"),
        _node("MatMul", "r w", "y"),
    ]
    stored = {
        "B": _bytes(8, 6),
        "scale": np.float32(0.01),
        "zero": np.uint8(128),
        "bias": _floats(6),
        "w": _floats(6, 5),
    }
    return _model(nodes, stored, [8], 5)


def _integer_to_float() -> ModelProto:
    nodes = [
        _node("DynamicQuantizeLinear", "x", "q s z"),
        _node("MatMulIntegerToFloat", "q B s scale z zero bias", "y", domain=_MS),
    ]
    stored = {
        "B": _bytes(8, 5),
        "scale": np.float32(0.01),
        "zero": np.uint8(128),
        "bias": _floats(5),
    }
    return _model(nodes, stored, [8], 5)


def _accumulators(operator: str) -> ModelProto:
    """An integer operator that hands out its int32 accumulators."""
    conv = operator == "ConvInteger"
    nodes = [
        _node("QuantizeLinear", "x s z", "q"),
        _node(operator, "q W z zero", "acc"),
        _node("Cast", "acc", "c", to=TensorProto.FLOAT),
        _node("Mul", "c factor", "m"),
    ]
    ends = [_node("GlobalAveragePool", "m", "p"), _node("Flatten", "p", "y")]
    nodes += ends if conv else [_node("Identity", "m", "y")]
    stored = {
        "W": _bytes(5, 3, 3, 3) if conv else _bytes(8, 5),
        "s": np.float32(0.05),
        "z": np.uint8(128),
        "zero": np.uint8(120),
        "factor": np.float32(0.001),
    }
    return _model(nodes, stored, [3, 6, 6] if conv else [8], 5)


def _attention() -> ModelProto:
    nodes = [
        _node("QuantizeLinear", "x s z", "q"),
        _node("QAttention", "q W bias s scale _ z zero", "a", domain=_MS, num_heads=2),
        _node("ReduceMean", "a axes", "r", keepdims=0),
        _node("MatMul", "r w", "y"),
    ]
    stored = {
        "W": _bytes(8, 24),
        "bias": _floats(24),
        "s": np.float32(0.05),
        "z": np.uint8(128),
        "scale": np.float32(0.02),
        "zero": np.uint8(128),
        "axes": np.array([1]),
        "w": _floats(8, 5),
    }
    return _model(nodes, stored, [4, 8], 5)


def _dynamic_lstm() -> ModelProto:
    nodes = [
        _node("Transpose", "x", "t", perm=[1, 0, 2]),
        _node(
            "DynamicQuantizeLSTM", "t W R B _ _ _ _ ws wz rs rz", "_ h", domain=_MS, hidden_size=6
        ),
        _node("Squeeze", "h axes", "s"),
        _node("MatMul", "s w", "y"),
    ]
    stored = {
        "W": _bytes(1, 4, 24),
        "R": _bytes(1, 6, 24),
        "B": _floats(1, 48),
        "ws": np.array([0.01], np.float32),
        "wz": np.array([128], np.uint8),
        "rs": np.array([0.01], np.float32),
        "rz": np.array([128], np.uint8),
        "axes": np.array([0]),
        "w": _floats(6, 5),
    }
    return _model(nodes, stored, [3, 4], 5)


def _integer_chain() -> ModelProto:
    """Elementwise and pooling operators of onnxruntime's own, on uint8."""
    of = {key: f"s{key} z{key}" for key in range(1, 8)}
    nodes = [
        _node("QuantizeLinear", f"x {of[1]}", "q"),
        _node("QLinearLeakyRelu", f"q {of[1]} {of[2]}", "l", domain=_MS, alpha=0.1),
        _node("QLinearSigmoid", f"l {of[2]} {of[3]}", "g", domain=_MS),
        _node("QLinearMul", f"g {of[3]} l {of[2]} {of[4]}", "m", domain=_MS),
        _node("QLinearConcat", f"{of[4]} m {of[4]} l {of[2]}", "c", domain=_MS, axis=1),
        _node(
            "QLinearAveragePool", f"c {of[4]} {of[5]}", "a", domain=_MS, kernel_shape=[2, 2],
            strides=[2, 2],
        ),
        _node("QLinearGlobalAveragePool", f"a {of[5]} {of[6]}", "p", domain=_MS),
        _node("Flatten", "p", "f"),
        _node("QLinearSoftmax", f"f {of[6]} {of[7]}", "o", domain=_MS, axis=1, opset=13),
        _node("DequantizeLinear", f"o {of[7]}", "y"),
    ]  # fmt: skip
    scales = (0.02, 0.02, 0.004, 0.01, 0.01, 0.01, 1 / 256)
    zeros = (128, 120, 0, 110, 110, 110, 0)
    stored: dict[str, Any] = {}
    for key, (scale, zero) in enumerate(zip(scales, zeros, strict=True), 1):
        stored |= {f"s{key}": np.float32(scale), f"z{key}": np.uint8(zero)}
    return _model(nodes, stored, [3, 4, 4], 6)


def _between(weights: TensorProto, zero: TensorProto, last: str) -> ModelProto:
    """Weights and an activation of a narrow type between Q and DQ."""
    nodes = [
        _node("Mul", "x k", "a"),
        _node("QuantizeLinear", "a s zero", "q"),
        _node("DequantizeLinear", "q s zero", "d"),
        _node("DequantizeLinear", "W scale zero", "v"),
        _node(last, "d v", "y"),
    ]
    stored = {
        "k": np.float32(2),
        "s": np.float32(0.3),
        "zero": zero,
        "W": weights,
        "scale": np.float32(0.2),
    }
    return _model(nodes, stored, [8], 5)


def _int4(element: int, low: int) -> ModelProto:
    zero = helper.make_tensor("", element, (), [0 if low else 8])
    return _between(_packed(element, (8, 5), low), zero, "MatMul")


def _float8(name: str) -> ModelProto:
    element, dtype = _EIGHTHS[name]
    zero = _raw(element, np.zeros((), dtype))
    return _between(_raw(element, _floats(8, 5).astype(dtype)), zero, "Gemm")


def _float8_weight() -> ModelProto:
    element, dtype = _EIGHTHS["e4m3fn"]
    nodes = [
        _node("DequantizeLinear", "W scale", "v"),
        _node("MatMul", "x v", "m"),
        _node("Relu", "m", "y"),
    ]
    stored = {"W": _raw(element, _floats(8, 5).astype(dtype)), "scale": np.float32(0.5)}
    return _model(nodes, stored, [8], 5)


def _float8_casts() -> ModelProto:
    element, dtype = _EIGHTHS["e5m2"]
    nodes = [
        _node("Cast", "x", "e", to=element),
        _node("Cast", "e", "f", to=TensorProto.FLOAT),
        _node("Cast", "W", "v", to=TensorProto.FLOAT),
        _node("MatMul", "f v", "y"),
    ]
    return _model(nodes, {"W": _raw(element, _floats(8, 5).astype(dtype))}, [8], 5)


def _computed_in(element: int, dtype: Any, **given: Any) -> ModelProto:
    """Everything between two Casts in one float type."""
    nodes = [
        _node("Cast", "x", "h", to=element),
        _node("Gemm", "h W bias", "g"),
        _node("Relu", "g", "r"),
        _node("MatMul", "r V", "m"),
        _node("Cast", "m", "y", to=TensorProto.FLOAT),
    ]
    stored = {
        "W": _raw(element, _floats(8, 6).astype(dtype)),
        "bias": _raw(element, _floats(6).astype(dtype)),
        "V": _raw(element, _floats(6, 5).astype(dtype)),
    }
    return _model(nodes, stored, [8], 5, opset=17, **given)


def _bfloat16_storage() -> ModelProto:
    """bfloat16 as it is stored and handed on, computed in float32 (the CPU has no kernels)."""
    half = TensorProto.BFLOAT16
    nodes = [
        _node("Cast", "W", "w", to=TensorProto.FLOAT),
        _node("Gemm", "x w", "g"),
        _node("Relu", "g", "r"),
        _node("Cast", "r", "h", to=half),
        _node("Cast", "h", "f", to=TensorProto.FLOAT),
        _node("Cast", "V", "v", to=TensorProto.FLOAT),
        _node("MatMul", "f v", "y"),
    ]
    stored = {
        "W": _raw(half, _floats(8, 6).astype(ml_dtypes.bfloat16)),
        "V": _raw(half, _floats(6, 5).astype(ml_dtypes.bfloat16)),
    }
    return _model(nodes, stored, [8], 5, opset=17)


BY_HAND: dict[str, Callable[[], ModelProto]] = {
    "matmul_nbits_2": partial(_matmul_nbits, 2),
    "matmul_nbits_4": partial(_matmul_nbits, 4),
    "matmul_nbits_4_integer": partial(_matmul_nbits, 4, accuracy_level=4),
    "matmul_nbits_8": partial(_matmul_nbits, 8),
    "blocks_of_int4": _blocks_of_int4,
    "matmul_bnb4": _bnb4,
    "gather_blocks": _gather_blocks,
    "dynamic_matmul": _dynamic_matmul,
    "integer_to_float": _integer_to_float,
    "matmul_integer": partial(_accumulators, "MatMulInteger"),
    "conv_integer": partial(_accumulators, "ConvInteger"),
    "attention": _attention,
    "dynamic_lstm": _dynamic_lstm,
    "integer_chain": _integer_chain,
    "int4": partial(_int4, TensorProto.INT4, -8),
    "uint4": partial(_int4, TensorProto.UINT4, 0),
    "float8_e4m3fn": partial(_float8, "e4m3fn"),
    "float8_e4m3fnuz": partial(_float8, "e4m3fnuz"),
    "float8_e5m2": partial(_float8, "e5m2"),
    "float8_weight": _float8_weight,
    "float8_casts": _float8_casts,
    "float16": partial(_computed_in, TensorProto.FLOAT16, np.float16),
    "float64": partial(_computed_in, TensorProto.DOUBLE, np.float64),
    "bfloat16": _bfloat16_storage,
}
