"""Types and shapes of all values, by onnx's shape inference as far as it gets."""

from __future__ import annotations

import onnx.shape_inference
from onnx import ModelProto

from onnxfi.bits import ElementType
from onnxfi.graph._contrib import typed_like
from onnxfi.graph._elements import element_from_onnx, element_to_onnx
from onnxfi.graph._indexing import Types
from onnxfi.graph._skeleton import skeleton
from onnxfi.graph._spec import TensorSpec, spec_of
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
            # Not with data_prop: it makes one dimension object per element of any 1-D value,
            # gigabytes for a bias of a million elements or a declared shape that lies.
            bare = onnx.shape_inference.infer_shapes(bare)
        except Exception:  # the C++ pass raises whatever it meets; what is declared still counts
            return _collect(bare)
        types = _collect(bare)
        if not sum([_declare_more(scope, types) for scope in scopes(bare.graph)]):
            break
    return types


def _collect(proto: ModelProto) -> dict[tuple[str, str], TensorSpec]:
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


def _declare_more(scope: Scope, types: dict[tuple[str, str], TensorSpec]) -> int:
    """Declare element types that only onnxruntime's operators tell; how many were new."""
    graph = scope.graph
    found: dict[str, ElementType] = {}
    outputs = ((node, slot, name) for node in graph.node for slot, name in enumerate(node.output))
    for node, slot, name in outputs:
        known = types.get((scope.path, name))
        like = typed_like(node, slot)
        if not name or not like or (known is not None and known.element is not None):
            continue
        spec = _seen_from(scope, like, types)
        if spec is not None and spec.element is not None and spec.kind == "tensor":
            found[name] = spec.element
            types[scope.path, name] = TensorSpec(name=name, element=spec.element)
    declared = {value.name: value for value in (*graph.value_info, *graph.output)}
    for name, element in found.items():
        value = declared.get(name) or graph.value_info.add(name=name)
        value.type.tensor_type.elem_type = element_to_onnx(element)
    return len(found)


def _seen_from(
    scope: Scope, name: str, types: dict[tuple[str, str], TensorSpec]
) -> TensorSpec | None:
    """Spec of what a name means in a scope."""
    around: Scope | None = scope
    while around is not None:
        if (around.path, name) in types:
            return types[around.path, name]
        around = around.parent
    return None
