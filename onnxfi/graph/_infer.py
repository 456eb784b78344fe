"""Types and shapes of all values, by onnx's shape inference as far as it gets."""

from __future__ import annotations

import onnx.shape_inference
from onnx import GraphProto, ModelProto

from onnxfi.graph._contrib import typed_like
from onnxfi.graph._elements import element_to_onnx
from onnxfi.graph._indexing import Types
from onnxfi.graph._skeleton import skeleton
from onnxfi.graph._spec import TensorSpec, spec_of
from onnxfi.graph._tensors import known_element
from onnxfi.graph._walk import Scope, scopes

# Each round gets past one more chain of operators that only onnxruntime knows.
_ROUNDS = 8


def infer_types(proto: ModelProto) -> Types:
    """Specs by scope and name; what can't be inferred is left out.

    The result feeds the index only and is never written into the model: declared shapes may be
    wrong, and what is inferred from them too, and onnxruntime plans memory by what a model
    declares.
    """
    bare = skeleton(proto)
    types: dict[tuple[str, str], TensorSpec] = {}
    for _ in range(_ROUNDS):
        try:
            bare = onnx.shape_inference.infer_shapes(bare, data_prop=True)
        except Exception:  # the C++ pass raises whatever it meets; what is declared still counts
            return _collect(bare)
        types = _collect(bare)
        if not sum(_declare_more(scope, types) for scope in scopes(bare.graph)):
            break
    return types


def _collect(proto: ModelProto) -> dict[tuple[str, str], TensorSpec]:
    types: dict[tuple[str, str], TensorSpec] = {}
    for scope in scopes(proto.graph):
        graph = scope.graph
        for value in (*graph.value_info, *graph.output, *graph.input):
            types[scope.path, value.name] = spec_of(value)
    return types


def _declare_more(scope: Scope, types: dict[tuple[str, str], TensorSpec]) -> int:
    """Declare element types that only onnxruntime's operators tell; how many were new."""
    new = 0
    for node in scope.graph.node:
        name = node.output[0] if node.output else ""
        known = types.get((scope.path, name))
        like = typed_like(node)
        if not name or not like or (known is not None and known.element is not None):
            continue
        spec = _seen_from(scope, like, types)
        if spec is not None and spec.element is not None and spec.kind == "tensor":
            types[scope.path, name] = TensorSpec(name=name, element=spec.element)
            _declare(scope.graph, name, element_to_onnx(spec.element))
            new += 1
    return new


def _declare(graph: GraphProto, name: str, number: int) -> None:
    for value in (*graph.output, *graph.value_info):
        if value.name == name:
            value.type.tensor_type.elem_type = number
            return
    value = graph.value_info.add(name=name)
    value.type.tensor_type.elem_type = number


def _seen_from(
    scope: Scope, name: str, types: dict[tuple[str, str], TensorSpec]
) -> TensorSpec | None:
    """Spec of what a name means in a scope."""
    around: Scope | None = scope
    while around is not None:
        for tensor in around.graph.initializer:
            if tensor.name == name:
                return TensorSpec(name=name, element=known_element(tensor))
        if (around.path, name) in types:
            return types[around.path, name]
        around = around.parent
    return None
