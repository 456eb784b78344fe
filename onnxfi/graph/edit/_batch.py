"""A batch that is fixed in a file, set free: the dimension becomes a symbol.

What comes out is a guess: a number that equals the batch may be anything. Whoever uses it has to
prove that it computes what the model computes.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from onnxfi.graph.index import Edits, Model, infer_types
from onnxfi.graph.io import external_data
from onnxfi.graph.proto import Data

_SYMBOL = "onnxfi_batch"
_TARGET = 1  # the input of Reshape and Expand that says the shape
_COPIED, _INFERRED = 0, -1


def free_batch(model: Model, inputs: Collection[str]) -> Model | None:
    """The model with any number of samples along the first axis of some inputs.

    Declared shapes of other values are left out, since they may hold the old number. Of a Reshape's
    target the first entry is inferred, or copied from what is reshaped; an Expand keeps what it
    expands along that axis.

    Args:
        model: The model, as it was loaded.
        inputs: Names of inputs whose first dimension is the batch, the same number in all of them.

    Returns:
        None if that can't be: another kind of input, or a target that other nodes read as well.
    """
    if model.edits != Edits():
        return None
    proto = model.editable()
    sizes = set()
    for value in proto.graph.input:
        if value.name in inputs:
            shape = value.type.tensor_type.shape
            if not shape.dim or not shape.dim[0].dim_value:
                return None
            sizes.add(shape.dim[0].dim_value)
            shape.dim[0].dim_param = _SYMBOL
    if len(sizes) != 1:
        return None
    (rows,) = sizes
    if not _retarget(model, proto, rows):
        return None
    del proto.graph.value_info[:]
    for value in proto.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    return model.edited(proto, model.edits, infer_types(proto))


def _retarget(model: Model, proto: ModelProto, rows: int) -> bool:
    """Let shapes that nodes are given follow the batch; whether that can be."""
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    wanted: dict[str, list[int]] = {}
    for node in proto.graph.node:
        if node.op_type not in ("Reshape", "Expand") or node.domain not in ("", "ai.onnx"):
            continue
        tensor = stored.get(node.input[_TARGET]) if len(node.input) > _TARGET else None
        if tensor is None:
            continue
        before = _entries(model, tensor)
        after = _followed(model, node, before, rows)
        if wanted.setdefault(tensor.name, after) != after:
            return False
        uses = model.index.consumers(tensor.name)
        shared = any(use.node.op_type != node.op_type or use.slot != _TARGET for use in uses)
        if after != before and shared:
            return False
    for name, target in wanted.items():
        stored[name].CopyFrom(numpy_helper.from_array(np.array(target, np.int64), name))
    return True


def _entries(model: Model, tensor: TensorProto) -> list[int]:
    def reader(external: TensorProto) -> Data:
        return external_data(model, external)

    if tensor.data_location == TensorProto.EXTERNAL:
        external: list[int] = np.frombuffer(bytes(reader(tensor)), "<i8").tolist()
        return external
    found: list[int] = numpy_helper.to_array(tensor).reshape(-1).tolist()
    return found


def _followed(model: Model, node: NodeProto, target: list[int], rows: int) -> list[int]:
    """A target whose first entry follows the batch, as far as it may hold it."""
    if not target or target[0] <= 0 or target[0] % rows:
        return target
    given = model.index.shape_of(node.input[0])
    along = bool(given) and given is not None and given[0] == rows
    if node.op_type == "Expand":
        kept = along and target[0] == rows and given is not None and len(given) == len(target)
        return [1, *target[1:]] if kept else target
    if _INFERRED not in target and _COPIED not in target:
        return [_INFERRED, *target[1:]]
    return [_COPIED, *target[1:]] if along and target[0] == rows else target
