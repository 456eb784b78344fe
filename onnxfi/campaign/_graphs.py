"""Graphs that injections ran in: how many scenarios and sites each served, and why."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from onnxfi.campaign._order import homes_of
from onnxfi.outcome import GraphUse, InjectionRecord
from onnxfi.sampling import ScenarioSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCount:
    """What ran in a graph.

    Attributes:
        use: The graph, and why that one.
        scenarios: Stored injections that ran in it.
        sites: Sites, or sets of sites, that these touch; None where scenarios touch most sites.
    """

    use: GraphUse
    scenarios: int
    sites: int | None


def graph_counts(
    ran: Mapping[GraphUse, Sequence[int]], source: ScenarioSource
) -> tuple[GraphCount, ...]:
    """The graphs of a campaign, the busiest first.

    Args:
        ran: Scenarios by the graph that they ran in.
        source: The scenarios.
    """
    homes = homes_of(source)
    counts = (
        GraphCount(
            use=use,
            scenarios=len(numbers),
            sites=None if homes is None else len(set(homes(numbers))),
        )
        for use, numbers in ran.items()
    )
    return tuple(sorted(counts, key=lambda count: -count.scenarios))


class GraphTalk:
    """Tells of each graph once, when the first injection that ran in it comes in."""

    def __init__(self) -> None:
        self._told: set[GraphUse] = set()

    def hear(self, records: Iterable[InjectionRecord]) -> None:
        """Take note of injections."""
        for record in records:
            use = record.graph
            if use is None or use in self._told:
                continue
            self._told.add(use)
            other = ""
            if use.differing:
                other = f"; without faults it answers {use.differing} of {use.compared} otherwise"
            _log.info("scenario %d: graph %s: %s%s", record.scenario, use.graph, use.reason, other)
