"""Renaming values, stored tensors and nodes of a model, and declaring what a run has shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Model, infer_types
from onnxfi.graph.proto import TensorSpec, rename_reads


def rename(model: Model, values: Mapping[str, str], nodes: Mapping[str, str]) -> Model:
    """The model with other names for top-level values, initializers and nodes.

    The renamed model counts as one that was not edited: its names are those to go on from.

    Args:
        model: A model without edits.
        values: New names of node outputs and initializers. Inputs and outputs keep theirs: they
            are how the model is fed and read.
        nodes: New names of nodes.

    Raises:
        RewriteError: The model was edited, a value is an input or output of it, or a new name is
            in use and stays so.
    """
    proto = model.editable()
    graph = proto.graph
    if model.edits != Edits():
        raise RewriteError("names are given before a model is edited")
    fixed = {value.name for value in (*graph.input, *graph.output)}
    if not fixed.isdisjoint(values):
        first = min(fixed.intersection(values))
        raise RewriteError(f"{first!r} is an input or output of the model and keeps its name")
    _check_free(model, values)
    rename_reads(graph, values)
    for tensor in graph.initializer:
        tensor.name = values.get(tensor.name, tensor.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = values.get(sparse.values.name, sparse.values.name)
    for value in graph.value_info:
        value.name = values.get(value.name, value.name)
    for entry in graph.quantization_annotation:
        entry.tensor_name = values.get(entry.tensor_name, entry.tensor_name)
    for node in graph.node:
        node.name = nodes.get(node.name, node.name)
        for slot, name in enumerate(node.output):
            node.output[slot] = values.get(name, name)
    if len({node.name for node in graph.node}) < len(graph.node):
        raise RewriteError("two nodes would have one name")
    known = [
        replace(spec, name=values.get(name, name))
        for (scope, name), spec in model.types.items()
        if not scope
    ]
    return declare(model.edited(proto, model.edits, infer_types(proto)), known)


def declare(model: Model, specs: Iterable[TensorSpec], scope: str = "") -> Model:
    """The model with what onnxruntime has shown of values that onnx can't infer.

    What is known already stays, and nothing is written into the graph.

    Args:
        model: The model.
        specs: Names in that scope, element types and shapes, either of which may be None.
        scope: The graph that the values are in.
    """
    types = dict(model.types)
    for spec in specs:
        known = types.get((scope, spec.name), spec)
        if known.kind == "tensor" and known.element is None:
            known = replace(spec, shape=spec.shape if known.shape is None else known.shape)
        elif known.kind == "tensor" and known.shape is None:
            known = replace(known, shape=spec.shape)
        types[scope, spec.name] = known
    return model.edited(model.proto, model.edits, types)


def _check_free(model: Model, values: Mapping[str, str]) -> None:
    """Refuse names that would fall together, those of nested graphs included."""
    kept = model.names.difference(values)
    news = list(values.values())
    taken = kept.intersection(news)
    if taken or len(set(news)) < len(news):
        twice = min(taken) if taken else min(name for name in news if news.count(name) > 1)
        raise RewriteError(f"the name {twice!r} is in use already")
