"""Types and shapes of all values, by onnx's shape inference as far as it gets."""

from __future__ import annotations

from contextlib import suppress

import onnx.shape_inference
from onnx import ModelProto

from onnxfi.graph.index._indexing import Types
from onnxfi.graph.proto import TensorSpec, element_from_onnx, scopes, skeleton, spec_of


def infer_types(proto: ModelProto) -> Types:
    """Specs by scope and name; what can't be inferred is left out.

    That is what operators compute that only onnxruntime knows, and what is computed from it
    (:func:`untyped` finds it). The result feeds the index only and is never written into the model:
    declared shapes may be wrong, and what is inferred from them too, and onnxruntime plans memory
    by what a model declares.
    """
    bare = skeleton(proto)
    # The C++ pass raises whatever it meets; what is declared still counts.
    with suppress(Exception):
        # Not with data_prop: it makes one dimension object per element of any 1-D value,
        # gigabytes for a bias of a million elements or a declared shape that lies.
        bare = onnx.shape_inference.infer_shapes(bare)
    return _collect(bare)


def _collect(proto: ModelProto) -> Types:
    types: dict[tuple[str, str], TensorSpec] = {}
    for scope in scopes(proto.graph):
        graph = scope.graph
        for value in (*graph.value_info, *graph.output, *graph.input):
            types[scope.path, value.name] = spec_of(value)
        for tensor in graph.initializer:
            element = element_from_onnx(tensor.data_type)
            types[scope.path, tensor.name] = TensorSpec(
                name=tensor.name, element=element, shape=tuple(tensor.dims)
            )
    return types
