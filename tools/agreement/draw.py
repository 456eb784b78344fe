"""Random scenarios: one flip, or many at once, in stored or in computed tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from onnxfi.faults import BitFlip, FaultGroup, FaultSite, FaultSpace, Scenario
from onnxfi.sampling import SampledScenarios, UniformSampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What scenarios do.

    Attributes:
        name: In tables.
        kind: Kind of the sites.
        flips: Bit flips in a scenario.
        op_types: Operators that the sites belong to; empty for all.
        models: Only models whose name contains this.
    """

    name: str
    kind: str
    flips: int = 1
    op_types: tuple[str, ...] = ()
    models: str = ""


#: `lift` takes no constants that decide how onnxruntime optimises; spiking networks have such.
_FILTERS = ("Conv", "Gemm", "MatMul")

CASES = (
    Case(name="weight", kind="weight"),
    Case(name="activation", kind="activation"),
    Case(name="100 weights", kind="weight", flips=100),
    Case(name="100 activations", kind="activation", flips=100),
    Case(name="filter", kind="weight", op_types=_FILTERS, models="snn"),
    Case(name="100 filters", kind="weight", flips=100, op_types=_FILTERS, models="snn"),
)


def sites_of(case: Case, sites: Sequence[FaultSite]) -> tuple[FaultSite, ...]:
    """The sites of a case, of those of its kind."""
    return tuple(site for site in sites if not case.op_types or site.op_type in case.op_types)


def scenarios(
    sites: Sequence[FaultSite], case: Case, count: int, seed: int, bits: str | None = None
) -> list[Scenario]:
    """Scenarios of a case, uniform over the bits of the sites, all or chosen, numbered from 0."""
    space = FaultSpace(sites, [BitFlip(bits=bits)])
    flips = min(case.flips, space.size)
    if flips == 1:
        wanted = min(count, space.size)
        return list(SampledScenarios(space, UniformSampler(n=wanted, seed=seed)))
    drawn = (
        SampledScenarios(space, UniformSampler(n=flips, seed=seed + number))
        for number in range(count)
    )
    return [_together(number, singles) for number, singles in enumerate(drawn)]


def _together(number: int, singles: Iterable[Scenario]) -> Scenario:
    """The faults of many scenarios present at once."""
    by_site: dict[str, list[FaultGroup]] = defaultdict(list)
    for single in singles:
        for group in single.groups:
            by_site[group.site].append(group)
    groups = (
        FaultGroup(
            site=site,
            index=np.concatenate([group.index for group in found]),
            and_mask=np.concatenate([group.and_mask for group in found]),
            xor_mask=np.concatenate([group.xor_mask for group in found]),
        )
        for site, found in by_site.items()
    )
    return Scenario(number=number, groups=tuple(groups))
