"""Sites of single gates: ``NAME[gate=f]``, the elements of a packed tensor that one gate reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults.models import FaultGroup, Scenario, joined
from onnxfi.faults.sites import FaultSite

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


def in_tensor(site: FaultSite, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat indices into a site of one gate, as flat indices into its tensor."""
    gates, whole = site.gates, site.whole()
    assert gates is not None
    assert site.layout is not None
    assert whole.layout is not None
    coordinates = list(np.unravel_index(index, site.layout.shape))
    mine = [place for place, gate in enumerate(gates.blocks) if gate == site.gate]
    block, within = np.divmod(coordinates[gates.axis], gates.size)
    coordinates[gates.axis] = np.array(mine)[block] * gates.size + within
    return np.ravel_multi_index(tuple(coordinates), whole.layout.shape).astype(np.int64)
