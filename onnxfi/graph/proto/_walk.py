"""Walking a graph with all its nested graphs, each under the scope name that users see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnx import AttributeProto, GraphProto, NodeProto


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One graph of a model.

    Attributes:
        path: ``""`` for the top level, else ``node/branch``; unique in the model.
        graph: The graph itself, not a copy.
        parent: Scope of the node that owns the graph, None at the top level.
        owner: Position of that node in the parent's graph, None at the top level.
    """

    path: str
    graph: GraphProto
    parent: Scope | None = None
    owner: int | None = None


def bodies(node: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """Nested graphs of a node with the branch name of each, in file order."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH or attribute.HasField("g"):
            yield attribute.name, attribute.g
        for position, graph in enumerate(attribute.graphs):
            yield f"{attribute.name}[{position}]", graph


def shown(node: NodeProto) -> str:
    """A node in messages: its name and operator, in printable form."""
    operator = node.op_type if node.op_type.isidentifier() else repr(node.op_type)
    return f"{node.name!r} ({operator})"


def join(path: str, name: str) -> str:
    """``name`` as it is called from outside its scope."""
    return f"{path}/{name}" if path else name


def scopes(graph: GraphProto) -> Iterator[Scope]:
    """The top-level graph, then all nested ones, outer before inner, in file order.

    Needs node names that are unique within each graph (:func:`name_nodes` gives them).
    """
    yield from _below(Scope(path="", graph=graph), Unique([""]))


class Unique:
    """Names in use; a name that is taken gets ``#2``, ``#3`` and so on.

    Args:
        taken: Names that are in use already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        # Where to go on counting: a file may repeat one name a million times.
        self._last: dict[str, int] = {}

    def take(self, name: str) -> str:
        """``name``, or the next free one made from it; taken from then on."""
        free = name
        number = self._last.get(name, 1)
        while free in self._taken:
            number += 1
            free = f"{name}#{number}"
        self._last[name] = number
        self._taken.add(free)
        return free


def _below(scope: Scope, paths: Unique) -> Iterator[Scope]:
    yield scope
    for position, node in enumerate(scope.graph.node):
        for branch, body in bodies(node):
            # A file may hold a node that is called like another node's branch.
            path = paths.take(join(join(scope.path, node.name), branch))
            yield from _below(Scope(path=path, graph=body, parent=scope, owner=position), paths)


def own_names(graph: GraphProto) -> Iterator[str]:
    """Names of all values that a graph defines itself (with repeats where it defines twice)."""
    for value in graph.input:
        yield value.name
    for tensor in graph.initializer:
        yield tensor.name
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
    for node in graph.node:
        yield from filter(None, node.output)


def captures(node: NodeProto) -> Iterator[str]:
    """Names that a node reads: its inputs, and what its nested graphs take from outside."""
    yield from filter(None, node.input)
    for _, body in bodies(node):
        yield from free_names(body)


def free_names(graph: GraphProto) -> Iterator[str]:
    """Names that a graph reads, nested graphs included, but does not define (with repeats)."""
    own = set(own_names(graph))
    for node in graph.node:
        for name in captures(node):
            if name not in own:
                yield name
    for value in graph.output:
        if value.name and value.name not in own:
            yield value.name
