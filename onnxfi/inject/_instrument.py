"""Instrumented models: fault ports on computed tensors, stored tensors lifted to inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.errors import FaultError
from onnxfi.faults import FaultGraph, FaultSite
from onnxfi.graph import Model, insert, lift_initializers, raise_opset
from onnxfi.inject._able import can_open
from onnxfi.inject._gate import by_tensor, gated, refuse_gated_graphs
from onnxfi.inject._graph import GraphPort, graph_opset, graph_port
from onnxfi.inject._port import Port, Scatter, port_on
from onnxfi.inject._primitive import opset_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """A stored tensor that is fed as an input.

    Attributes:
        site: The tensor.
        input_name: Name of the input, of the tensor's type and shape.
    """

    site: FaultSite
    input_name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instrumented:
    """A model with extra inputs through which faults enter.

    Attributes:
        model: The model.
        ports: Ports on computed tensors, in the order of the sites.
        lifts: Stored tensors fed as inputs, in the order of the sites.
        sites: The sites that were opened, by name; the steps of one tensor share a port.
        graph_ports: Ports of fault graphs on computed tensors.
    """

    model: Model
    ports: tuple[Port, ...]
    lifts: tuple[Lift, ...]
    sites: Mapping[str, FaultSite]
    graph_ports: tuple[GraphPort, ...] = ()


def instrument(
    model: Model,
    sites: Sequence[FaultSite],
    *,
    scatter: Scatter = "elements",
    graphs: Mapping[str, FaultGraph] | None = None,
) -> Instrumented:
    """Open sites for faults: computed tensors get ports, stored ones become inputs.

    With no fault armed the model computes what the original does, up to kernels that the runtime
    chooses by the graph around them. The opset is raised where the primitive needs it.

    Args:
        model: The model; not changed.
        sites: Sites to open, each once.
        scatter: ``"elements"`` (in place on the CPU) or ``"nd"`` (in place on CUDA).
        graphs: Fault graphs by site: these get a port of the graph, in place of one of masks.

    Raises:
        FaultError: A site can't be opened; the message says why.
        UnsupportedModelError: The opset can't be raised.
    """
    for site in sites:
        reason = can_open(site)
        if reason is not None:
            raise FaultError(f"site {site.name!r} can't be opened for faults: {reason}")
    stored = [site for site in sites if site.kind.stored]
    computed = [site for site in sites if not site.kind.stored]
    chosen = graphs or {}
    edited = model
    if computed:
        needed = (
            graph_opset(chosen[site.name]) if site.name in chosen else opset_needed(site.element)
            for site in computed
        )
        edited = raise_opset(edited, max(needed))
    if stored:
        edited = lift_initializers(edited, [site.name for site in stored])
    refuse_gated_graphs([site for site in computed if site.name in chosen])
    plain = [site for site in computed if site.name not in chosen]
    opened = [
        port_on(edited, steps[0].whole(), scatter, in_steps=gated(steps))
        for steps in by_tensor(plain).values()
    ]
    put = [graph_port(edited, s, chosen[s.name]) for s in computed if s.name in chosen]
    if opened or put:
        groups = [group for _, group in opened] + [group for _, group in put]
        edited = insert(edited, groups)
    return Instrumented(
        model=edited,
        ports=tuple(port for port, _ in opened),
        graph_ports=tuple(port for port, _ in put),
        lifts=tuple(Lift(site=site, input_name=site.name) for site in stored),
        sites=MappingProxyType({site.name: site for site in sites}),
    )
