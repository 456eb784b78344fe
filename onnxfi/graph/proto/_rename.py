"""Renaming what nodes read and write, in a graph and in the nested graphs that capture it."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto

from onnxfi.graph.proto._walk import bodies, own_names


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
