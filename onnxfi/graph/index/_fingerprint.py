"""Fingerprints: a hash over what a model computes, the same however its file lists it."""

from __future__ import annotations

import hashlib

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from onnxfi.graph.index._model import Model
from onnxfi.graph.proto import bodies


def fingerprint(model: Model) -> str:
    """Hex sha256 over versions, nodes, stored data, inputs and outputs of a model.

    The order of attributes, and what is only there for people, has no part in it; names and the
    order of nodes and initializers have. External data counts by its reference. Of the operator
    sets only those count that an operator is of: onnxruntime writes down all that the process
    knows, those of libraries that another model has brought along included.
    """
    proto = model._copy()
    bare = ModelProto(ir_version=proto.ir_version)
    used = {node.domain for node in model.index.nodes}
    imports = [entry for entry in proto.opset_import if _domain(entry.domain) in used]
    bare.opset_import.extend(sorted(imports, key=lambda entry: entry.domain))
    bare.functions.extend(proto.functions)
    bare.graph.CopyFrom(_plain(proto.graph))
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _plain(graph: GraphProto) -> GraphProto:
    """A graph without descriptions, attributes sorted by name, nested graphs likewise."""
    for field in ("name", "doc_string", "metadata_props", "value_info", "quantization_annotation"):
        graph.ClearField(field)
    for node in graph.node:
        _plain_node(node)
    return graph


def _plain_node(node: NodeProto) -> None:
    node.ClearField("doc_string")
    node.ClearField("metadata_props")
    for _, body in bodies(node):
        _plain(body)
    ordered: list[AttributeProto] = sorted(node.attribute, key=lambda attribute: attribute.name)
    del node.attribute[:]
    node.attribute.extend(ordered)
