"""The sampling design of a campaign's scenarios, from where they come."""

from __future__ import annotations

import numpy as np

from onnxfi.analysis._design import Design, EqualDesign
from onnxfi.analysis._observed import ObservedDesign
from onnxfi.analysis._priority import PriorityDesign
from onnxfi.analysis._stratified import StratifiedDesign
from onnxfi.errors import ConfigError, FaultListError
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import SampledScenarios, ScenarioSource, StratifiedSampler, homes

PRIORITY = "priority"
TOP = "top"
STRATIFIED = "stratified"


def design_of(source: ScenarioSource, header: FaultListHeader, n: int) -> Design:
    """How the first ``n`` scenarios of a source were chosen.

    Inclusion probabilities are those of the prefix: they follow from the weights and keys that are
    stored with the scenarios, and the key of the one that comes next.

    Args:
        source: The scenarios.
        header: Header of their fault list.
        n: Scenarios seen.

    Raises:
        FaultListError: The list says that it is a priority or a stratified sample, but lacks what
            makes one.
    """
    if header.design == PRIORITY:
        return _priority(source, header, n)
    if header.design == TOP:
        return ObservedDesign()
    if isinstance(source, SampledScenarios) and isinstance(source.sampler, StratifiedSampler):
        allotted = source.sampler.allotted(source.space)
        sizes = np.array([stratum.size for stratum in allotted.strata], np.int64)
        return StratifiedDesign(codes=allotted.home[:n], sizes=sizes)
    if header.design == STRATIFIED:
        return _stratified(source, header, n)
    return EqualDesign(population=source.population)


def _stratified(source: ScenarioSource, header: FaultListHeader, n: int) -> StratifiedDesign:
    """Of scenarios that are written out: strata follow from their sizes and the recipe."""
    try:
        codes = homes(header.strata or {}, header.sampler or {})
    except (ConfigError, KeyError, TypeError, ValueError):
        codes = np.zeros(0, np.int64)
    if not len(codes) or len(codes) != len(source):
        raise FaultListError(
            "the fault list says that it is a stratified sample, but its strata and the sampler's"
            f" recipe don't make its {len(source)} scenarios; without that no rate can be"
            " estimated: draw it again with `onnxfi sample --sampler stratified`"
        )
    sizes = np.array(list((header.strata or {}).values()), np.int64)
    return StratifiedDesign(codes=codes[:n], sizes=sizes)


def _priority(source: ScenarioSource, header: FaultListHeader, n: int) -> PriorityDesign:
    drawn = [source.scenario(k) for k in range(min(n + 1, len(source)))]
    weights = [scenario.weight for scenario in drawn if scenario.weight is not None]
    keys = [scenario.key for scenario in drawn if scenario.key is not None]
    size = (header.space or {}).get("size")
    share = (header.sampler or {}).get("uniform_share")
    told = len(weights) == len(keys) == len(drawn) and header.next_key is not None
    meant = (header.sampler or {}).get("n")
    if meant not in (None, len(source)):
        raise FaultListError(
            f"the fault list says that it is a priority sample of {meant} scenarios, but has"
            f" {len(source)}: which ones are left out decides what the others stand for; run the"
            " whole list, or draw a shorter one with `onnxfi sample --sampler importance`"
        )
    if not (told and isinstance(size, int) and isinstance(share, float | int)):
        raise FaultListError(
            "the fault list says that it is a priority sample, but has not all of weight, key,"
            " next_key, space.size and sampler.uniform_share; without them no rate can be"
            " estimated: draw it again with `onnxfi sample --sampler importance`"
        )
    return PriorityDesign(
        weight=np.array(weights[:n]),
        key=np.array(keys[:n]),
        next_key=float(keys[n] if len(drawn) > n else header.next_key or 0.0),
        population=size,
        least=float(share) / size,
    )
