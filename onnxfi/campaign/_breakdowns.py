"""What results are broken down by: domains, some only when asked for, and graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxfi.analysis import (
    CHANNEL,
    Design,
    Facet,
    channel_facet,
    source_facets,
)
from onnxfi.campaign._blocks import site_keys
from onnxfi.campaign._experiment import Experiment
from onnxfi.errors import ConfigError
from onnxfi.outcome import GraphUse
from onnxfi.sampling import ScenarioSource

ON_DEMAND = (CHANNEL,)


def facets_of(
    experiment: Experiment, design: Design, by: Sequence[str], n: int
) -> tuple[Facet, ...]:
    """Facets of the first ``n`` scenarios.

    Args:
        experiment: Model, sites and scenarios.
        design: How the scenarios were chosen.
        by: Those that are asked for besides the ones that always are: ``channel``.
        n: Scenarios observed.

    Raises:
        ConfigError: There is no such facet.
    """
    unknown = sorted(set(by) - set(ON_DEMAND))
    if unknown:
        raise ConfigError(
            f"no rates by {unknown[0]!r} can be asked for; there is: {', '.join(ON_DEMAND)}"
        )
    source, sites = experiment.source, experiment.sites
    # Of a list of unknown design it is not known what it was drawn from, and how.
    space = experiment.space if design.each_once else None
    always = source_facets(source, sites, n, space)
    if CHANNEL not in by:
        return always
    from onnxfi.sensitivity import output_channels

    model = experiment.subject.model
    found = {name: output_channels(model, site) for name, site in sites.items()}
    known = {name: axis for name, axis in found.items() if axis is not None}
    return (*always, channel_facet(source, sites, known, n, space))


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
    keys = site_keys(source)
    counts = (
        GraphCount(
            use=use,
            scenarios=len(numbers),
            sites=None if keys is None else len(set(keys(numbers))),
        )
        for use, numbers in ran.items()
    )
    return tuple(sorted(counts, key=lambda count: -count.scenarios))
