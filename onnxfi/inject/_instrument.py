"""Instrumented models: fault ports on computed tensors, stored tensors lifted to inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.errors import FaultError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, insert, lift_initializers, raise_opset
from onnxfi.inject._able import can_open
from onnxfi.inject._gate import by_tensor, gated
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
    """

    model: Model
    ports: tuple[Port, ...]
    lifts: tuple[Lift, ...]
    sites: Mapping[str, FaultSite]


def instrument(
    model: Model, sites: Sequence[FaultSite], *, scatter: Scatter = "elements"
) -> Instrumented:
    """Open sites for faults: computed tensors get ports, stored ones become inputs.

    With no fault armed the model computes what the original does, up to kernels that the runtime
    chooses by the graph around them. The opset is raised where the primitive needs it.

    Args:
        model: The model; not changed.
        sites: Sites to open, each once.
        scatter: ``"elements"`` (in place on the CPU) or ``"nd"`` (in place on CUDA).

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
    edited = model
    if computed:
        edited = raise_opset(edited, max(opset_needed(site.element) for site in computed))
    if stored:
        edited = lift_initializers(edited, [site.name for site in stored])
    opened = [
        port_on(edited, steps[0].whole(), scatter, in_steps=gated(steps))
        for steps in by_tensor(computed).values()
    ]
    if opened:
        edited = insert(edited, [group for _, group in opened])
    return Instrumented(
        model=edited,
        ports=tuple(port for port, _ in opened),
        lifts=tuple(Lift(site=site, input_name=site.name) for site in stored),
        sites=MappingProxyType({site.name: site for site in sites}),
    )
