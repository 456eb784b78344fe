"""Cutting sub-models out of a model; a verifier proves that all in them is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from google.protobuf.message import Message  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph.index import Edits, Model, stored_names
from onnxfi.graph.proto import Shape, TensorSpec, captures, element_of_dtype, sort_graph, value_info

Examples = Mapping[str, NDArray[Any]]


def cut(
    model: Model, nodes: AbstractSet[str], outputs: Sequence[str], examples: Examples | None = None
) -> Model:
    """Some top-level nodes as a model of their own.

    Its inputs are the values that the nodes read and do not compute, in the order of the graph;
    stored tensors come along. Nodes, tensors and declarations are unchanged, and the model counts
    as not edited.

    Args:
        model: The model.
        nodes: Names of the nodes; control-flow bodies come with their node.
        outputs: Values of the sub-model to return.
        examples: Run-time arrays of inputs: they tell a type that the file leaves open, and a
            shape in it that is wrong.

    Raises:
        RewriteError: An output is not made by the nodes, or an input's type is not known.
    """
    source = model.proto.graph
    chosen = [node for node in source.node if node.name in nodes]
    made = {name for node in chosen for name in node.output if name}
    read = {name for node in chosen for name in captures(node)}
    missing = [name for name in outputs if name not in made]
    if missing:
        raise RewriteError(f"can't return {missing[0]!r}: none of the nodes makes it")
    proto = _emptied(model.proto)
    graph = proto.graph
    graph.node.extend(chosen)
    _bring_along(source, graph, read, made)
    graph.input.extend(_inputs(model, read - made, examples or {}))
    declared = {value.name: value for value in source.output}
    graph.output.extend(declared.get(name) or _declared(model, name) for name in outputs)
    part = Model(
        source=model.source,
        sha256=model.sha256,
        proto=proto,
        folder=model.folder,
        data_files=model.data_files,
        types=model.types,
        edits=Edits(),
        held=model.held,
    )
    verify_cut(model, part)
    return part


def _emptied(proto: ModelProto) -> ModelProto:
    """The message around a graph: versions and functions, nothing of the graph but its name."""
    empty = ModelProto(ir_version=proto.ir_version)
    empty.opset_import.extend(proto.opset_import)
    empty.functions.extend(proto.functions)
    empty.graph.name = proto.graph.name
    return empty


def _bring_along(
    source: GraphProto, graph: GraphProto, read: AbstractSet[str], made: AbstractSet[str]
) -> None:
    """Copy stored tensors and declarations that the nodes need."""
    graph.initializer.extend(tensor for tensor in source.initializer if tensor.name in read)
    graph.sparse_initializer.extend(
        sparse for sparse in source.sparse_initializer if sparse.values.name in read
    )
    stored = stored_names(graph)
    # A stored tensor that is repeated as an input is no constant to the runtime; it stays so.
    graph.input.extend(value for value in source.input if value.name in stored)
    graph.value_info.extend(value for value in source.value_info if value.name in made)
    known = read | made
    graph.quantization_annotation.extend(
        entry for entry in source.quantization_annotation if entry.tensor_name in known
    )


def _inputs(model: Model, names: AbstractSet[str], examples: Examples) -> list[ValueInfoProto]:
    """Declarations of what the nodes read from outside, graph inputs first."""
    source = model.proto.graph
    stored = stored_names(source)
    declared = {value.name: value for value in source.input}
    order = [*declared, *(name for node in source.node for name in _made(node))]
    return [
        declared.get(name) or _typed(model, name, examples.get(name))
        for name in order
        if name in names and name not in stored
    ]


def _made(node: NodeProto) -> list[str]:
    return [name for name in node.output if name]


def _typed(model: Model, name: str, example: NDArray[Any] | None) -> ValueInfoProto:
    """Declaration of a value that becomes an input."""
    index = model.index
    if index.kind_of(name) != "tensor":
        raise RewriteError(f"can't make {name!r} an input: it is a {index.kind_of(name)}")
    element, shape = index.element_of(name), index.shape_of(name)
    if example is not None:
        element = element or element_of_dtype(example.dtype)
        shape = _consistent(shape, example.shape)
    if element is None:
        raise RewriteError(f"can't make {name!r} an input: its element type is not known")
    return value_info(TensorSpec(name=name, element=element, shape=shape))


def _consistent(shape: Shape | None, actual: tuple[int, ...]) -> Shape:
    """A declared shape without what a run has shown to be wrong."""
    if shape is None or len(shape) != len(actual):
        return (None,) * len(actual)
    pairs = zip(shape, actual, strict=True)
    return tuple(None if isinstance(dim, int) and dim != size else dim for dim, size in pairs)


def _declared(model: Model, name: str) -> ValueInfoProto:
    """Declaration of a value that becomes an output: without a shape, which may be wrong."""
    element = model.index.element_of(name)
    if element is None or model.index.kind_of(name) != "tensor":
        return ValueInfoProto(name=name)
    return value_info(TensorSpec(name=name, element=element))


def verify_cut(original: Model, part: Model) -> None:
    """Prove that a sub-model holds nothing but nodes and tensors of the original, unchanged.

    Raises:
        RewriteError: Something differs, is missing or is read undefined; the message names it.
    """
    ours, theirs = original.proto, part.proto
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
    whole = part.editable()
    try:
        sort_graph(whole.graph)
    except ModelError as error:
        raise RewriteError(f"the sub-model is not valid: {error}") from None
    if [n.name for n in part.proto.graph.node] != [n.name for n in whole.graph.node]:
        raise RewriteError("the sub-model is not sorted")
