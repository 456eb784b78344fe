"""Graph faults as nodes: a snippet on the chosen elements of every sample of a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.errors import UnsupportedModelError
from onnxfi.faults import FaultGraph, FaultGroup, FaultSite, check_graph, snippet_of
from onnxfi.graph import (
    Model,
    NodeGroup,
    NodeSpec,
    TensorSpec,
    endpoints,
    raised_snippet,
    snippet_nodes,
    unique_prefix,
)
from onnxfi.inject._columns import whole_columns
from onnxfi.inject._primitive import node
from onnxfi.inject._view import sample_view

_FIRST_OPSET = 14  # of Reshape's allowzero


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPort:
    """The graph inputs through which a fault graph is armed.

    Attributes:
        site: The tensor.
        graph: The graph.
        armed_input: Name of the input int64 (): 1 for faulty elements, 0 for clean ones.
        index_input: Name of the input int64 (k,): flat indices within one sample; None where the
            graph acts on the whole tensor.
    """

    site: FaultSite
    graph: FaultGraph
    armed_input: str
    index_input: str | None


def graph_opset(graph: FaultGraph) -> int:
    """First opset of a model that a fault graph can be put into."""
    return max(_FIRST_OPSET, snippet_of(graph).model.opset)


def graph_port(model: Model, site: FaultSite, graph: FaultGraph) -> tuple[GraphPort, NodeGroup]:
    """The port of a fault graph, and the node group that carries it out.

    Args:
        model: The model that the group will be inserted into, at its final opset.
        site: A site on a computed tensor or a graph input.
        graph: The fault.

    Raises:
        UnsupportedModelError: The graph can't be put into a model of that opset.
    """
    prefix = _prefix(model, site)
    index = None if graph.whole else f"{prefix}index"
    port = GraphPort(site=site, graph=graph, armed_input=f"{prefix}armed", index_input=index)
    inputs = [TensorSpec(name=port.armed_input, element=ElementType.INT64, shape=())]
    if index is not None:
        shape = (f"{prefix}faults",)
        inputs.append(TensorSpec(name=index, element=ElementType.INT64, shape=shape))
    nodes, constants = _nodes(model, site, graph, armed=port.armed_input)
    return port, NodeGroup(
        value=site.name, nodes=nodes, constants=constants, inputs=tuple(inputs), value_info=()
    )


def baked_graph(model: Model, group: FaultGroup, site: FaultSite) -> NodeGroup:
    """The node group of a fault graph with its elements as constants; as :func:`graph_port`."""
    assert group.graph is not None
    check_graph(group, site)
    prefix, columns = _prefix(model, site), whole_columns(group, site)
    armed = None if group.graph.armed else f"{prefix}armed"
    nodes, constants = _nodes(model, site, group.graph, armed=armed)
    if armed is not None:
        constants[armed] = np.array(0, np.int64)
    if not group.graph.whole:
        constants[f"{prefix}index"] = columns.index
    return NodeGroup(value=site.name, nodes=nodes, constants=constants, inputs=(), value_info=())


def _prefix(model: Model, site: FaultSite) -> str:
    return f"{unique_prefix(model)}{site.name}/"


def _nodes(
    model: Model, site: FaultSite, graph: FaultGraph, *, armed: str | None
) -> tuple[tuple[NodeSpec, ...], dict[str, NDArray[Any]]]:
    """Nodes that read the elements, put the snippet on them, and put them back.

    Where ``armed`` names a value, it chooses between what the snippet makes (1) and what it was
    given (0), bit for bit.
    """
    prefix = _prefix(model, site)
    view, undo, shapes = sample_view(site, prefix, endpoints(model, site.name))
    rows, scattered = f"{prefix}rows", f"{prefix}scattered"
    constants: dict[str, NDArray[Any]] = {
        name: np.array(dims, np.int64) for name, dims in shapes.items()
    }
    picked = rows if graph.whole else f"{prefix}gathered"
    result = scattered if graph.whole else f"{prefix}values"
    nodes = list(view)
    if not graph.whole:
        index = f"{prefix}index"
        nodes.append(node("Gather", prefix, [rows, index], picked, {"axis": 1}))
    made = result if armed is None else f"{prefix}made"
    inner, stored = _snippet(model, graph, (picked, made), prefix)
    nodes += inner
    constants |= stored
    if armed is not None:
        chosen, more = _chosen((picked, made, armed, result), prefix)
        nodes += chosen
        constants |= more
    if not graph.whole:
        nodes += _put_back((rows, f"{prefix}index", picked, result, scattered), prefix)
    return (*nodes, *undo), constants


def _snippet(
    model: Model, graph: FaultGraph, ends: tuple[str, str], prefix: str
) -> tuple[list[NodeSpec], dict[str, NDArray[Any]]]:
    """The snippet between two values of two axes."""
    snippet = snippet_of(graph)
    if model.opset < graph_opset(graph):
        raise UnsupportedModelError(
            f"the fault graph needs opset {graph_opset(graph)}, the model has {model.opset}"
        )
    raised = raised_snippet(snippet, model.opset)
    inside = f"{prefix}graph/"
    reads, writes = ends
    if not snippet.flat:
        inner, constants = snippet_nodes(raised, reads, writes, inside)
        return list(inner), constants
    row, out, shape, one = (f"{prefix}{name}" for name in ("row", "out", "table", "one_axis"))
    inner, constants = snippet_nodes(raised, row, out, inside)
    return [
        node("Shape", prefix, [reads], shape),
        node("Reshape", prefix, [reads, one], row),
        *inner,
        node("Reshape", prefix, [out, shape], writes),
    ], {**constants, one: np.array([-1], np.int64)}


def _chosen(
    names: tuple[str, str, str, str], prefix: str
) -> tuple[list[NodeSpec], dict[str, NDArray[Any]]]:
    """One of two alike values, by number; there is no Where for all types."""
    clean, faulty, armed, result = names
    first, second, both, axis = (
        f"{prefix}{name}" for name in ("clean_one", "faulty_one", "both", "new_axis")
    )
    return [
        node("Unsqueeze", prefix, [clean, axis], first),
        node("Unsqueeze", prefix, [faulty, axis], second),
        node("Concat", prefix, [first, second], both, {"axis": 0}),
        node("Gather", prefix, [both, armed], result, {"axis": 0}),
    ], {axis: np.array([0], np.int64)}


def _put_back(names: tuple[str, str, str, str, str], prefix: str) -> list[NodeSpec]:
    rows, index, picked, values, scattered = names
    each, spread = f"{prefix}each", f"{prefix}spread"
    return [
        node("Shape", prefix, [picked], each),
        node("Expand", prefix, [index, each], spread),
        node("ScatterElements", prefix, [rows, spread, values], scattered, {"axis": 1}),
    ]
