"""Makes a model file fit to be committed: no traces of the machine, sorted, typed, checked."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

MAX_IR = 10
"""Newest IR version that all onnxruntime releases since 1.18 accept."""


def tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model stripped of metadata, topologically sorted, with fresh shapes, checked."""
    clean = onnx.ModelProto()
    clean.CopyFrom(model)
    _strip(clean)
    _sort(clean.graph)
    _name_nodes(clean.graph)
    _drop_unused_domains(clean)
    clean.ir_version = min(clean.ir_version, MAX_IR)
    # Converters leave stale entries behind; what inference can't derive is better left out.
    del clean.graph.value_info[:]
    clean = onnx.shape_inference.infer_shapes(clean)
    onnx.checker.check_model(clean, full_check=True)
    return clean


def _strip(model: onnx.ModelProto) -> None:
    """Drop doc strings and metadata: exporters write stack traces with local paths into them."""
    graph = model.graph
    model.doc_string = ""
    del model.metadata_props[:]
    messages: list[Iterable[object]] = [
        [graph],
        graph.node,
        graph.initializer,
        graph.input,
        graph.output,
        graph.value_info,
        *(node.attribute for node in graph.node),
    ]
    for message in (item for group in messages for item in group):
        message.ClearField("doc_string")  # type: ignore[attr-defined]
        if hasattr(message, "metadata_props"):
            del message.metadata_props[:]


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Name the nodes that a converter left unnamed after what they make."""
    for node in graph.node:
        node.name = node.name or f"{node.output[0]}_{node.op_type}"


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """The quantiser imports every operator set that onnxruntime knows; keep those in use."""
    used = {"", *(node.domain for node in model.graph.node)}
    kept = [item for item in model.opset_import if item.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _sort(graph: onnx.GraphProto) -> None:
    """Order the nodes topologically, keeping file order where it is free."""
    known = {""} | {item.name for item in (*graph.input, *graph.initializer)}
    waiting, ordered = list(graph.node), []
    while waiting:
        later = []
        for node in waiting:
            if known.issuperset(node.input):
                ordered.append(node)
                known.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ValueError(f"the graph has a cycle or a missing value at {later[0].name!r}")
        waiting = later
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)
