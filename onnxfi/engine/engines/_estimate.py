"""What a scenario of a campaign costs in an engine, estimated from sizes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from onnxfi.bits import format_of, has_format
from onnxfi.engine.engines._kind import Scenarios
from onnxfi.engine.runtime import node_multiply_accumulates, run_seconds, session_seconds
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, downstream

_MOST_LIKELY = 64  # of the sites, those hit most often; each takes a pass over the graph
# What lifting stored tensors in the executable graph adds: random flips, batches of 64, one
# thread, CPU time, interleaved. Floats, all lifted at once but for matrix products: 1.05 and 1.06
# (ResNet-8 fp32, 1,000 and 64 images), 1.05 and 1.21 (LeNet-5); with flips in many tensors 1.05 and
# 1.09, 1.13 and 1.41. Integer kernels, which pack their weights: 1.10 and 1.15 (ResNet-8 int8
# QDQ), with flips in many tensors 1.59 and 1.68. Ports add about as much as lifted floats do.
_FLOATS_REPLAYED = 0.05
_ALL_FLOATS_REPLAYED = 0.1
_INTEGER_REPLAYED = 0.12
_ALL_INTEGERS_REPLAYED = 0.6


class Estimate:
    """Figures that the engines' estimates are made of, each computed once.

    Args:
        model: The model.
        samples: Samples in the workload; of sequences, steps of them all.
        sites: The sites that an engine is to reach.
        scenarios: What is known about the scenarios.
    """

    def __init__(
        self, model: Model, samples: int, sites: Sequence[FaultSite], scenarios: Scenarios
    ) -> None:
        self._model = model
        self._samples = samples
        self._sites = sites
        self.scenarios = scenarios

    @cached_property
    def run_s(self) -> float:
        """Seconds of a run over the whole workload."""
        return run_seconds(self._model, self._samples)

    @cached_property
    def session_s(self) -> float:
        """Seconds that it takes to start a session."""
        return session_seconds(self._model)

    @property
    def stored(self) -> bool:
        """Whether all sites are stored tensors."""
        return all(site.kind.stored for site in self._sites)

    @property
    def lifting(self) -> float:
        """What tensors that are inputs add to a run of the executable graph, as a share of it."""
        integers = any("exponent" not in format_of(site.element).fields for site in self._sites)
        if integers:
            return _INTEGER_REPLAYED if self.scenarios.single_site else _ALL_INTEGERS_REPLAYED
        return _FLOATS_REPLAYED if self.scenarios.single_site else _ALL_FLOATS_REPLAYED

    @property
    def behind(self) -> float:
        """Share of a whole run that lies behind a fault on average, 0..1."""
        return share_behind(self._model, self._sites) if self.scenarios.single_site else 1.0

    @property
    def touched(self) -> float:
        """Sites that are touched for the first time, a scenario."""
        count = self.scenarios.count
        return min(len(self._sites), count) / count if count and self.scenarios.single_site else 0.0

    def spread(self, sessions: int, runs: int) -> float:
        """Seconds of sessions and runs that are made once, a scenario."""
        count = self.scenarios.count
        return (sessions * self.session_s + runs * self.run_s) / count if count else 0.0


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
    weights = {site.name: stored_bits(site) for site in sites}
    heaviest = sorted(sites, key=lambda site: -weights[site.name])[:_MOST_LIKELY]
    costs = dict(_by_node(model))
    whole, chance = sum(costs.values()), sum(weights[site.name] for site in heaviest)
    if not whole:
        return 1.0
    behind = (
        weights[site.name] * sum(costs.get(name, 0) for name in downstream(model, site.name))
        for site in heaviest
    )
    return sum(behind) / (whole * chance)


def stored_bits(site: FaultSite) -> int:
    """Bits of a site, those of one sample where it is computed; at least 1."""
    width = format_of(site.element).width if has_format(site.element) else 8
    return 1 if site.layout is None else max(1, site.layout.elements * width)


def _by_node(model: Model) -> Iterator[tuple[str, int]]:
    """Multiply-accumulates by top-level node, control-flow bodies counted to their owner."""
    owner, total = "", 0
    for node in model.index.nodes:
        if not node.scope:
            yield owner, total
            owner, total = node.name, 0
        total += node_multiply_accumulates(model, node)
    yield owner, total
