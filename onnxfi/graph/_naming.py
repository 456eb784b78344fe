"""Node names: every node gets one that is unique within its graph."""

from __future__ import annotations

from collections import Counter

from onnx import GraphProto

from onnxfi.graph._walk import Unique, bodies


def name_nodes(graph: GraphProto) -> None:
    """Give unnamed nodes ``Conv#3`` (third Conv in file order), repeated names ``name#2``.

    Names that are in the file once, or first, stay. Works in place and on nested graphs, each of
    which counts for itself. Run before nodes are sorted or removed, so that numbers are those of
    the file; run again, it only names what has been added.
    """
    names = Unique(node.name for node in graph.node)
    seen: set[str] = set()
    count: Counter[str] = Counter()
    for node in graph.node:
        count[node.op_type] += 1
        name = node.name
        if not name:
            name = names.take(f"{node.op_type}#{count[node.op_type]}")
        elif name in seen:
            name = names.take(name)
        seen.add(name)
        if name != node.name:
            node.name = name
        for _, body in bodies(node):
            name_nodes(body)
