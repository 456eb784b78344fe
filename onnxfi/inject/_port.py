"""A fault port: the node group on a computed tensor, with index and masks as graph inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnxfi.bits import ElementType
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, NodeGroup, NodeSpec, TensorSpec, endpoints, unique_prefix
from onnxfi.inject._gate import gate
from onnxfi.inject._primitive import Chain, mask_element, node, primitive

Scatter = Literal["elements", "nd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """The graph inputs through which faults enter a computed tensor.

    Attributes:
        site: The tensor.
        index_input: Name of the input int64 (k,): flat indices into the run-time tensor.
        and_input: Name of the input (k,) of bits kept.
        xor_input: Name of the input (k,) of bits flipped afterwards.
        mask_element: Element type of both masks.
        step_input: Name of the input int64 (k,) that says in which iteration of the loop around
            the tensor each fault is there, -1 for all; None where faults are always there.
    """

    site: FaultSite
    index_input: str
    and_input: str
    xor_input: str
    mask_element: ElementType
    step_input: str | None = None


def port_on(
    model: Model, site: FaultSite, scatter: Scatter, *, in_steps: bool = False
) -> tuple[Port, NodeGroup]:
    """The port of a site and the node group that carries it out.

    The tensor is flattened, the k elements are gathered, masked and scattered back. The kernels
    overwrite the tensor in place, at a cost of O(k), only if three things hold (measured on
    onnxruntime 1.31): the scatter is ScatterElements on the CPU and ScatterND on CUDA; the
    flattened and the scattered tensor provably have one shape, hence the made-up dimension name
    on both; and no node reads the tensor after the scatter, hence the flattening depends on the
    same Shape node that the last Reshape needs.

    In a control-flow body the inputs are captured from the top level, and the nodes run whenever
    the body does.

    Args:
        model: The model that the group will be inserted into, at its final opset.
        site: A site on a computed tensor or a graph input.
        scatter: ``"elements"`` or ``"nd"``.
        in_steps: Let faults be bound to single iterations of the loop around the tensor.
    """
    prefix = f"{unique_prefix(model)}{site.name}/"
    ends = endpoints(model, site.name)
    port = Port(
        site=site,
        index_input=f"{prefix}index",
        and_input=f"{prefix}and",
        xor_input=f"{prefix}xor",
        mask_element=mask_element(site.element),
        step_input=f"{prefix}step" if in_steps else None,
    )
    fed = (port.index_input, port.and_input, port.xor_input)
    now = gate(model, site.name, prefix, fed, port.step_input)
    index, and_mask, xor_mask = now.columns
    shape, count, flat = f"{prefix}shape", f"{prefix}count", f"{prefix}flat"
    gathered, scattered = f"{prefix}gathered", f"{prefix}scattered"
    chain = Chain(elements=gathered, and_mask=and_mask, xor_mask=xor_mask)
    masking, values = primitive(chain, site.element, prefix)
    whole = {"allowzero": 1}
    nodes = [
        node("Shape", prefix, [ends.clean], shape),
        node("ReduceProd", prefix, [shape], count, {"keepdims": 1}),
        node("Reshape", prefix, [ends.clean, count], flat, whole),
        *now.nodes,
        node("Gather", prefix, [flat, index], gathered, {"axis": 0}),
        *masking,
        *_scatter(scatter, prefix, (flat, index, values), scattered),
        node("Reshape", prefix, [scattered, shape], ends.faulty, whole),
    ]
    group = NodeGroup(
        value=site.name,
        nodes=tuple(nodes),
        constants={
            **now.constants,
            **({f"{prefix}last": np.array([1], np.int64)} if scatter == "nd" else {}),
        },
        inputs=_inputs(port, f"{prefix}faults"),
        value_info=tuple(
            TensorSpec(name=name, element=site.element, shape=(f"{prefix}elements",))
            for name in (flat, scattered)
        ),
        counters=now.counters,
    )
    return port, group


def _inputs(port: Port, length: str) -> tuple[TensorSpec, ...]:
    columns = [
        (port.index_input, ElementType.INT64),
        (port.and_input, port.mask_element),
        (port.xor_input, port.mask_element),
    ]
    if port.step_input is not None:
        columns.append((port.step_input, ElementType.INT64))
    return tuple(
        TensorSpec(name=name, element=element, shape=(length,)) for name, element in columns
    )


def _scatter(
    flavour: Scatter, prefix: str, reads: tuple[str, str, str], scattered: str
) -> list[NodeSpec]:
    flat, index, values = reads
    if flavour == "elements":
        return [
            node("ScatterElements", prefix, [flat, index, values], scattered, {"axis": 0}),
        ]
    column = f"{prefix}column"
    return [
        node("Unsqueeze", prefix, [index, f"{prefix}last"], column),
        node("ScatterND", prefix, [flat, column, values], scattered),
    ]
