"""Normal form: functions inlined, nodes named, Constants stored as initializers, nodes sorted."""

from __future__ import annotations

import onnx.inliner
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.index import float_bits
from onnxfi.graph.proto import (
    attach,
    bodies,
    call_key,
    detach,
    function_key,
    name_nodes,
    one_line,
    scopes,
    shown,
    sort_graph,
)


def normalize(proto: ModelProto) -> ModelProto:
    """Bring a checked model into normal form; may change and return the message it was given.

    Raises:
        ModelError: The graph is not valid: a value is missing, defined twice, or depends on itself.
        UnsupportedModelError: A function can't be inlined.
    """
    if proto.functions:
        proto = _inline(proto)
    name_nodes(proto.graph)
    # Inner graphs first: giving a graph new nodes copies them, bodies included.
    for scope in reversed(list(scopes(proto.graph))):
        _constants_to_initializers(scope.graph)
        _drop_repeated_initializers(scope.graph)
    sort_graph(proto.graph)
    _check_declared(proto)
    return proto


def _inline(proto: ModelProto) -> ModelProto:
    """Expand all calls of model-local functions, as onnxruntime does.

    onnxruntime resolves the body of a function against the opset imports of the model, whatever
    the function itself declares; onnx's inliner would leave such a function alone.
    """
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    for function in proto.functions:
        for entry in function.opset_import:
            if entry.domain not in versions:
                versions[entry.domain] = entry.version
                proto.opset_import.add(domain=entry.domain, version=entry.version)
            entry.version = versions[entry.domain]
    wanted = {function_key(function) for function in proto.functions}
    data = detach(proto)
    try:
        flat = onnx.inliner.inline_local_functions(proto)
    except Exception as error:  # the C++ inliner raises whatever it meets
        raise UnsupportedModelError(
            f"can't inline the model's functions: {one_line(error)}"
        ) from None
    attach(flat, data)
    flat.ClearField("functions")
    for scope in _all_graphs(flat.graph):
        for node in scope.node:
            if call_key(node) in wanted:
                raise UnsupportedModelError(
                    f"can't inline model-local function {node.op_type!r} (domain {node.domain!r})"
                )
    return flat


def _all_graphs(graph: GraphProto) -> list[GraphProto]:
    found = [graph]
    for node in graph.node:
        for _, body in bodies(node):
            found += _all_graphs(body)
    return found


def _constants_to_initializers(graph: GraphProto) -> None:
    """Store Constants as initializers, as onnxruntime does at load."""
    kept: list[NodeProto] = []
    for node in graph.node:
        stored = _constant(node)
        if isinstance(stored, SparseTensorProto):
            stored.values.name = node.output[0]
            graph.sparse_initializer.append(stored)
        elif stored is not None:
            stored.name = node.output[0]
            graph.initializer.append(stored)
        else:
            kept.append(node)
    if len(kept) < len(graph.node):
        replace_nodes(graph, kept)


def replace_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Make these the nodes of a graph; they may be its own."""
    del graph.node[:]
    graph.node.extend(nodes)


def _constant(node: NodeProto) -> TensorProto | SparseTensorProto | None:
    """The tensor that a Constant node stands for, a copy; None for any other node."""
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
        return None
    if len(node.output) != 1 or not node.output[0] or len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    if attribute.ref_attr_name:
        return None
    if attribute.name == "sparse_value":
        sparse = SparseTensorProto()
        sparse.CopyFrom(attribute.sparse_tensor)
        return sparse
    tensor = TensorProto()
    if attribute.name == "value":
        tensor.CopyFrom(attribute.t)
        return tensor
    return _from_literal(attribute, tensor)


def _from_literal(attribute: AttributeProto, tensor: TensorProto) -> TensorProto | None:
    """Fill a tensor from ``value_float``, ``value_ints`` and the like."""
    if attribute.name in ("value_float", "value_floats"):
        many = attribute.name.endswith("s")
        tensor.data_type = TensorProto.FLOAT
        tensor.raw_data = float_bits(attribute, many=many)
    elif attribute.name in ("value_int", "value_ints"):
        many = attribute.name.endswith("s")
        tensor.data_type = TensorProto.INT64
        tensor.int64_data.extend(attribute.ints if many else [attribute.i])
    elif attribute.name in ("value_string", "value_strings"):
        many = attribute.name.endswith("s")
        tensor.data_type = TensorProto.STRING
        tensor.string_data.extend(attribute.strings if many else [attribute.s])
    else:
        return None
    if many:
        tensor.dims.append(max(len(attribute.floats), len(attribute.ints), len(attribute.strings)))
    return tensor


def _drop_repeated_initializers(graph: GraphProto) -> None:
    """Of initializers with one name keep the last, as onnxruntime does (with a warning)."""
    last = {tensor.name: position for position, tensor in enumerate(graph.initializer)}
    if "" in last:
        raise ModelError("the model has an initializer without a name")
    twice = last.keys() & {sparse.values.name for sparse in graph.sparse_initializer}
    if twice:
        raise ModelError(f"initializer {min(twice)!r} is stored twice, once in sparse form")
    if len(last) < len(graph.initializer):
        kept = [t for p, t in enumerate(graph.initializer) if last[t.name] == p]
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _check_declared(proto: ModelProto) -> None:
    """Refuse what no runtime takes, and what would be read differently by each."""
    for value in proto.graph.input:
        if value.type.WhichOneof("value") is None:
            raise ModelError(f"graph input {value.name!r} has no type")
    if any(entry.domain in ("", "ai.onnx") for entry in proto.opset_import):
        return
    for scope in scopes(proto.graph):
        for node in scope.graph.node:
            if node.domain in ("", "ai.onnx"):
                raise ModelError(
                    f"the model imports no version of ai.onnx, but node {shown(node)} needs one"
                )
