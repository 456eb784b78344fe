"""Facets of scenarios that a sampler drew, by arithmetic on their fault numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

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
from onnxfi.faults import FaultSite, FaultSpace, Located, bit_key, element_variants, site_keys
from onnxfi.sampling import ListedScenarios, SampledScenarios, ScenarioSource


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
        kind = source.sampler.kind
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
