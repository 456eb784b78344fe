"""What computes with a tensor, what depends on a value, what a convolution reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto, GraphProto, NodeProto, helper

from onnxfi.errors import ModelError
from onnxfi.graph.index._index import Node
from onnxfi.graph.index._model import Edits, Model
from onnxfi.graph.ops import operator
from onnxfi.graph.proto import captures, scopes

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
    nodes = {node.name: node for node in model.proto.graph.node}
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
    node = next((each for each in model.proto.graph.node if each.name == name), None)
    return {} if node is None else _attributes(node)


def _attributes(node: NodeProto) -> dict[str, Any]:
    found = {each.name: each for each in node.attribute if each.type in _NUMBERS}
    return {name: helper.get_attribute_value(each) for name, each in found.items()}


def downstream(model: Model, value: str) -> frozenset[str]:
    """Names of the top-level nodes that depend on a value; control-flow bodies count as their node.

    Args:
        model: The model.
        value: Name of a computed value, an input or a stored tensor as in the index, also of one
            in a control-flow body.

    Raises:
        ModelError: The model has no such value.
    """
    graph: GraphProto = model.proto.graph
    place = model.index.places.get(value)
    maker = model.index.producer(value)
    scope = place.scope if place is not None else maker.scope if maker is not None else ""
    known = place is not None or maker is not None
    if not known and value not in {entry.name for entry in graph.input}:
        raise ModelError(f"the model has no value {value!r}")
    owner = _owner(graph, scope) if scope else None
    changed = set() if scope else {value}
    reached = []
    for node in graph.node:
        if node.name == owner or not changed.isdisjoint(captures(node)):
            reached.append(node.name)
            changed.update(filter(None, node.output))
    return frozenset(reached)


def _owner(graph: GraphProto, path: str) -> str:
    """Name of the top-level node in whose bodies a scope lies."""
    scope = next(scope for scope in scopes(graph) if scope.path == path)
    while scope.parent is not None and scope.parent.path:
        scope = scope.parent
    assert scope.owner is not None
    name: str = graph.node[scope.owner].name
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptive:
    """What an output place of a two-dimensional convolution reads, by axis: height, width.

    Attributes:
        size: Places of the input that it spans.
        stride: Steps of the input between neighbouring output places.
        pad: Places of padding in front of the input.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]


def receptive_field(model: Model, node: str) -> Receptive | None:
    """What the output places of a top-level convolution read.

    Args:
        model: The model.
        node: Name of the node.

    Returns:
        None if it is no two-dimensional convolution with explicit padding and a stored filter.
    """
    found = next((each for each in model.proto.graph.node if each.name == node), None)
    if found is None or operator(found.op_type).layout != "convolution" or len(found.input) < 2:
        return None
    entry = model.index.initializers.get(found.input[1])
    if entry is None or len(entry.shape) != 4 or _text(found, "auto_pad") not in ("", "NOTSET"):
        return None
    kernel = entry.shape[2:]
    dilation = _integers(found, "dilations", (1, 1))
    stride = _integers(found, "strides", (1, 1))
    pads = _integers(found, "pads", (0, 0, 0, 0))
    if len(dilation) != 2 or len(stride) != 2 or len(pads) != 4:
        return None
    spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    return Receptive(
        size=(spans[0], spans[1]), stride=(stride[0], stride[1]), pad=(pads[0], pads[1])
    )


def unpadded(model: Model) -> Model:
    """The model with no padding in any of its top-level convolutions: they are fed with it."""
    proto = model.editable()
    for node in proto.graph.node:
        if operator(node.op_type).layout == "convolution":
            kept = [attribute for attribute in node.attribute if attribute.name != "pads"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", [0, 0, 0, 0])])
    return replace(model, proto=proto, edits=Edits())


def _integers(node: NodeProto, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    for attribute in node.attribute:
        if attribute.name == name:
            return tuple(attribute.ints)
    return default


def _text(node: NodeProto, name: str) -> str:
    for attribute in node.attribute:
        if attribute.name == name:
            text: str = attribute.s.decode()
            return text
    return ""
