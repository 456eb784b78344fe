"""Ties: the steps of one tensor as one site, whose faults are there in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from onnxfi.errors import ConfigError
from onnxfi.faults.models import FaultGroup
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.steps import parse_steps, steps_text


def tie(sites: Sequence[FaultSite]) -> tuple[FaultSite, ...]:
    """Sites in which the steps of one tensor have become one site.

    It is called ``NAME@STEPS`` after the tensor of the first step that the network has, such as
    ``/lif1/Cast@0-7``, and lies where the first of its steps lay. Sites without a step, and those
    of which only one step is among the sites, stay as they are.

    Args:
        sites: Sites of one graph.

    Raises:
        ConfigError: The steps of a tensor differ in type or shape.
    """
    steps: dict[str, list[FaultSite]] = {}
    for site in sites:
        name = _name(site)
        if name is not None:
            steps.setdefault(name, []).append(site)
    found = []
    for site in sites:
        name = _name(site)
        if name is None:
            found.append(site)
        elif steps[name][0] is site:
            found.append(_tied(name, steps[name]))
    return tuple(found)


def find_tie(name: str, sites: Mapping[str, FaultSite]) -> FaultSite | None:
    """The tie of a name that reads ``NAME@STEPS``; None if there is none.

    Args:
        name: Name of a tie, as :func:`tie` gives it.
        sites: Sites of a graph by name.
    """
    first, _, text = name.rpartition("@")
    try:
        steps = parse_steps(text)
    except ConfigError:
        return None
    if len(steps) < 2:
        return None
    whole = sites.get(first)
    if whole is not None and whole.repeated:
        members = list(filter(None, map(whole.at, steps)))
    else:
        wanted = set(steps)
        series = (site for site in sites.values() if site.series == first)
        members = sorted(
            (site for site in series if site.step in wanted), key=lambda site: site.step or 0
        )
    return _tied(first, members) if len(members) == len(steps) else None


def untied(sites: Iterable[FaultSite]) -> Iterator[FaultSite]:
    """Sites with those that ties are made of in their place."""
    for site in sites:
        yield from site.members or (site,)


def spread(site: FaultSite, group: FaultGroup) -> tuple[FaultGroup, ...]:
    """Faults at a site as one group for each tensor that they hit."""
    if not site.members:
        return (group,)
    return tuple(replace(group, site=member.name) for member in site.members)


def _name(site: FaultSite) -> str | None:
    """What the steps of one tensor have in common."""
    if site.members or site.step is None:
        return None
    return site.tensor if site.repeated else site.series


def _tied(name: str, members: Sequence[FaultSite]) -> FaultSite:
    if len(members) < 2:
        return members[0]
    first = members[0]
    for other in members:
        if (other.element, other.layout) != (first.element, first.layout):
            raise ConfigError(
                f"{first.name!r} and {other.name!r} are steps of one tensor, but differ in type or"
                " shape, so no fault is the same in both; leave out --over-steps"
            )
    steps = sorted(site.step for site in members if site.step is not None)
    return replace(
        first, name=f"{name}@{steps_text(steps)}", step=None, repeated=False, members=tuple(members)
    )
