"""Stable topological sort, nested graphs and what they capture included."""

from __future__ import annotations

import heapq
from collections.abc import Set as AbstractSet

from onnx import GraphProto

from onnxfi.errors import ModelError
from onnxfi.graph.proto._walk import bodies, captures, shown


def sort_graph(graph: GraphProto, outer: AbstractSet[str] = frozenset()) -> None:
    """Sort nodes so that each comes after what it reads, else in file order; in place.

    Args:
        graph: The graph; nested graphs are sorted too.
        outer: Names of values that the graphs around it define.

    Raises:
        ModelError: A value is read that nothing defines, is defined twice, or depends on itself.
    """
    producers = _producers(graph)
    known = set(producers) | {value.name for value in graph.input} | outer
    known |= {tensor.name for tensor in graph.initializer}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    waits_for: list[set[int]] = []
    for position, node in enumerate(graph.node):
        for _, body in bodies(node):
            sort_graph(body, known)
        needed = set(captures(node))
        if not needed <= known:
            missing = min(needed - known)
            raise ModelError(f"node {shown(node)} reads {missing!r}, which nothing defines")
        waits_for.append({producers[name] for name in needed if name in producers})
        if position in waits_for[-1]:
            raise ModelError(f"node {shown(node)} depends on its own output")
    for value in graph.output:
        if value.name and value.name not in known:
            raise ModelError(f"graph output {value.name!r} is not defined by any node")
    if any(before > position for position, needed in enumerate(waits_for) for before in needed):
        _reorder(graph, waits_for)


def _producers(graph: GraphProto) -> dict[str, int]:
    stored = {value.name for value in graph.input}
    if len(stored) < len(graph.input):
        raise ModelError("two graph inputs have one name")
    stored |= {tensor.name for tensor in graph.initializer}
    stored |= {sparse.values.name for sparse in graph.sparse_initializer}
    producers: dict[str, int] = {}
    for position, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in producers or name in stored:
                raise ModelError(f"value {name!r} is defined twice, again by node {node.name!r}")
            producers[name] = position
    return producers


def _reorder(graph: GraphProto, waits_for: list[set[int]]) -> None:
    readers: list[list[int]] = [[] for _ in waits_for]
    open_count = [len(needed) for needed in waits_for]
    for position, needed in enumerate(waits_for):
        for before in needed:
            readers[before].append(position)
    ready = [position for position, count in enumerate(open_count) if not count]
    order: list[int] = []
    while ready:
        position = heapq.heappop(ready)
        order.append(position)
        for reader in readers[position]:
            open_count[reader] -= 1
            if not open_count[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(waits_for):
        stuck = graph.node[next(i for i, count in enumerate(open_count) if count)]
        raise ModelError(f"the graph has a circle: node {stuck.name!r} depends on its own output")
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes[position] for position in order)
