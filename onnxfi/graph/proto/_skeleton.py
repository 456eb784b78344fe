"""Skeletons: a model without the data of its larger tensors, for onnx's own C++ passes.

Those take and give serialised models; without the weights that costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, TensorProto

from onnxfi.graph.proto._tensors import is_external, strip_data
from onnxfi.graph.proto._walk import scopes

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
