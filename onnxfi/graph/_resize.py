"""Upsample and early Resize: which element is copied where, which the version converter drops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, numpy_helper

from onnxfi.errors import ModelError
from onnxfi.graph._walk import bodies, shown

# From opset 11 on Resize says so itself, and another way is the default.
_FIRST = 11
_STRING = AttributeProto.STRING


def keep_resizing(before: GraphProto, after: GraphProto, version: int) -> None:
    """Let Resize nodes that were made of older ones copy the elements that those did; in place.

    Before opset 11 an element is taken by rounding its scaled place down (Resize: up, where it
    makes a tensor smaller), counted from the corner. A converted node counts from the centre.

    Args:
        before: A graph, unconverted.
        after: The same graph, converted.
        version: ai.onnx's version before.

    Raises:
        ModelError: It can't be told which way an operator rounds.
    """
    if version >= _FIRST:
        return
    # By what they make: a node that is replaced loses its name.
    resizing = (node for node in _nodes(before) if node.op_type in ("Upsample", "Resize"))
    old = {node.output[0]: node for node in resizing}
    scales = _stored_scales(before, old)
    for node in _nodes(after):
        if node.op_type != "Resize" or node.output[0] not in old:
            continue
        for name in ("coordinate_transformation_mode", "nearest_mode"):
            for position in reversed(range(len(node.attribute))):
                if node.attribute[position].name == name:
                    del node.attribute[position]
        node.attribute.add(name="coordinate_transformation_mode", s=b"asymmetric", type=_STRING)
        if _is_nearest(node):
            rounded = _rounding(old[node.output[0]], scales.get(node.output[0]))
            node.attribute.add(name="nearest_mode", s=rounded, type=_STRING)


def _is_nearest(node: NodeProto) -> bool:
    modes = [attribute.s for attribute in node.attribute if attribute.name == "mode"]
    return not modes or modes[0] == b"nearest"


def _rounding(node: NodeProto, scales: np.ndarray | None) -> bytes:
    if node.op_type == "Upsample":
        return b"floor"
    if scales is not None and (scales >= 1).all():
        return b"floor"
    if scales is not None and (scales <= 1).all():
        return b"ceil"
    raise ModelError(
        f"node {shown(node)} rounds up where it makes an axis smaller and down elsewhere, and its"
        f" scales are not known to do one of both"
    )


def _stored_scales(graph: GraphProto, nodes: Mapping[str, NodeProto]) -> dict[str, np.ndarray]:
    """Scales that are stored, by what the node makes that reads them."""
    stored = {
        tensor.name: tensor
        for inner in _graphs(graph)
        for tensor in inner.initializer
        if not tensor.external_data
    }
    return {
        name: numpy_helper.to_array(stored[node.input[1]])
        for name, node in nodes.items()
        if len(node.input) > 1 and node.input[1] in stored
    }


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for _, body in bodies(node):
            yield from _graphs(body)


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for inner in _graphs(graph):
        yield from inner.node
