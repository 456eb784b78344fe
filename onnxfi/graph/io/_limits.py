"""Caps for untrusted models, checked before any checker, inliner or runtime sees the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from onnxfi.errors import ModelError
from onnxfi.graph.proto import (
    bodies,
    check_expansion,
    check_model,
    check_part,
    count_elements,
    data_bytes,
    element_count,
    element_from_onnx,
    is_external,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a model may cost before it is refused.

    Attributes:
        file_bytes: Size of the model file; protobuf itself can't hold more than 2 GiB.
        nodes: Nodes in all graphs and functions, as stored.
        tensor_bytes: Bytes of all stored tensors by their declared shapes, external data included,
            sparse tensors as their dense form.
        expansion_nodes: Nodes after all calls of model-local functions are expanded, if there are
            such functions. Lower than ``nodes``, since a few kB can expand to any number.
        nesting: Depth of graphs within graphs, calls expanded.
        call_depth: Length of a chain of functions that call each other.
    """

    file_bytes: int = 2**31 - 1
    nodes: int = 1_000_000
    tensor_bytes: int = 2**36
    expansion_nodes: int = 200_000
    nesting: int = 24
    call_depth: int = 64


def check_limits(proto: ModelProto, limits: Limits) -> None:
    """Refuse a model that exceeds a cap, in time linear in its stored size.

    Raises:
        ModelError: A cap is exceeded, a tensor has impossible dimensions or not the data that they
            need, or functions call each other in a circle.
    """
    check_model(proto)
    nodes = 0
    tensors = 0
    for part in _parts(proto, limits.nesting):
        nodes += len(part.node)
        if nodes > limits.nodes:
            raise ModelError(over("nodes", f"more than {limits.nodes} nodes", limits.nodes))
        check_part(part)
        for tensor in _dense_tensors(part):
            tensors += _checked_bytes(tensor)
        for sparse in _sparse_tensors(part):
            tensors += _dense_bytes(sparse)
        if tensors > limits.tensor_bytes:
            what = f"tensors of at least {tensors} bytes"
            raise ModelError(over("tensor_bytes", what, limits.tensor_bytes))
    _check_calls(proto, limits)


def over(limit: str, what: str, value: int) -> str:
    """Message for an exceeded cap."""
    return (
        f"the model has {what}, the limit for untrusted models is {value}; if you trust it, load it"
        f" with a larger Limits({limit}=...)"
    )


def _check_calls(proto: ModelProto, limits: Limits) -> None:
    if not proto.functions:
        return
    cost = check_expansion(proto)
    if cost.nodes > limits.expansion_nodes:
        what = f"{_short(cost.nodes)} nodes once its functions are expanded"
        raise ModelError(over("expansion_nodes", what, limits.expansion_nodes))
    if cost.nesting > limits.nesting:
        what = f"graphs nested {cost.nesting} deep once its functions are expanded"
        raise ModelError(over("nesting", what, limits.nesting))
    if cost.calls > limits.call_depth:
        what = f"functions that call each other {cost.calls} deep"
        raise ModelError(over("call_depth", what, limits.call_depth))
    if cost.size > limits.file_bytes:
        what = f"{_short(cost.size)} bytes of nodes once its functions are expanded"
        raise ModelError(over("file_bytes", what, limits.file_bytes))


def _parts(proto: ModelProto, nesting: int) -> Iterator[GraphProto | FunctionProto]:
    """Every graph and function body; an explicit stack, as the depth is not to be trusted."""
    stack: list[tuple[GraphProto | FunctionProto, int]] = [(proto.graph, 0)]
    stack += [(function, 0) for function in proto.functions]
    for training in proto.training_info:
        stack += [(training.initialization, 0), (training.algorithm, 0)]
    while stack:
        part, depth = stack.pop()
        if depth > nesting:
            raise ModelError(over("nesting", f"graphs nested more than {nesting} deep", nesting))
        yield part
        for node in part.node:
            stack += [(body, depth + 1) for _, body in bodies(node)]


def _dense_tensors(part: GraphProto | FunctionProto) -> Iterator[TensorProto]:
    if isinstance(part, GraphProto):
        yield from part.initializer
    for node in part.node:
        yield from attribute_tensors(node)


def attribute_tensors(node: NodeProto) -> Iterator[TensorProto]:
    """Tensors in a node's own attributes."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _sparse_tensors(part: GraphProto | FunctionProto) -> Iterator[SparseTensorProto]:
    if isinstance(part, GraphProto):
        yield from part.sparse_initializer
    for node in part.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor
            yield from attribute.sparse_tensors


def _checked_bytes(tensor: TensorProto) -> int:
    """Declared size of a tensor, whose data must have that size."""
    if tensor.HasField("segment"):
        raise ModelError(f"tensor {tensor.name!r} is stored in segments, which no runtime reads")
    count = element_count(tensor)
    element = element_from_onnx(tensor.data_type)
    size = None if element is None else data_bytes(element, count)
    if element is None or is_external(tensor):
        return count if size is None else size
    stored = count_elements(tensor, element)
    if stored is not None and stored != count:
        raise ModelError(
            f"tensor {tensor.name!r} of shape {list(tensor.dims)} has {count} elements of type"
            f" {element.value}, its data holds {stored}"
        )
    return sum(map(len, tensor.string_data)) if size is None else size


def _dense_bytes(sparse: SparseTensorProto) -> int:
    _checked_bytes(sparse.values)
    _checked_bytes(sparse.indices)
    dense = TensorProto(
        name=sparse.values.name, dims=sparse.dims, data_type=sparse.values.data_type
    )
    element = element_from_onnx(dense.data_type)
    count = element_count(dense)
    return (data_bytes(element, count) if element is not None else None) or count


def _short(number: int) -> str:
    """A number, or its power of two if it is long."""
    return str(number) if number < 10**12 else f"over 2^{number.bit_length() - 1}"
