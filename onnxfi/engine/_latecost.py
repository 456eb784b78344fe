"""Static cost of starting late: what lies behind a fault on average, from sizes alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.engine._cost import node_multiply_accumulates, run_seconds, session_seconds
from onnxfi.engine._settings import DEFAULT_MEMORY_BYTES
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, Split, split

_LOOKED_AT = 64  # of the sites, those hit most often; splitting takes a pass over the graph each


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCost:
    """Seconds of a scenario that is started late.

    Attributes:
        run: Share of a whole run that lies behind the fault, by the chance of each site.
        start: Seconds for sessions, frontiers and golden runs, spread over the scenarios.
    """

    run: float
    start: float


def late_cost(
    model: Model, samples: int, sites: Sequence[FaultSite], count: int | None
) -> LateCost:
    """What late starts cost on average.

    Faults hit sites by their share of the stored bits. Each site that is hit starts its sessions
    and runs the workload once; again for every scenario whose frontier no longer fits the memory.

    Args:
        model: The model.
        samples: Samples in the workload.
        sites: Sites of the campaign.
        count: Scenarios; None for so many that starting costs nothing.
    """
    if not sites:
        return LateCost(run=1.0, start=0.0)
    weights = {site.name: _bits(site) for site in sites}
    heaviest = sorted(sites, key=lambda site: -weights[site.name])[:_LOOKED_AT]
    costs = dict(_by_node(model))
    whole, chance = sum(costs.values()), sum(weights[site.name] for site in heaviest)
    behind, held = 0.0, {}
    for site in heaviest:
        parts = split(model, site.name)
        share = sum(costs.get(name, 0) for name in parts.suffix) / whole if whole else 1.0
        behind += share * weights[site.name] / chance
        held[parts.frontier] = samples * _frontier_bytes(model, parts)
    kept = _kept(sum(held.values()) * len(sites) / len(heaviest))
    again = session_seconds(model) + run_seconds(model, samples)
    return LateCost(run=behind, start=again * max(started_share(sites, count), 1 - kept))


def started_share(sites: Sequence[FaultSite], count: int | None) -> float:
    """Share of the scenarios that are the first at their site, at most."""
    return min(len(sites), count) / count if count else 0.0


def _kept(nbytes: float) -> float:
    """Share of the frontiers that the memory holds."""
    return 1.0 if nbytes <= DEFAULT_MEMORY_BYTES else DEFAULT_MEMORY_BYTES / nbytes


def _by_node(model: Model) -> Iterator[tuple[str, int]]:
    """Multiply-accumulates by top-level node, control-flow bodies counted to their owner."""
    owner, total = "", 0
    for node in model.index.nodes:
        if not node.scope:
            yield owner, total
            owner, total = node.name, 0
        total += node_multiply_accumulates(model, node)
    yield owner, total


def _bits(site: FaultSite) -> int:
    width = format_of(site.element).width if has_format(site.element) else 8
    return 1 if site.layout is None else max(1, site.layout.elements * width)


def _frontier_bytes(model: Model, parts: Split) -> int:
    """Bytes of a frontier for one sample; open dimensions count as 1."""
    total = 0
    for value in parts.frontier:
        if model.index.producer(value) is None:
            continue  # graph inputs are in the workload already
        shape = model.index.shape_of(value) or ()
        element = model.index.element_of(value) or ElementType.FLOAT
        size = format_of(element).word.itemsize if has_format(element) else 1
        total += size * math.prod(dim for dim in shape if isinstance(dim, int) and dim > 0)
    return total
