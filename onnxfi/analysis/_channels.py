"""The facet of channels: which output channel of which tensor scenarios are in."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._facets import Facet
from onnxfi.faults import FaultSite, FaultSpace, Scenario, element_variants, site_bits
from onnxfi.sampling import SampledScenarios, ScenarioSource

CHANNEL = "channel"


class Channels(Protocol):
    """How the elements of a tensor fall into channels, all of one size."""

    @property
    def size(self) -> int:
        """How many channels there are."""
        ...

    def of(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """The channel of each element, by flat index."""
        ...


def channel_facet(
    source: ScenarioSource,
    sites: Mapping[str, FaultSite],
    channels: Mapping[str, Channels],
    n: int,
    space: FaultSpace | None = None,
) -> Facet:
    """The channels that the first ``n`` scenarios of a source are in, as ``SITE:CHANNEL``.

    Args:
        source: Where the scenarios come from.
        sites: Sites by name, in model order.
        channels: The channels of those sites that have any, by name.
        n: Scenarios observed.
        space: What scenarios that are written out were drawn from, each once; None if not known.
    """
    if isinstance(source, SampledScenarios) and source.population is not None:
        space = source.space
    divided = {name: site for name, site in sites.items() if name in channels}
    first: dict[str, int] = {}
    keys: list[str] = []
    for name in divided:
        first[name] = len(keys)
        keys += [f"{name}:{channel}" for channel in range(channels[name].size)]
    codes = [_code(scenario, channels, first) for scenario in source.scenarios(range(n))]
    each = {name: site_bits(site) // channels[name].size for name, site in divided.items()}
    return Facet(
        name=CHANNEL,
        keys=tuple(keys),
        codes=np.array(codes, np.int64),
        bits=_spread(each, channels),
        faults=None if space is None else _faults(space, channels, divided),
        reason="only scenarios with faults in one channel, of a tensor whose channels are known,"
        " count here",
    )


def _code(scenario: Scenario, channels: Mapping[str, Channels], first: Mapping[str, int]) -> int:
    """The one channel that all faults of a scenario are in, -1 if there is none."""
    groups = [group for group in scenario.groups if len(group)]
    if len(groups) != 1 or groups[0].graph is not None or groups[0].site not in first:
        return -1
    found = np.unique(channels[groups[0].site].of(groups[0].index))
    return first[groups[0].site] + int(found[0]) if len(found) == 1 else -1


def _faults(
    space: FaultSpace, channels: Mapping[str, Channels], divided: Mapping[str, FaultSite]
) -> tuple[int, ...] | None:
    """Faults of each channel; None if not known."""
    whole = _site_faults(space)
    if whole is None or not divided.keys() <= whole.keys():
        return None
    each = {name: whole[name] // channels[name].size for name in divided}
    return _spread(each, channels)


def _site_faults(space: FaultSpace) -> dict[str, int] | None:
    """Faults of each site; None where they may be in several elements, and so in no channel."""
    found: dict[str, int] = {}
    starts = [*(segment.start for segment in space.segments), space.size]
    for segment, (start, stop) in zip(space.segments, itertools.pairwise(starts), strict=True):
        seen = element_variants(space, start, stop)
        if seen is None:
            return None
        name = space.sites[segment.site].name
        found[name] = found.get(name, 0) + stop - start
    return found


def _spread(each: Mapping[str, int], channels: Mapping[str, Channels]) -> tuple[int, ...]:
    """A number of each site for all of its channels."""
    return tuple(number for name, number in each.items() for _ in range(channels[name].size))
