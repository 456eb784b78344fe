"""Domains that rates are broken down by, some only when asked for."""

from __future__ import annotations

from collections.abc import Sequence

from onnxfi.analysis import (
    CHANNEL,
    Design,
    Facet,
    PriorityDesign,
    channel_facet,
    source_facets,
)
from onnxfi.campaign._experiment import Experiment
from onnxfi.errors import ConfigError
from onnxfi.sensitivity import output_channels

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
    space = experiment.space if isinstance(design, PriorityDesign) else None
    always = source_facets(source, sites, n, space)
    if CHANNEL not in by:
        return always
    model = experiment.subject.model
    found = {name: output_channels(model, site) for name, site in sites.items()}
    known = {name: axis for name, axis in found.items() if axis is not None}
    return (*always, channel_facet(source, sites, known, n, space))
