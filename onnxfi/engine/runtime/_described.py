"""What onnxruntime says of inputs and outputs, in the words of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from onnxfi.bits import ElementType
from onnxfi.engine.runtime._runtime import NodeArg
from onnxfi.graph import Kind, TensorSpec

_ELEMENTS: Mapping[str, ElementType] = MappingProxyType(
    {
        **{element.value: element for element in ElementType},
        "float": ElementType.FLOAT,
        "double": ElementType.DOUBLE,
    }
)
_WRAPPED: Mapping[str, Kind] = MappingProxyType(
    {"seq": "sequence", "optional": "optional", "map": "map", "sparse_tensor": "sparse"}
)


def bare_type(text: str) -> str:
    """The element type in ``tensor(bfloat16)``; other types as they are."""
    return text.removeprefix("tensor(").removesuffix(")")


def described_as(given: NodeArg) -> TensorSpec:
    """The spec of an input or output of a session."""
    element = _ELEMENTS.get(bare_type(given.type))
    outside, _, inside = given.type.partition("(")
    if outside in _WRAPPED:
        kind = _WRAPPED[outside]
        element = _ELEMENTS.get(bare_type(inside.removesuffix(")")))
        return TensorSpec(name=given.name, element=element, kind=kind)
    # It describes a scalar and a tensor of unknown rank alike, without dimensions.
    return TensorSpec(name=given.name, element=element, shape=tuple(given.shape) or None)
