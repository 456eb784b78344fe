"""The sampling designs by name, and the design of a campaign's scenarios."""

from __future__ import annotations

from onnxfi.analysis._design import Design
from onnxfi.faults import FaultListHeader
from onnxfi.plugins import Registry
from onnxfi.sampling import EQUAL, SAMPLERS, SampledScenarios, ScenarioSource

_PICKED = "top"

#: The designs: one line each, where its class is.
DESIGNS: Registry[Design] = Registry(
    "sampling design",
    {
        "equal": "onnxfi.analysis._equal:EqualDesign",
        "stratified": "onnxfi.analysis._stratified:StratifiedDesign",
        "priority": "onnxfi.analysis._priority:PriorityDesign",
        "top": "onnxfi.analysis._picked:PickedDesign",
    },
    group="onnxfi.designs",
)


def design_of(source: ScenarioSource, header: FaultListHeader, n: int) -> Design:
    """How the first ``n`` scenarios of a source were chosen.

    Args:
        source: The scenarios.
        header: Header of their fault list.
        n: Scenarios seen.

    Raises:
        ConfigError: The header names a design that is not known here.
        FaultListError: The list lacks what a sample of its design has.
    """
    return _class(header, source).of(source, header, n)


def is_picked(header: FaultListHeader, source: ScenarioSource) -> bool:
    """Whether scenarios were picked to find failures, so that no rate follows from them.

    Raises:
        ConfigError: The header names a design that is not known here.
    """
    return _class(header, source).picked


def _class(header: FaultListHeader, source: ScenarioSource) -> type[Design]:
    return DESIGNS.get(_name(header, source), where="the header of the fault list")


def _name(header: FaultListHeader, source: ScenarioSource) -> str:
    if header.design is not None:
        return header.design
    if isinstance(source, SampledScenarios):
        return source.sampler.design
    if header.sampler is None:  # written by hand: its scenarios are what is asked about
        return EQUAL
    kind = header.sampler.get("kind")
    # Of a sampler that is not known nobody can say how likely its scenarios were.
    return str(SAMPLERS.get(kind).design) if kind in SAMPLERS else _PICKED
