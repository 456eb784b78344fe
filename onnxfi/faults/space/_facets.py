"""Facets: what all faults of a scenario have in common, by which rates are broken down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from onnxfi.bits import ElementType
from onnxfi.faults.models import Scenario, single_bit, single_field
from onnxfi.faults.sites import FaultSite, NeuronPart, SiteKind
from onnxfi.faults.space._check import site_named

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What all faults of one scenario share; None where they differ or there are none.

    Attributes:
        site: Name of the site.
        layer: Layer of the sites.
        op_type: Operator of the sites.
        kind: Kind of the sites.
        part: What the sites are to spiking neurons.
        step: Time step of the sites.
        bit: The affected bit, if exactly one bit of one element is affected.
        field: The bit field (sign, exponent, mantissa, magnitude) that holds all affected bits.
    """

    site: str | None = None
    layer: str | None = None
    op_type: str | None = None
    kind: SiteKind | None = None
    part: NeuronPart | None = None
    step: int | None = None
    bit: int | None = None
    field: str | None = None


def scenario_facets(scenario: Scenario, sites: Mapping[str, FaultSite]) -> Facets:
    """What all faults of a scenario share.

    Args:
        scenario: Any scenario.
        sites: Its sites by name.

    Raises:
        FaultError: A site is not among ``sites``.
    """
    groups = [group for group in scenario.groups if len(group)]
    found = [site_named(group.site, sites) for group in groups]
    bit = single_bit(groups[0], found[0].element) if len(groups) == 1 else None
    return Facets(
        site=_common(site.name for site in found),
        layer=_common(site.layer for site in found),
        op_type=_common(site.op_type for site in found),
        kind=_common(site.kind for site in found),
        part=_common(site.part for site in found),
        step=_common(site.step for site in found),
        bit=bit,
        field=_common(
            single_field(group, site.element) for group, site in zip(groups, found, strict=True)
        ),
    )


def site_keys(site: FaultSite) -> dict[str, str]:
    """The domain of a site by facet, for the facets that a site decides; empty for none."""
    return {
        "site": site.name,
        "layer": site.layer,
        "op_type": site.op_type,
        "kind": site.kind.value,
        "part": site.part or "",
        "step": "" if site.step is None else str(site.step),
        "gate": site.gate or "",
    }


def bit_key(bit: int, element: ElementType, elements: Iterable[ElementType]) -> str:
    """The name of a bit's domain: ``30``, or ``float32:30`` where types are mixed.

    Bit 7 of an int8 weight and bit 7 of its int32 bias have nothing in common.
    """
    return str(bit) if len(set(elements)) == 1 else f"{element.value}:{bit}"


def _common(values: Iterable[_T]) -> _T | None:
    different = set(values)
    return different.pop() if len(different) == 1 else None
