"""Where faults hit, from sizes alone: what lies behind one on average, how many are baked."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from onnxfi.bits import format_of, has_format
from onnxfi.engine.runtime import node_multiply_accumulates
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, downstream

_LOOKED_AT = 64  # of the sites, those hit most often; each takes a pass over the graph


def share_behind(model: Model, sites: Sequence[FaultSite]) -> float:
    """Share of a whole run that lies behind a fault on average, 0..1.

    Faults hit sites by their share of the stored bits. Samples that are left out on the way are
    not counted on: how many depends on the data.

    Args:
        model: The model.
        sites: Sites of the campaign.
    """
    if not sites:
        return 1.0
    weights = {site.name: _bits(site) for site in sites}
    heaviest = sorted(sites, key=lambda site: -weights[site.name])[:_LOOKED_AT]
    costs = dict(_by_node(model))
    whole, chance = sum(costs.values()), sum(weights[site.name] for site in heaviest)
    if not whole:
        return 1.0
    behind = (
        weights[site.name] * sum(costs.get(name, 0) for name in downstream(model, site.name))
        for site in heaviest
    )
    return sum(behind) / (whole * chance)


def baked_share(sites: Sequence[FaultSite], baked: Container[str]) -> float:
    """Share of the faults that hit one of some sites, by the stored bits, 0..1."""
    weights = {site.name: _bits(site) for site in sites}
    total = sum(weights.values())
    return sum(bits for name, bits in weights.items() if name in baked) / total if total else 0.0


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
