"""The verifier of cuts: proves that a sub-model is the original's nodes and tensors, unchanged."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import GraphProto

from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph.index import Model, stored_names
from onnxfi.graph.proto import sort_graph


def verify_cut(original: Model, part: Model) -> None:
    """Prove that a sub-model holds nothing but nodes and tensors of the original, unchanged.

    Raises:
        RewriteError: Something differs, is missing or is read undefined; the message names it.
    """
    ours, theirs = original._proto, part._proto
    if ours.opset_import != theirs.opset_import or ours.ir_version != theirs.ir_version:
        raise RewriteError("versions of the sub-model differ from the model's")
    _unchanged("node", _nodes(ours.graph), _nodes(theirs.graph))
    _unchanged("initializer", _stored(ours.graph), _stored(theirs.graph))
    for name in stored_names(ours.graph) & {entry.name for entry in part.inputs}:
        raise RewriteError(f"initializer {name!r} of the model is an input of the sub-model")
    _check_valid(part)


def _unchanged(what: str, ours: Mapping[str, Message], theirs: Mapping[str, Message]) -> None:
    for name, message in theirs.items():
        if ours.get(name) != message:
            raise RewriteError(f"{what} {name!r} of the sub-model is not the model's")


def _nodes(graph: GraphProto) -> dict[str, Message]:
    return {node.name: node for node in graph.node}


def _stored(graph: GraphProto) -> dict[str, Message]:
    dense: dict[str, Message] = {tensor.name: tensor for tensor in graph.initializer}
    return dense | {sparse.values.name: sparse for sparse in graph.sparse_initializer}


def _check_valid(part: Model) -> None:
    """Every value is defined once, what is read is defined, and the nodes are sorted."""
    whole = part._copy()
    try:
        sort_graph(whole.graph)
    except ModelError as error:
        raise RewriteError(f"the sub-model is not valid: {error}") from None
    if [n.name for n in part._proto.graph.node] != [n.name for n in whole.graph.node]:
        raise RewriteError("the sub-model is not sorted")
