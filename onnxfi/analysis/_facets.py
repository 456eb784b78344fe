"""Facets: the domains (sites, layers, bits, ...) that scenarios belong to, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import format_of
from onnxfi.faults import (
    FaultSite,
    Scenario,
    bit_key,
    scenario_facets,
    site_bits,
    site_keys,
)

FACETS = ("site", "layer", "op_type", "kind", "part", "step", "gate", "bit", "field")
_SOMETIMES = ("part", "step", "gate")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facet:
    """One way to divide scenarios into domains.

    Attributes:
        name: What the domains are, such as ``layer``.
        keys: Names of all domains that a fault can be in, in the order of the model or of the bits;
            where that is not known, of those that scenarios are in.
        codes: int64 (n,), position in ``keys`` of each scenario's domain, -1 if it is in several.
        bits: Stored bits of each domain (of one sample for computed tensors).
        faults: Single-fault scenarios that exist in each domain, if they are drawn without
            replacement; else None.
        reason: Why scenarios are in no domain, for those that are not.
    """

    name: str
    keys: tuple[str, ...]
    codes: NDArray[np.int64]
    bits: tuple[int, ...]
    faults: tuple[int, ...] | None
    reason: str


def facet_names(sites: Iterable[FaultSite]) -> tuple[str, ...]:
    """The facets that sites can be divided by; steps, parts, gates only where some site has one."""
    known = {name for site in sites for name in _SOMETIMES if site_keys(site)[name]}
    return tuple(name for name in FACETS if name not in _SOMETIMES or name in known)


def bit_bits(sites: Sequence[FaultSite]) -> dict[str, int]:
    """Stored bits by bit domain, least significant first, types in the order of the sites."""
    elements = [site.element for site in sites]
    sums: dict[str, int] = {}
    for site in sorted(sites, key=lambda site: elements.index(site.element)):
        width = format_of(site.element).width
        for bit in range(width):
            key = bit_key(bit, site.element, elements)
            sums[key] = sums.get(key, 0) + site_bits(site) // width
    return sums


def field_bits(sites: Sequence[FaultSite]) -> dict[str, int]:
    """Stored bits by field."""
    sums: dict[str, int] = {}
    for site in sites:
        form = format_of(site.element)
        for name, span in form.fields.items():
            sums[name] = sums.get(name, 0) + site_bits(site) // form.width * len(span)
    return sums


def stored_bits(name: str, sites: Sequence[FaultSite]) -> dict[str, int]:
    """Stored bits of every domain of a facet, in order."""
    if name == "bit":
        return bit_bits(sites)
    if name == "field":
        return field_bits(sites)
    sums: dict[str, int] = {}
    for site in sites:
        key = site_keys(site)[name]
        if key:
            sums[key] = sums.get(key, 0) + site_bits(site)
    return dict(sorted(sums.items(), key=lambda item: int(item[0]))) if name == "step" else sums


def reason_of(name: str) -> str:
    """Why a scenario may be in no domain of a facet."""
    what = {
        "bit": "on exactly one bit",
        "field": "on the bits of one field",
        "part": "in one part of spiking neurons",
        "step": "in one time step",
    }
    return f"only scenarios with faults {what.get(name, 'on one site')} count here"


def listed_facets(
    scenarios: Iterable[Scenario], sites: Mapping[str, FaultSite]
) -> tuple[Facet, ...]:
    """Facets of scenarios that are written out, whatever their design.

    Args:
        scenarios: In the order of the observations.
        sites: All sites that the scenarios touch, by name, in model order.

    Raises:
        FaultError: A scenario touches another site.
    """
    names = facet_names(sites.values())
    found: dict[str, list[str]] = {name: [] for name in names}
    elements = [site.element for site in sites.values()]
    for scenario in scenarios:
        keys = dict.fromkeys(names, "")
        shared = scenario_facets(scenario, sites)
        if shared.site is not None:
            site = sites[shared.site]
            keys |= site_keys(site) | {"field": shared.field or ""}
            if shared.bit is not None:
                keys["bit"] = bit_key(shared.bit, site.element, elements)
        for name in names:
            found[name].append(keys[name])
    return tuple(_coded(name, found[name], list(sites.values())) for name in names)


def _coded(name: str, found: Sequence[str], sites: Sequence[FaultSite]) -> Facet:
    bits = stored_bits(name, sites)
    place = {key: position for position, key in enumerate(bits)}
    return observed_only(
        Facet(
            name=name,
            keys=tuple(bits),
            codes=np.array([place.get(key, -1) for key in found], np.int64),
            bits=tuple(bits.values()),
            faults=None,
            reason=reason_of(name),
        )
    )


def observed_only(facet: Facet) -> Facet:
    """The facet without domains that no scenario is in, where it isn't known which can be hit."""
    kept = np.unique(facet.codes[facet.codes >= 0])
    renumbered = np.full(len(facet.keys) + 1, -1, np.int64)  # the last entry answers to code -1
    renumbered[kept] = np.arange(len(kept))
    return replace(
        facet,
        keys=tuple(facet.keys[code] for code in kept),
        codes=renumbered[facet.codes],
        bits=tuple(facet.bits[code] for code in kept),
    )


def absent_facets(n: int, reason: str) -> tuple[Facet, ...]:
    """Facets without domains.

    Args:
        n: Scenarios.
        reason: Why there are none.
    """
    nowhere = np.full(n, -1, np.int64)
    return tuple(
        Facet(name=name, keys=(), codes=nowhere, bits=(), faults=None, reason=reason)
        for name in FACETS
        if name not in _SOMETIMES
    )
