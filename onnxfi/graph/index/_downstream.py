"""Downstream: the nodes of a graph that depend on a value."""

from __future__ import annotations

from onnx import GraphProto

from onnxfi.errors import ModelError
from onnxfi.graph.index._model import Model
from onnxfi.graph.proto import captures, scopes


def downstream(model: Model, value: str) -> frozenset[str]:
    """Names of the top-level nodes that depend on a value; control-flow bodies count as their node.

    Args:
        model: The model.
        value: Name of a computed value, an input or a stored tensor as in the index, also of one
            in a control-flow body.

    Raises:
        ModelError: The model has no such value.
    """
    graph: GraphProto = model._proto.graph
    place = model.index._places.get(value)
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
