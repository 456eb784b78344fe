"""Derived sites, found by their names: one step, several tied steps, or one gate of a tensor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from onnxfi.errors import ConfigError
from onnxfi.faults.models import FaultGroup, Scenario, joined
from onnxfi.faults.sites import FaultSite, in_tensor

_MOST = 1_000_000
_RANGE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


def parse_steps(text: str) -> tuple[int, ...]:
    """The steps that a text such as ``3``, ``2-5`` or ``0,4-6`` names, ascending and unique.

    Raises:
        ConfigError: The text is not a choice of steps.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ConfigError(f"{text!r} is not a choice of steps such as 3, 2-5 or 0,4-6")
        low, high = int(found[1]), int(found[2] or found[1])
        if low > high:
            raise ConfigError(f"steps {part.strip()!r} run backwards; write {high}-{low}")
        if high >= _MOST:
            raise ConfigError(f"step {high} is out of range (0..{_MOST - 1})")
        chosen.update(range(low, high + 1))
    return tuple(sorted(chosen))


def steps_text(steps: Sequence[int]) -> str:
    """The text that :func:`parse_steps` reads back; empty for no steps.

    Args:
        steps: Ascending and unique.
    """
    runs: list[str] = []
    for _, run in groupby(enumerate(steps), key=lambda pair: pair[1] - pair[0]):
        members = [step for _, step in run]
        runs.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(runs)


_GATE = re.compile(r"(?P<tensor>.+)\[gate=(?P<gate>\w+)\]", re.DOTALL)


def gate_site(name: str, sites: Mapping[str, FaultSite]) -> FaultSite | None:
    """The site of a name that reads ``NAME[gate=f]``; None if there is none."""
    apart = _GATE.fullmatch(name)
    whole = None if apart is None else sites.get(apart["tensor"])
    return None if apart is None or whole is None else whole.of_gate(apart["gate"])


def at_gates(sites: Iterable[FaultSite], gates: Iterable[str]) -> tuple[FaultSite, ...]:
    """Tensors with gates replaced by their sites of the chosen gates; others left out.

    Raises:
        ConfigError: No tensor has a chosen gate.
    """
    divided = [site for site in sites if site.gates is not None and site.gate is None]
    there = dict.fromkeys(name for site in divided if site.gates for name in site.gates.names)
    for gate in gates:
        if gate not in there:
            has = f"they are {', '.join(there)}" if there else "no recurrent operator reads one"
            raise ConfigError(f"no chosen site has gate {gate!r}; {has}; see `onnxfi sites`")
    found = (site.of_gate(gate) for site in divided for gate in gates)
    return tuple(site for site in found if site is not None)


def whole_scenario(scenario: Scenario, sites: Mapping[str, FaultSite]) -> Scenario:
    """The same faults at sites of whole tensors, as models and sessions know them.

    Args:
        scenario: Faults, some perhaps at sites of single gates.
        sites: Their sites by name.
    """
    if not any(site.gate for name in scenario.sites if (site := sites.get(name)) is not None):
        return scenario
    by_site: dict[str, list[FaultGroup]] = {}
    for group in scenario.groups:
        site = sites[group.site]
        moved = group
        if site.gate is not None:
            moved = replace(group, site=site.tensor, index=in_tensor(site, group.index))
        by_site.setdefault(moved.site, []).append(moved)
    return replace(scenario, groups=tuple(joined(groups) for groups in by_site.values()))


def whole_tensors(sites: Iterable[FaultSite]) -> tuple[FaultSite, ...]:
    """Sites of single gates replaced by those of their tensors, each once."""
    found: dict[str, FaultSite] = {}
    for site in sites:
        whole = site.whole() if site.gate is not None else site
        found.setdefault(whole.name, whole)
    return tuple(found.values())


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


_AT = re.compile(r"(?P<tensor>.+)@(?P<step>\d{1,9})", re.DOTALL)


def find_site(name: str, sites: Mapping[str, FaultSite]) -> FaultSite | None:
    """The site of a name: one that is listed, or steps or a gate of a listed one.

    Those are called ``NAME@STEPS`` and ``NAME[gate=f]``.

    Args:
        name: Name of a site.
        sites: Sites by name.
    """
    found = sites.get(name)
    if found is not None:
        return found
    gate = gate_site(name, sites)
    if gate is not None:
        return gate
    apart = split_step(name)
    whole = None if apart is None else sites.get(apart[0])
    if apart is None or whole is None:
        return find_tie(name, sites)
    return whole.at(apart[1])


def split_step(name: str) -> tuple[str, int] | None:
    """Tensor and step of a name that reads ``NAME@STEP``; None if it does not."""
    found = _AT.fullmatch(name)
    return None if found is None else (found["tensor"], int(found["step"]))
