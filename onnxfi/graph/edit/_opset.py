"""Raising the opset: onnx's version converter, held to keeping every name and all stored data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import onnx.defs
import onnx.shape_inference
import onnx.version_converter
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.graph.edit._modern import modernize, needs_rewriting
from onnxfi.graph.index import Model, infer_types, opset_of, stored_names
from onnxfi.graph.io import normalize
from onnxfi.graph.proto import bodies, one_line, own_names, scopes, shown, skeleton

# Operators whose old form the converter takes for the new one.
_NEW_MEANING: Mapping[str, int] = MappingProxyType({"Scan": 9})
# Operators that onnxruntime alone has, and only below this opset.
_EXPERIMENTAL = 10
_GONE = frozenset({"GRUUnit", "GivenTensorFill", "ParametricSoftplus", "ScaledTanh"})
# Since this opset the mask says which elements stay; before, onnxruntime gave another one.
_NEW_MASK = 12
# Where operators hide that are in ai.onnx's domain, but are not of it.
_STRANGERS = "onnxfi.strangers"
_SPARSE = (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS)
_HEAVY = (
    *_SPARSE,
    AttributeProto.TENSOR,
    AttributeProto.TENSORS,
    AttributeProto.TYPE_PROTO,
    AttributeProto.TYPE_PROTOS,
)


def raise_opset(model: Model, at_least: int) -> Model:
    """The model in ai.onnx ``at_least``; the model itself if its opset is high enough.

    Names of nodes and values stay; the converter may add helper nodes. It works on a skeleton
    without weights, and drops metadata, sparse tensors and declared types, so only its nodes and
    the small tensors it adds are taken over.

    Raises:
        UnsupportedModelError: An operator has no form in that opset, or a name got lost.
        RewriteError: Nodes have been inserted or initializers lifted; that comes after.
    """
    if model.opset >= at_least:
        return model
    if model.edits.nodes or model.edits.lifted:
        # The converter numbers its helpers by what it meets, and a verifier must get the same.
        raise RewriteError("raise the opset before nodes are inserted or initializers lifted")
    try:
        proto = _converted(model.proto, at_least)
    except ModelError as error:
        raise UnsupportedModelError(
            f"can't raise the model from opset {model.opset} to {at_least}: {error}"
        ) from None
    types = {**infer_types(proto), **model.types}
    return model.edited(proto, model.edits, types)


def _converted(original: ModelProto, version: int) -> ModelProto:
    proto = ModelProto()
    proto.CopyFrom(original)
    if any(entry.domain in ("", "ai.onnx") for entry in original.opset_import):
        bare = _for_converter(original, version)
        try:
            graph = onnx.version_converter.convert_version(bare, version).graph
        except Exception as error:  # the C++ converter raises whatever it meets
            raise ModelError(one_line(error)) from None
        _take_over(proto.graph, graph)
        modernize(proto.graph, opset_of(original), version)
        _set_version(proto, version)
        proto = normalize(proto)
    else:
        # Without an import of ai.onnx there are no operators of it to convert.
        proto.opset_import.add(domain="", version=version)
    _check_names(original, proto)
    _check_schemas(original, proto, version)
    return proto


def _for_converter(original: ModelProto, target: int) -> ModelProto:
    """A skeleton that the converter takes, with types that hold."""
    bare = skeleton(original)
    # Below 4 it wants every initializer among the inputs; no runtime does.
    bare.ir_version = max(bare.ir_version, 4)
    _infer_anew(bare)
    # It refuses operators of onnxruntime in ai.onnx's domain (LayerNormalization before opset 17),
    # and some it gets wrong.
    version = opset_of(original)
    strangers = [
        node
        for node in _nodes(bare)
        if _is_onnx(node) and (not _schema(node, version) or needs_rewriting(node, version, target))
    ]
    for node in strangers:
        node.domain = _STRANGERS
    if strangers:
        bare.opset_import.add(domain=_STRANGERS, version=1)
    for scope in scopes(bare.graph):
        _hide_sparse(scope.graph)
    return bare


def _infer_anew(bare: ModelProto) -> None:
    """Declare the types that follow from inputs and operators in place of what the file declares.

    The converter ends at a declared type that is not so, and believes one that it can't check. All
    that is declared stays in the model itself, of which the converter gives new nodes only.
    """
    for scope in scopes(bare.graph):
        scope.graph.ClearField("value_info")
        inner = scope.graph.input if scope.parent is not None else ()
        for value in (*inner, *scope.graph.output):
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    try:
        typed = onnx.shape_inference.infer_shapes(bare)
    except Exception:  # the C++ pass raises whatever it meets; the converter asks for no types
        return
    bare.CopyFrom(typed)


def _hide_sparse(graph: GraphProto) -> None:
    """Dense stand-ins for sparse tensors, which the converter refuses."""
    for sparse in graph.sparse_initializer:
        graph.initializer.add(
            name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims
        )
    graph.ClearField("sparse_initializer")
    for node in graph.node:
        for position in reversed(range(len(node.attribute))):
            if node.attribute[position].type in _SPARSE:
                del node.attribute[position]


def _take_over(graph: GraphProto, converted: GraphProto) -> None:
    """Give a graph the converted nodes and added tensors; the rest stays as it was."""
    before = {node.name: node for node in graph.node if node.name}
    nodes = [_restored(node, before.get(node.name)) for node in converted.node]
    known = stored_names(graph)
    graph.initializer.extend(t for t in converted.initializer if t.name not in known)
    del graph.node[:]
    graph.node.extend(nodes)


def _restored(node: NodeProto, before: NodeProto | None) -> NodeProto:
    """A converted node with what the converter drops, taken from the node it was made from."""
    if before is None:
        return node
    dropped = NodeProto()
    dropped.CopyFrom(before)
    for field in ("input", "output", "name", "op_type", "domain", "attribute"):
        dropped.ClearField(field)
    for field in ("overload", "doc_string", "metadata_props"):
        node.ClearField(field)
    node.MergeFrom(dropped)
    if node.domain == _STRANGERS:
        node.domain = before.domain
    _restore_attributes(node, before)
    bodies_before = dict(bodies(before))
    for branch, body in bodies(node):
        if branch in bodies_before:
            whole = GraphProto()
            whole.CopyFrom(bodies_before[branch])
            _take_over(whole, body)
            body.CopyFrom(whole)
    return node


def _restore_attributes(node: NodeProto, before: NodeProto) -> None:
    """Attributes that hold tensors or types, which the converter re-encodes or drops."""
    if node.op_type != before.op_type:
        return
    after = {attribute.name: attribute for attribute in node.attribute}
    for attribute in before.attribute:
        if attribute.type in _HEAVY:
            target = after.get(attribute.name)
            (node.attribute.add() if target is None else target).CopyFrom(attribute)


def _set_version(proto: ModelProto, version: int) -> None:
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version


def _check_names(original: ModelProto, proto: ModelProto) -> None:
    after = {scope.path: set(own_names(scope.graph)) for scope in scopes(proto.graph)}
    for scope in scopes(original.graph):
        lost = set(own_names(scope.graph)) - after.get(scope.path, set())
        if lost:
            raise ModelError(f"the converter lost the value {min(lost)!r}")


def _check_schemas(original: ModelProto, proto: ModelProto, version: int) -> None:
    """Refuse what the converter has let through; onnxruntime's own message would be obscure.

    A node that was odd before (an operator of onnxruntime in ai.onnx's domain) is left alone.
    """
    old = opset_of(original)
    for node in _nodes(original):
        if node.op_type in _NEW_MEANING and old < _NEW_MEANING[node.op_type] <= version:
            since = _NEW_MEANING[node.op_type]
            raise ModelError(f"node {shown(node)} has another meaning since opset {since}")
        if _is_onnx(node) and node.op_type in _GONE and old < _EXPERIMENTAL <= version:
            raise ModelError(f"onnxruntime has node {shown(node)} below opset {_EXPERIMENTAL} only")
    if old < _NEW_MASK <= version:
        _refuse_masks(original)
    odd = {node.name for node in _nodes(original) if misfit(node, old)}
    for node in _nodes(proto):
        problem = misfit(node, version)
        if problem and node.name not in odd:
            raise ModelError(f"node {shown(node)} {problem}")


def _refuse_masks(proto: ModelProto) -> None:
    read = {value.name for scope in scopes(proto.graph) for value in scope.graph.output}
    read.update(name for node in _nodes(proto) for name in node.input)
    for node in _nodes(proto):
        if _is_onnx(node) and node.op_type == "Dropout" and not read.isdisjoint(node.output[1:2]):
            raise ModelError(
                f"node {shown(node)} gives another mask since opset {_NEW_MASK}, and the mask is"
                f" read"
            )


def _nodes(proto: ModelProto) -> Iterator[NodeProto]:
    for scope in scopes(proto.graph):
        yield from scope.graph.node


def misfit(node: NodeProto, version: int) -> str | None:
    """Why a node does not fit the operator's schema of this version; None if it does."""
    if not _is_onnx(node):
        return None
    schema = _schema(node, version)
    if schema is None:
        return f"is no operator of opset {version}"
    if schema.deprecated:
        return f"is deprecated in opset {version}"
    for attribute in node.attribute:
        if attribute.name not in schema.attributes:
            return f"has no attribute {attribute.name!r} in opset {version}"
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"can't have {len(node.input)} inputs in opset {version}"
    return None


def _is_onnx(node: NodeProto) -> bool:
    return node.domain in ("", "ai.onnx")


def _schema(node: NodeProto, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return None
