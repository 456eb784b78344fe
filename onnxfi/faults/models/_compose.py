"""Scenarios from single faults, and scenarios with several faults an element made into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from onnxfi.bits import merge
from onnxfi.faults.models._scenario import Fault, FaultGroup, Scenario

_ALL = 2**64 - 1


def scenario_of(
    faults: Iterable[Fault],
    number: int = 0,
    *,
    weight: float | None = None,
    key: float | None = None,
) -> Scenario:
    """Gather faults into a scenario, one group a site, in order of first appearance.

    Args:
        faults: The faults, in the order in which they are composed.
        number: Key of the scenario in its list.
        weight: Design weight.
        key: Priority.
    """
    by_site: dict[str, list[Fault]] = {}
    for fault in faults:
        by_site.setdefault(fault.site, []).append(fault)
    groups = tuple(_group(site, found) for site, found in by_site.items())
    return Scenario(number=number, groups=groups, weight=weight, key=key)


def merge_groups(scenario: Scenario) -> Scenario:
    """Compose the faults on each element (and sample), so that it occurs once.

    Args:
        scenario: Any scenario.

    Returns:
        A scenario whose faults, done in list order, give the same. Each element occurs once for
        each sample it names, ascending by (sample, element), with one exception: an element with
        faults both for every sample and for single ones keeps them all, in list order, at the end.
    """
    return replace(scenario, groups=tuple(_merged(group) for group in scenario.groups))


def _group(site: str, faults: list[Fault]) -> FaultGroup:
    samples = [-1 if fault.sample is None else fault.sample for fault in faults]
    return FaultGroup(
        site=site,
        index=np.array([fault.index for fault in faults], dtype=np.int64),
        # Python's ~0 is a usual "keep all bits"; numpy takes no negative number as unsigned.
        and_mask=np.array([fault.and_mask & _ALL for fault in faults], dtype=np.uint64),
        xor_mask=np.array([fault.xor_mask for fault in faults], dtype=np.uint64),
        sample=np.array(samples, dtype=np.int64) if any(s >= 0 for s in samples) else None,
    )


def _merged(group: FaultGroup) -> FaultGroup:
    if group.graph is not None:  # it is computed once, however often an element is named
        index, first = np.unique(group.index, return_index=True)
        masks = group.and_mask[first], group.xor_mask[first]
        return replace(group, index=index, and_mask=masks[0], xor_mask=masks[1])
    if group.sample is None:
        index, and_mask, xor_mask = merge(group.index, group.and_mask, group.xor_mask)
        return FaultGroup(site=group.site, index=index, and_mask=and_mask, xor_mask=xor_mask)
    common = group.sample < 0
    mixed = np.isin(group.index, np.intersect1d(group.index[common], group.index[~common]))
    # One key for each pair of sample and element; sample -1 makes the lowest keys.
    places, place = np.unique(group.index, return_inverse=True)
    key = (group.sample + 1) * len(places) + place
    apart = ~mixed
    key, and_mask, xor_mask = merge(key[apart], group.and_mask[apart], group.xor_mask[apart])
    sample, place = np.divmod(key, max(len(places), 1))
    return FaultGroup(
        site=group.site,
        index=np.concatenate([places[place], group.index[mixed]]),
        and_mask=np.concatenate([and_mask, group.and_mask[mixed]]),
        xor_mask=np.concatenate([xor_mask, group.xor_mask[mixed]]),
        sample=np.concatenate([sample - 1, group.sample[mixed]]),
    )
