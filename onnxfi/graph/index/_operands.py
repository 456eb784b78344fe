"""Operands: which operators compute with a stored tensor, seen through what only re-dresses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto, NodeProto, helper

from onnxfi.graph.index._index import Node
from onnxfi.graph.index._model import Model

_SAME = frozenset({"Cast", "CastLike", "Identity"})
_NUMBERS = frozenset(
    {AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT, AttributeProto.STRING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """An operator that computes with a stored tensor.

    Attributes:
        node: The operator.
        slot: Which input the tensor is, 0-based.
        axes: The tensor's axes in the order in which they reach the operator; None if it comes as
            it is stored.
        scale: Value by which a DequantizeLinear multiplies its words; empty if there is none.
        dressing: What the tensor itself is to that DequantizeLinear: 0 its data, 1 its scale, 2
            its zero point. ``data`` is then the stored tensor that it belongs to.
        data: The tensor whose scale or zero point it is; empty if it is data.
        attributes: Attributes of the operator that are numbers or text, by name.
    """

    node: Node
    slot: int
    axes: tuple[int, ...] | None = None
    scale: str = ""
    dressing: int = 0
    data: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


def operands(model: Model, name: str) -> tuple[Operand, ...] | None:
    """All operators that compute with a stored tensor of the top-level graph.

    Casts and Transposes on the way are looked through, and one DequantizeLinear.

    Args:
        model: The model.
        name: The tensor, as in the index.

    Returns:
        In topological order. None if a nested graph reads it, the model returns it, or its way
        can't be followed.
    """
    nodes = {node.name: node for node in model._proto.graph.node}
    found = list(_followed(model, name, Operand(node=_NONE, slot=0), nodes))
    if not found or any(each is None for each in found):
        return None
    return tuple(each for each in found if each is not None)


_NONE = Node(name="", op_type="", domain="", inputs=(), outputs=())


def _followed(
    model: Model, value: str, so_far: Operand, nodes: Mapping[str, NodeProto]
) -> Iterator[Operand | None]:
    """Where a value goes; None for a way that can't be followed."""
    index = model.index
    if index.returned(value) or index.handed(value):
        yield None
    for use in index.consumers(value):
        node, slot = use.node, use.slot
        if node.scope or node.name not in nodes:
            yield None
            continue
        attributes = _attributes(nodes[node.name])
        if node.op_type == "DequantizeLinear" and not so_far.scale:
            data = "" if slot == 0 else node.inputs[0]
            dressed = replace(so_far, scale=node.inputs[1], dressing=slot, data=data)
            if slot == 0 or data in index.initializers:
                yield from _followed(model, node.outputs[0], dressed, nodes)
                continue
        elif node.op_type in _SAME and slot == 0:
            yield from _followed(model, node.outputs[0], so_far, nodes)
            continue
        elif node.op_type == "Transpose" and "perm" in attributes:
            perm = tuple(attributes["perm"])
            axes = perm if so_far.axes is None else tuple(so_far.axes[each] for each in perm)
            yield from _followed(model, node.outputs[0], replace(so_far, axes=axes), nodes)
            continue
        yield replace(so_far, node=node, slot=slot, attributes=attributes)


def node_attributes(model: Model, name: str) -> dict[str, Any]:
    """Attributes of a top-level node that are numbers or text, by name; empty if there is none."""
    node = next((each for each in model._proto.graph.node if each.name == name), None)
    return {} if node is None else _attributes(node)


def _attributes(node: NodeProto) -> dict[str, Any]:
    found = {each.name: each for each in node.attribute if each.type in _NUMBERS}
    return {name: helper.get_attribute_value(each) for name, each in found.items()}
