"""Facets of scenarios from their source: by fault numbers, and by output channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._facets import (
    Facet,
    absent_facets,
    facet_names,
    listed_facets,
    observed_only,
    reason_of,
    stored_bits,
)
from onnxfi.faults import (
    FaultSite,
    FaultSpace,
    Located,
    Scenario,
    bit_key,
    element_variants,
    site_bits,
    site_keys,
)
from onnxfi.sampling import ListedScenarios, SampledScenarios, ScenarioSource

CHANNEL = "channel"


def source_facets(
    source: ScenarioSource,
    sites: Mapping[str, FaultSite],
    n: int,
    space: FaultSpace | None = None,
) -> tuple[Facet, ...]:
    """Facets of the first ``n`` scenarios of a source.

    Args:
        source: Where the scenarios come from.
        sites: Sites by name, for scenarios that are written out.
        n: Scenarios observed.
        space: What scenarios that are written out were drawn from, each once; None if not known.
    """
    if isinstance(source, SampledScenarios):
        numbers = source.fault_numbers(0, n)
        if numbers is not None:
            return space_facets(source.space, numbers, finite=source.population is not None)
        kind = source.sampler.name
        return absent_facets(n, f"a scenario of this {kind} sampler holds several faults")
    if isinstance(source, ListedScenarios):
        found = listed_facets((source.scenario(k) for k in range(n)), sites)
        return found if space is None else tuple(_with_sizes(found, space))
    return absent_facets(n, "the scenarios come from a source that doesn't say what they hit")


def _with_sizes(facets: Iterable[Facet], space: FaultSpace) -> Iterator[Facet]:
    """Facets that know how many faults there are in each domain."""
    counted = _Counted.of(space)
    for facet in facets:
        faults = counted.by_facet(facet.name)
        if faults is None or not faults.keys() >= set(facet.keys):
            yield facet
        else:
            yield replace(facet, faults=tuple(faults[key] for key in facet.keys))


def space_facets(
    space: FaultSpace, numbers: NDArray[np.int64], *, finite: bool
) -> tuple[Facet, ...]:
    """Facets of single-fault scenarios.

    Args:
        space: What can be hit.
        numbers: int64 (n,), fault numbers in the order of the observations.
        finite: Whether they were drawn without replacement.
    """
    found = space.where(numbers)
    counted = _Counted.of(space)
    facets = []
    for name in facet_names(space.sites):
        bits, faults = stored_bits(name, space.sites), counted.by_facet(name)
        # Only domains that a fault can be in: a chosen bit leaves the other bits out.
        keys = [key for key in bits if faults is None or key in faults]
        place = {key: position for position, key in enumerate(keys)}
        facet = Facet(
            name=name,
            keys=tuple(keys),
            codes=_codes(name, space, found, place),
            bits=tuple(bits[key] for key in keys),
            faults=tuple(faults[key] for key in keys) if finite and faults else None,
            reason=reason_of(name),
        )
        facets.append(observed_only(facet) if faults is None else facet)
    return tuple(facets)


def _codes(
    name: str, space: FaultSpace, found: Located, place: Mapping[str, int]
) -> NDArray[np.int64]:
    if name == "bit":
        return _bit_codes(space, found.site, found.bit, place)
    if name == "field":
        return _text_codes(found.field, place)
    home = [place.get(site_keys(site)[name], -1) for site in space.sites]
    return np.array(home, np.int64)[found.site]


def _bit_codes(
    space: FaultSpace,
    site: NDArray[np.int64],
    bit: NDArray[np.int64],
    place: Mapping[str, int],
) -> NDArray[np.int64]:
    elements = [one.element for one in space.sites]
    table = np.full((len(space.sites), 65), -1, np.int64)  # the last column answers to bit -1
    for position, element in enumerate(elements):
        for number in range(64):
            table[position, number] = place.get(bit_key(number, element, elements), -1)
    return np.asarray(table[site, bit])


def _text_codes(found: NDArray[np.str_], place: Mapping[str, int]) -> NDArray[np.int64]:
    codes = np.full(len(found), -1, np.int64)
    for key, position in place.items():
        codes[found == key] = position
    return codes


@dataclass(frozen=True, slots=True)
class _Counted:
    """How many faults of a space are in each domain.

    Attributes:
        space: The space.
        sites: Faults by position of the site.
        bits: Faults on exactly one bit, by bit domain; None if not known.
        fields: Faults within one field, by field; None if not known.
    """

    space: FaultSpace
    sites: dict[int, int]
    bits: dict[str, int] | None
    fields: dict[str, int] | None

    @classmethod
    def of(cls, space: FaultSpace) -> _Counted:
        stops = [*(segment.start for segment in space.segments[1:]), space.size]
        sites: dict[int, int] = {}
        bits: dict[str, int] | None = {}
        fields: dict[str, int] | None = {}
        elements = [site.element for site in space.sites]
        for segment, stop in zip(space.segments, stops, strict=True):
            sites[segment.site] = sites.get(segment.site, 0) + stop - segment.start
            site = space.sites[segment.site]
            seen = element_variants(space, segment.start, stop)
            if seen is None or bits is None or fields is None:
                bits = fields = None
                continue
            for bit, field in zip(seen.bits, seen.fields, strict=True):
                if bit >= 0:
                    key = bit_key(bit, site.element, elements)
                    bits[key] = bits.get(key, 0) + seen.elements
                if field:
                    fields[field] = fields.get(field, 0) + seen.elements
        return cls(space, sites, bits, fields)

    def by_facet(self, name: str) -> dict[str, int] | None:
        """Faults by domain, None if not known."""
        if name == "bit":
            return self.bits
        if name == "field":
            return self.fields
        sums: dict[str, int] = {}
        for position, count in self.sites.items():
            key = site_keys(self.space.sites[position])[name]
            if key:
                sums[key] = sums.get(key, 0) + count
        return sums


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
    codes = [_channel_code(scenario, channels, first) for scenario in source.scenarios(range(n))]
    each = {name: site_bits(site) // channels[name].size for name, site in divided.items()}
    return Facet(
        name=CHANNEL,
        keys=tuple(keys),
        codes=np.array(codes, np.int64),
        bits=_spread(each, channels),
        faults=None if space is None else _channel_faults(space, channels, divided),
        reason="only scenarios with faults in one channel, of a tensor whose channels are known,"
        " count here",
    )


def _channel_code(
    scenario: Scenario, channels: Mapping[str, Channels], first: Mapping[str, int]
) -> int:
    """The one channel that all faults of a scenario are in, -1 if there is none."""
    groups = [group for group in scenario.groups if len(group)]
    if len(groups) != 1 or groups[0].graph is not None or groups[0].site not in first:
        return -1
    found = np.unique(channels[groups[0].site].of(groups[0].index))
    return first[groups[0].site] + int(found[0]) if len(found) == 1 else -1


def _channel_faults(
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
