"""Inserting node groups on values: the producer writes ``clean``, consumers read ``faulty``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import onnx.helper
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from onnxfi.bits import to_words
from onnxfi.errors import ModelError, RewriteError, UnsupportedModelError
from onnxfi.graph.edit._counters import add_counters, with_counters
from onnxfi.graph.index import Edits, Endpoints, Model, ScanCounter, graphs_of
from onnxfi.graph.proto import (
    TensorSpec,
    element_of_dtype,
    element_to_onnx,
    join,
    rename_outputs,
    rename_reads,
    set_words,
    sort_graph,
    value_info,
)

Attribute = int | float | str | Sequence[int] | AttributeProto


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
        value: The value; in a nested graph by its qualified name, and the nodes go there.
        nodes: The nodes, sorted; together they read ``clean`` and write ``faulty``.
        constants: Initializers that they need, in numpy or ml_dtypes dtypes; at the top level,
            where nested graphs see them, too.
        inputs: Graph inputs that they need, likewise.
        value_info: Declarations of values that they make.
        counters: Counters of Scans that they need, from :func:`iteration_of`.
    """

    value: str
    nodes: tuple[NodeSpec, ...]
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()
    value_info: tuple[TensorSpec, ...] = ()
    counters: tuple[ScanCounter, ...] = ()


def unique_prefix(model: Model) -> str:
    """``onnxfi/``, or ``onnxfi2/`` and so on, such that no name in the model starts with it."""
    return model.free_prefix


def endpoints(model: Model, value: str) -> Endpoints:
    """Names to build a node group between.

    A value that a node makes keeps its name behind the group, so consumers and graph outputs stay
    as they are; a graph input keeps its name before the group, and its consumers are rewired. The
    same holds in nested graphs, with the names there.

    Raises:
        RewriteError: The model computes no such value.
        UnsupportedModelError: A graph input that is returned unchanged as an output: one name
            can't be both.
    """
    prefix, index = model.free_prefix, model.index
    home = index.home(value)
    if home is not None and index.producer(value) is not None:
        clean = f"{prefix}{value}/clean"
        return Endpoints(clean=clean, faulty=home.local, scope=home.scope)
    fed = {spec.name for spec in model.inputs}
    body = None if home is None else index.bodies.get(home.scope)
    if home is None or value not in (fed if body is None else body.inputs):
        raise RewriteError(f"no node computes {value!r} and it is no graph input that must be fed")
    if index.returned(value):
        raise UnsupportedModelError(
            f"graph input {value!r} is also a graph output, so nothing can come between"
        )
    return Endpoints(clean=home.local, faulty=f"{prefix}{value}/faulty", scope=home.scope)


def insert(model: Model, groups: Sequence[NodeGroup]) -> Model:
    """The model with node groups put on values; everything else stays.

    The nodes of a group come right behind the producer of its value, or first of all for a graph
    input. Nested graphs that capture a graph input are rewired too. Scans get the counters that
    groups need, once each.

    Raises:
        RewriteError: A value can't take a group (see :func:`endpoints`), two groups are for one
            value, or a group uses names that exist, don't exist, or leaves ``faulty`` unmade.
        UnsupportedModelError: As :func:`endpoints`.
    """
    ends = {group.value: endpoints(model, group.value) for group in groups}
    if len(ends) < len(groups):
        raise RewriteError("two node groups are for one value; make them one group")
    _check_new_names(model, groups, ends)
    known = {counter.scope for counter in model.edits.counters}
    wanted = dict.fromkeys(counter for group in groups for counter in group.counters)
    counters = tuple(counter for counter in wanted if counter.scope not in known)
    proto = model.editable()
    add_counters(proto.graph, counters)
    by_scope: dict[str, list[NodeGroup]] = {}
    for group in groups:
        by_scope.setdefault(ends[group.value].scope, []).append(group)
    graphs = graphs_of(proto, by_scope)
    fed = {group.value for group in groups if model.index.producer(group.value) is None}
    # Inner graphs first: giving a graph new nodes copies them, bodies included.
    for path in reversed(graphs):
        if path in by_scope:
            _put(graphs[path], by_scope[path], ends, fed)
    domains = _import_domains(proto, groups)
    for group in groups:
        proto.graph.initializer.extend(_tensor(n, a) for n, a in group.constants.items())
        proto.graph.input.extend(value_info(spec) for spec in group.inputs)
    try:
        sort_graph(proto.graph)
    except ModelError as error:
        raise RewriteError(f"a node group does not fit the model: {error}") from None
    edits = _recorded(model, groups, ends, domains)
    edits = with_counters(edits, counters)
    return model.edited(proto, edits, _typed(model, groups, ends))


def _put(
    graph: GraphProto,
    groups: Sequence[NodeGroup],
    ends: Mapping[str, Endpoints],
    fed: AbstractSet[str],
) -> None:
    """Put groups into the graph that their values are in; ``fed`` are those that no node makes."""
    mine = {group.value: ends[group.value] for group in groups}
    rename_reads(graph, {each.clean: each.faulty for v, each in mine.items() if v in fed})
    rename_outputs(graph, {each.faulty: each.clean for v, each in mine.items() if v not in fed})
    _place_nodes(graph, groups, ends)
    for group in groups:
        graph.value_info.extend(value_info(spec) for spec in group.value_info)


def _check_new_names(
    model: Model, groups: Sequence[NodeGroup], ends: Mapping[str, Endpoints]
) -> None:
    taken = set(model.names)
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
        ready = isinstance(value, AttributeProto)
        node.attribute.append(value if ready else onnx.helper.make_attribute(name, value))
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
    before = model.edits
    return replace(
        before,
        endpoints=(*before.endpoints, *ends.values()),
        nodes=before.nodes
        | {join(ends[group.value].scope, node.name) for group in groups for node in group.nodes},
        constants=before.constants | {name for group in groups for name in group.constants},
        inputs=(*before.inputs, *(spec.name for group in groups for spec in group.inputs)),
        domains=before.domains | domains,
    )


def _typed(
    model: Model, groups: Sequence[NodeGroup], ends: Mapping[str, Endpoints]
) -> Mapping[tuple[str, str], TensorSpec]:
    types = {**model.types}
    for group in groups:
        mine = ends[group.value]
        known = types.get((mine.scope, mine.clean)) or types.get((mine.scope, mine.faulty))
        for name in (mine.clean, mine.faulty):
            if known is not None:
                types[mine.scope, name] = replace(known, name=name)
        for spec in group.inputs:
            types["", spec.name] = spec
        for spec in group.value_info:
            types[mine.scope, spec.name] = spec
    return types
