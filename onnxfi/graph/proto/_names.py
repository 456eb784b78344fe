"""Names in a graph: nodes that have none get one, and values are renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onnx import GraphProto

from onnxfi.graph.proto._walk import Unique, bodies, own_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymous:
    """Nodes that the file does not tell apart by name, nested graphs included.

    Attributes:
        shared: How many nodes of one graph share a name, by that name, the most first.
        unnamed: How many nodes have none.
    """

    shared: tuple[tuple[str, int], ...] = ()
    unnamed: int = 0


def name_nodes(graph: GraphProto) -> None:
    """Give unnamed nodes ``Conv#3`` (third Conv in file order), repeated names ``name#2``.

    Names that are in the file once, or first, stay. Works in place and on nested graphs, each of
    which counts for itself. Run before nodes are sorted or removed, so that numbers are those of
    the file; run again, it only names what has been added.
    """
    for node, name in zip(graph.node, unique_names(graph), strict=True):
        if name != node.name:
            node.name = name
        for _, body in bodies(node):
            name_nodes(body)


def unique_names(graph: GraphProto) -> list[str]:
    """The names that :func:`name_nodes` gives the nodes of a graph, in file order."""
    names = Unique(node.name for node in graph.node)
    seen: set[str] = set()
    count: Counter[str] = Counter()
    given = []
    for node in graph.node:
        count[node.op_type] += 1
        name = node.name
        if not name:
            name = names.take(f"{node.op_type}#{count[node.op_type]}")
        elif name in seen:
            name = names.take(name)
        seen.add(name)
        given.append(name)
    return given


def anonymous(graph: GraphProto) -> Anonymous:
    """Count nodes of a graph that share a name or have none, before they are named."""
    shared: Counter[str] = Counter()
    unnamed = 0
    for each in _graphs(graph):
        used = Counter(node.name for node in each.node)
        unnamed += used.pop("", 0)
        shared.update({name: count for name, count in used.items() if count > 1})
    return Anonymous(shared=tuple(shared.most_common()), unnamed=unnamed)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for _, body in bodies(node):
            yield from _graphs(body)


def rename_reads(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Make all nodes read other values, in place; graph outputs keep their names.

    A nested graph that defines one of the names itself means its own value and is left alone.
    """
    for node in graph.node:
        for slot, name in enumerate(node.input):
            if name in names:
                node.input[slot] = names[name]
        for _, body in bodies(node):
            own = set(own_names(body))
            visible = {old: new for old, new in names.items() if old not in own}
            if visible:
                rename_reads(body, visible)


def rename_outputs(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Make producers write other names; what was declared about a value holds for both names."""
    if not names:
        return
    for node in graph.node:
        for slot, name in enumerate(node.output):
            if name in names:
                node.output[slot] = names[name]
    for value in list(graph.value_info):
        if value.name in names:
            graph.value_info.add().CopyFrom(value)
            graph.value_info[-1].name = names[value.name]
