"""Snippets: small graphs from one tensor to another, checked, to be put on values of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import FunctionProto, ModelProto, NodeProto

from onnxfi.bits import ElementType, format_of, from_words, has_format, to_words
from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.edit._insert import NodeSpec
from onnxfi.graph.edit._opset import raise_opset
from onnxfi.graph.edit._stored import initializer_words
from onnxfi.graph.index import Model
from onnxfi.graph.io import Limits, load, serialize
from onnxfi.graph.ops import is_a
from onnxfi.graph.proto import (
    TensorSpec,
    bodies,
    element_of_dtype,
    element_to_onnx,
    one_line,
    set_words,
)

_LIMITS = Limits(
    file_bytes=16 << 20, nodes=10_000, tensor_bytes=16 << 20, expansion_nodes=10_000, nesting=8
)
_RANKS = (None, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snippet:
    """A graph that makes a tensor of one that is alike.

    Attributes:
        model: The graph in normal form, all parameters stored in it.
        sha256: Of its bytes, hex.
        data: Its bytes.
        element: Element type of both tensors.
        flat: Whether it takes tensors of one axis; else of two.
    """

    model: Model
    sha256: str
    data: bytes
    element: ElementType
    flat: bool


def load_snippet(source: Any, parameters: Mapping[str, Any] | None = None) -> Snippet:
    """Load and check a small graph.

    Args:
        source: What :func:`load` takes, or a ``FunctionProto`` (taken for float32).
        parameters: Values of inputs that have defaults, in place of these; numbers or arrays.

    Raises:
        ModelError: It can't be read, exceeds a cap, or a parameter does not fit.
        UnsupportedModelError: It is not a graph from one tensor to another that is alike, uses
            operators of other domains, random ones, or control flow.
    """
    if isinstance(source, FunctionProto):
        source = _of_function(source)
    model = load(source, limits=_LIMITS)
    if parameters:
        changed = load(_with_parameters(model, parameters), limits=_LIMITS)
        model = replace(changed, source=model.source)
    if model.data_files:
        raise UnsupportedModelError(f"{model.source} keeps data in other files; store it inside")
    _check_nodes(model)
    taken = _check_ends(model)
    proto = model.editable()
    # Inputs with a default have it for good.
    kept = [value for value in proto.graph.input if value.name == taken.name]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    for tensor in proto.graph.initializer:  # the same numbers in the same form
        set_words(tensor, initializer_words(model, tensor.name))
    final = replace(load(proto), source=model.source)
    data = serialize(final).data
    assert taken.element is not None  # just checked
    return Snippet(
        model=final,
        sha256=hashlib.sha256(data).hexdigest(),
        data=data,
        element=taken.element,
        flat=taken.shape is not None and len(taken.shape) == 1,
    )


def raised_snippet(snippet: Snippet, opset: int) -> Model:
    """Its graph in an opset of at least its own.

    Raises:
        UnsupportedModelError: An operator has no form in that opset.
    """
    return raise_opset(snippet.model, opset)


def snippet_nodes(
    model: Model, reads: str, writes: str, prefix: str
) -> tuple[tuple[NodeSpec, ...], dict[str, NDArray[Any]]]:
    """Nodes and constants of a snippet's graph under names of their own.

    Args:
        model: The graph.
        reads: Name of the value that it gets.
        writes: Name of the value that it makes.
        prefix: Start of all other names.
    """
    (given,), (made,) = model.inputs, model.outputs
    names = {"": "", given.name: reads}
    direct = model.index.producer(made.name) is not None
    if direct:
        names[made.name] = writes

    def named(name: str) -> str:
        return names.get(name, f"{prefix}{name}")

    nodes = tuple(_spec(node, prefix, named) for node in model.proto.graph.node)
    if not direct:  # what it returns is not made by it
        source = named(made.name)
        name = f"{prefix}Identity"
        nodes += (NodeSpec(op_type="Identity", name=name, inputs=(source,), outputs=(writes,)),)
    constants = {
        named(name): from_words(initializer_words(model, name), entry.element, entry.shape)
        for name, entry in model.index.initializers.items()
        if entry.element is not None
    }
    return nodes, constants


def _spec(node: NodeProto, prefix: str, named: Callable[[str], str]) -> NodeSpec:
    return NodeSpec(
        op_type=node.op_type,
        name=f"{prefix}{node.name}",
        inputs=tuple(map(named, node.input)),
        outputs=tuple(map(named, node.output)),
        attributes={attribute.name: attribute for attribute in node.attribute},
        domain=node.domain,
    )


def _of_function(function: FunctionProto) -> ModelProto:
    """A model that calls a function on float32."""
    if len(function.input) != 1 or len(function.output) != 1:
        raise UnsupportedModelError(
            f"function {function.name!r} has {len(function.input)} inputs and"
            f" {len(function.output)} outputs, expected one of each; give a model instead, whose"
            " further inputs have defaults"
        )
    proto = ModelProto(ir_version=10)
    proto.functions.append(function)
    proto.opset_import.extend(function.opset_import)
    proto.opset_import.add(domain=function.domain, version=1)
    proto.graph.name = function.name
    proto.graph.node.add(
        op_type=function.name, domain=function.domain, input=["x"], output=["y"], name="call"
    )
    for values, name in ((proto.graph.input, "x"), (proto.graph.output, "y")):
        values.add(name=name).type.tensor_type.elem_type = element_to_onnx(ElementType.FLOAT)
    return proto


def _with_parameters(model: Model, parameters: Mapping[str, Any]) -> ModelProto:
    """The graph with other defaults.

    Raises:
        ModelError: It has no such parameter, or the value is of another shape or not in its type.
    """
    proto = model.editable()
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    inputs = {value.name for value in proto.graph.input}
    for name, value in parameters.items():
        if name not in stored or name not in inputs:
            known = ", ".join(sorted(inputs & stored.keys())) or "none"
            raise ModelError(f"{model.source} has no parameter {name!r}; it has: {known}")
        tensor = stored[name]
        entry = model.index.initializers[name]
        assert entry.element is not None
        dtype = from_words(initializer_words(model, name), entry.element, entry.shape).dtype
        try:
            values = np.asarray(value).astype(dtype)
        except (TypeError, ValueError):
            raise ModelError(f"parameter {name!r} is {value!r}, expected numbers") from None
        if values.shape != entry.shape and values.size == 1:
            values = np.broadcast_to(values.reshape(()), entry.shape).copy()
        if values.shape != entry.shape:
            raise ModelError(
                f"parameter {name!r} has shape {list(values.shape)}, expected {list(entry.shape)}"
            )
        set_words(tensor, to_words(values, element_of_dtype(values.dtype)))
    return proto


def _check_nodes(model: Model) -> None:
    for node in model.proto.graph.node:
        what = None
        if node.domain not in ("", "ai.onnx"):
            what = f"{node.op_type} of domain {node.domain!r}; only operators of ONNX itself are"
        elif any(True for _ in bodies(node)):
            what = f"{node.op_type}, which has graphs inside; control flow is not"
        # Their generators go on from run to run, a seed notwithstanding.
        elif is_a(node.op_type, "random"):
            what = (
                f"{node.op_type}, and onnxruntime gives other numbers in every run, whatever its"
                " seed; random operators are not"
            )
        if what is not None:
            raise UnsupportedModelError(f"{model.source} uses {what} allowed here")
    for name, entry in model.index.initializers.items():
        if entry.sparse or entry.element is None or not has_format(entry.element):
            raise UnsupportedModelError(f"{model.source} stores {name!r}, which is no plain tensor")


def _check_ends(model: Model) -> TensorSpec:
    """The one input, once it is clear that the one output is like it."""
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnsupportedModelError(
            f"{model.source} has {len(inputs)} inputs without a default and {len(outputs)}"
            " outputs, expected one of each"
        )
    (given,), (made,) = inputs, outputs
    if given.kind != "tensor" or given.element is None:
        raise UnsupportedModelError(f"input {given.name!r} of {model.source} has no element type")
    if made.kind != "tensor" or made.element not in (None, given.element):
        what = made.kind if made.element is None else made.element.name
        raise UnsupportedModelError(
            f"output {made.name!r} of {model.source} is {what}, expected {given.element.name} as"
            f" its input {given.name!r}"
        )
    rank = None if given.shape is None else len(given.shape)
    if rank not in _RANKS or any(isinstance(dim, int) for dim in given.shape or ()):
        raise UnsupportedModelError(
            f"input {given.name!r} of {model.source} is declared with shape"
            f" {list(given.shape or ())}; it gets [samples, elements] of any size, so declare both"
            " (or one, for all in a row) as open: float[n, k]"
        )
    return given


_ROWS, _ELEMENTS = 3, 7
_NEWER = 25


def run_snippet(snippet: Snippet, values: NDArray[Any]) -> NDArray[Any]:
    """What a snippet makes of ``[samples, elements]``.

    Raises:
        ModelError: It can't be evaluated.
    """
    given, made = snippet.model.inputs[0].name, snippet.model.outputs[0].name
    fed = values.reshape(-1) if snippet.flat else values
    try:
        found = _evaluated(snippet.model, {given: fed}, made)
    except Exception as error:  # the evaluator raises whatever it meets
        raise ModelError(
            f"{snippet.model.source} can't be evaluated on {list(fed.shape)}: {one_line(error)}"
        ) from None
    if found.shape != fed.shape or found.dtype != fed.dtype:
        raise ModelError(
            f"{snippet.model.source} makes {found.dtype} {list(found.shape)} of {fed.dtype}"
            f" {list(fed.shape)}, expected the same type and shape"
        )
    return found.reshape(values.shape)


def _evaluated(model: Model, feeds: dict[str, NDArray[Any]], made: str) -> NDArray[Any]:
    # Takes longer to load than all the rest of onnx.
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"):
        try:
            (found,) = ReferenceEvaluator(model.proto).run([made], feeds)
        except RuntimeError:
            # It has no old forms of some operators (DequantizeLinear before 19).
            if model.opset >= _NEWER:
                raise
            newer = raise_opset(model, _NEWER).proto
            (found,) = ReferenceEvaluator(newer).run([made], feeds)
    return np.asarray(found)


def check_rows(snippet: Snippet) -> None:
    """Try a snippet on random values.

    Raises:
        ModelError: It fails, or makes another shape or type.
        UnsupportedModelError: What it makes of a row depends on the others.
    """
    values = _trial(snippet.element)
    together = run_snippet(snippet, values)
    alone = [run_snippet(snippet, values[row : row + 1]) for row in range(_ROWS)]
    if together.tobytes() != np.concatenate(alone).tobytes():
        raise UnsupportedModelError(
            f"what {snippet.model.source} makes of a sample depends on the other samples of a run,"
            " so that results would depend on the batch size; work along the last axis only, of an"
            " input declared as float[n, k]"
        )


def _trial(element: ElementType) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    form = format_of(element)
    shape = (_ROWS, _ELEMENTS)
    if "exponent" in form.fields:
        return rng.normal(size=shape).astype(form.value)
    return rng.integers(0, 2 if element is ElementType.BOOL else 100, shape).astype(form.value)
