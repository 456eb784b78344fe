"""Inserting node groups on values: the producer writes ``clean``, consumers read ``faulty``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx.helper
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from onnxfi.bits import to_words
from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.graph._edits import Edits, Endpoints
from onnxfi.graph._elements import element_of_dtype, element_to_onnx
from onnxfi.graph._model import Model
from onnxfi.graph._rename import rename_reads
from onnxfi.graph._sort import sort_graph
from onnxfi.graph._spec import TensorSpec, value_info
from onnxfi.graph._tensors import set_words

Attribute = int | float | str | Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node to build.

    Attributes:
        op_type: Operator.
        name: Node name, unique in the model; start it with :func:`unique_prefix`.
        inputs: Value names, ``""`` for an omitted one.
        outputs: Likewise.
        attributes: Attributes by name.
        domain: Operator domain, ``""`` for ai.onnx.
    """

    op_type: str
    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes to put on one value, between the names that :func:`endpoints` gives.

    Attributes:
        value: The value.
        nodes: The nodes, sorted; together they read ``clean`` and write ``faulty``.
        constants: Initializers that they need, in numpy or ml_dtypes dtypes.
        inputs: Graph inputs that they need.
        value_info: Declarations of values that they make.
    """

    value: str
    nodes: tuple[NodeSpec, ...]
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()
    value_info: tuple[TensorSpec, ...] = ()


def unique_prefix(model: Model) -> str:
    """``onnxfi/``, or ``onnxfi2/`` and so on, such that no name in the model starts with it."""
    return model._prefix


def endpoints(model: Model, value: str) -> Endpoints:
    """Names to build a node group between.

    A value that a node makes keeps its name behind the group, so consumers and graph outputs stay
    as they are; a graph input keeps its name before the group, and its consumers are rewired.

    Raises:
        RewriteError: The model computes no such value, or computes it in a nested graph.
        UnsupportedModelError: A graph input that is returned unchanged as an output: one name
            can't be both.
    """
    prefix = model._prefix
    if value in {spec.name for spec in model.inputs}:
        if model.index.returned(value):
            raise UnsupportedModelError(
                f"graph input {value!r} is also a graph output, so nothing can come between"
            )
        return Endpoints(clean=value, faulty=f"{prefix}{value}/faulty")
    node = model.index.producer(value)
    if node is None:
        raise RewriteError(f"no node computes {value!r} and it is no graph input that must be fed")
    if node.scope:
        raise RewriteError(f"{value!r} is computed in the control-flow body {node.scope!r}")
    return Endpoints(clean=f"{prefix}{value}/clean", faulty=value)


def insert(model: Model, groups: Sequence[NodeGroup]) -> Model:
    """The model with node groups put on values; everything else stays.

    The nodes of a group come right behind the producer of its value, or first of all for a graph
    input. Nested graphs that capture a graph input are rewired too.

    Raises:
        RewriteError: A value can't take a group (see :func:`endpoints`), two groups are for one
            value, or a group uses names that exist, don't exist, or leaves ``faulty`` unmade.
        UnsupportedModelError: As :func:`endpoints`.
    """
    ends = {group.value: endpoints(model, group.value) for group in groups}
    if len(ends) < len(groups):
        raise RewriteError("two node groups are for one value; make them one group")
    _check_new_names(model, groups, ends)
    proto = model._copy()
    rename_reads(proto.graph, {e.clean: e.faulty for v, e in ends.items() if e.clean == v})
    _rename_outputs(proto.graph, {v: e.clean for v, e in ends.items() if e.faulty == v})
    _place_nodes(proto.graph, groups, ends)
    domains = _import_domains(proto, groups)
    for group in groups:
        proto.graph.initializer.extend(_tensor(n, a) for n, a in group.constants.items())
        proto.graph.input.extend(value_info(spec) for spec in group.inputs)
        proto.graph.value_info.extend(value_info(spec) for spec in group.value_info)
    try:
        sort_graph(proto.graph)
    except ModelError as error:
        raise RewriteError(f"a node group does not fit the model: {error}") from None
    edits = _recorded(model, groups, ends, domains)
    return model._edited(proto, edits, _typed(model, groups, ends))


def _check_new_names(
    model: Model, groups: Sequence[NodeGroup], ends: Mapping[str, Endpoints]
) -> None:
    taken = set(model._names)
    for group in groups:
        made = [name for node in group.nodes for name in node.outputs if name]
        faulty = ends[group.value].faulty
        if made.count(faulty) != 1:
            raise RewriteError(f"the node group on {group.value!r} must make {faulty!r} once")
        made.remove(faulty)
        made += [node.name for node in group.nodes]
        made += [*group.constants, *(spec.name for spec in group.inputs)]
        for name in made:
            if not name or name in taken:
                raise RewriteError(f"the node group on {group.value!r} reuses the name {name!r}")
        taken.update(made)


def _rename_outputs(graph: GraphProto, names: Mapping[str, str]) -> None:
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


def _place_nodes(
    graph: GraphProto, groups: Sequence[NodeGroup], ends: Mapping[str, Endpoints]
) -> None:
    behind: dict[str, list[NodeProto]] = {
        ends[group.value].clean: [_node(spec) for spec in group.nodes] for group in groups
    }
    order = [node for value in graph.input for node in behind.get(value.name, ())]
    for node in graph.node:
        order.append(node)
        order += [added for name in node.output for added in behind.get(name, ())]
    del graph.node[:]
    graph.node.extend(order)


def _node(spec: NodeSpec) -> NodeProto:
    node = NodeProto(
        op_type=spec.op_type,
        input=spec.inputs,
        output=spec.outputs,
        name=spec.name,
        domain=spec.domain,
    )
    for name, value in spec.attributes.items():
        node.attribute.append(onnx.helper.make_attribute(name, value))
    return node


def _tensor(name: str, values: NDArray[Any]) -> TensorProto:
    element = element_of_dtype(values.dtype)
    tensor = TensorProto(name=name, dims=values.shape, data_type=element_to_onnx(element))
    set_words(tensor, to_words(values, element))
    return tensor


def _import_domains(proto: ModelProto, groups: Sequence[NodeGroup]) -> frozenset[str]:
    known = {"" if entry.domain == "ai.onnx" else entry.domain for entry in proto.opset_import}
    used = {node.domain for group in groups for node in group.nodes}
    if "" in used - known:
        raise RewriteError("the model imports no version of ai.onnx; raise its opset first")
    for domain in sorted(used - known):
        proto.opset_import.add(domain=domain, version=1)
    return frozenset(used - known)


def _recorded(
    model: Model,
    groups: Sequence[NodeGroup],
    ends: Mapping[str, Endpoints],
    domains: frozenset[str],
) -> Edits:
    before = model._edits
    return replace(
        before,
        endpoints=(*before.endpoints, *ends.values()),
        nodes=before.nodes | {node.name for group in groups for node in group.nodes},
        constants=before.constants | {name for group in groups for name in group.constants},
        inputs=(*before.inputs, *(spec.name for group in groups for spec in group.inputs)),
        domains=before.domains | domains,
    )


def _typed(
    model: Model, groups: Sequence[NodeGroup], ends: Mapping[str, Endpoints]
) -> Mapping[tuple[str, str], TensorSpec]:
    types = {**model._types}
    for group in groups:
        known = types.get(("", group.value))
        for name in (ends[group.value].clean, ends[group.value].faulty):
            if known is not None:
                types["", name] = replace(known, name=name)
        for spec in (*group.inputs, *group.value_info):
            types["", spec.name] = spec
    return types
