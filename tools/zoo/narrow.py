"""Derives variants whose weights are stored in a narrow type and widened before they are used."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import onnx
import onnx.version_converter
from onnx import NodeProto, TensorProto, helper, numpy_helper

from zoo.tidy import tidied

_INT4 = 7
"""Largest magnitude used: the codes are symmetric, -8 stays unused."""
_INT4_OPSET = 21
_SHRINKS = np.linspace(0.5, 1.0, 51, dtype=np.float32)
"""Shares of the largest weight of a channel that are tried for its range."""


def bfloat16(model: onnx.ModelProto, images: object = None) -> onnx.ModelProto:
    """Weights and biases in bfloat16, rounded to nearest even; float32 arithmetic."""
    del images

    def narrow(tensor: TensorProto) -> tuple[list[TensorProto], NodeProto]:
        values = numpy_helper.to_array(tensor).astype(ml_dtypes.bfloat16)
        stored = helper.make_tensor(
            tensor.name, TensorProto.BFLOAT16, values.shape, values.tobytes(), raw=True
        )
        wide = f"{tensor.name}_float32"
        return [stored], helper.make_node("Cast", [tensor.name], [wide], to=TensorProto.FLOAT)

    return _narrowed(model, narrow, lambda tensor: bool(tensor.dims))


def int4(model: onnx.ModelProto, images: object = None) -> onnx.ModelProto:
    """Weights in packed 4-bit integers, one float32 scale an output channel; float32 arithmetic.

    The range of a channel is the one, of a few, with the least squared error.
    """
    del images
    raised = onnx.version_converter.convert_version(model, _INT4_OPSET)

    def narrow(tensor: TensorProto) -> tuple[list[TensorProto], NodeProto]:
        values = numpy_helper.to_array(tensor)
        scale = _scales(values.reshape(len(values), -1))
        wide = scale.reshape(-1, *[1] * (values.ndim - 1))
        codes = np.clip(np.rint(values / wide), -_INT4, _INT4).astype(np.int8)
        name = f"{tensor.name}_quantized"
        stored = helper.make_tensor(name, TensorProto.INT4, codes.shape, codes.ravel().tolist())
        scales = numpy_helper.from_array(scale, f"{tensor.name}_scale")
        widen = helper.make_node("DequantizeLinear", [name, scales.name], [tensor.name], axis=0)
        return [stored, scales], widen

    return _narrowed(raised, narrow, lambda tensor: len(tensor.dims) > 1)


def _scales(rows: np.ndarray) -> np.ndarray:
    """The scale of each row that leaves the least squared error."""
    most = np.abs(rows).max(axis=1, keepdims=True)
    tried = _SHRINKS[:, None, None] * most / np.float32(_INT4)
    back = np.clip(np.rint(rows / tried), -_INT4, _INT4) * tried
    best = ((back - rows) ** 2).sum(axis=2).argmin(axis=0)
    found: np.ndarray = tried[best, np.arange(len(rows)), 0].astype(np.float32)
    return found


def _narrowed(
    model: onnx.ModelProto,
    narrow: Callable[[TensorProto], tuple[list[TensorProto], NodeProto]],
    wanted: Callable[[TensorProto], bool],
) -> onnx.ModelProto:
    """The model with other forms of the float32 tensors that are wanted."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    kept: list[TensorProto] = []
    widening: list[NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or not wanted(tensor):
            kept.append(tensor)
            continue
        stored, widen = narrow(tensor)
        kept += stored
        widening.append(widen)
    copies = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    nodes = [*widening, *(NodeProto.FromString(n.SerializeToString()) for n in graph.node)]
    # A tensor that keeps its name is read through what widens it.
    wide = {node.input[0]: node.output[0] for node in widening if node.op_type == "Cast"}
    for node in nodes[len(widening) :]:
        node.input[:] = [wide.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)
    return tidied(made)
