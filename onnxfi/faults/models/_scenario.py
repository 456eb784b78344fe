"""Faults and scenarios: what is corrupted, held in columns so that 100,000 faults stay cheap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import merge
from onnxfi.errors import FaultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One corrupted element: the stored word x becomes ``(x & and_mask) ^ xor_mask``.

    Attributes:
        site: Name of the fault site.
        index: Flat (C order) element index, within one sample for a computed tensor.
        and_mask: Bits that are kept, as an unsigned integer of the element's width.
        xor_mask: Bits that are flipped afterwards, likewise.
        sample: Sample of the workload that sees the fault; None for every sample.
    """

    site: str
    index: int
    and_mask: int
    xor_mask: int
    sample: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGraph:
    """A graph that computes faulty elements from clean ones, in place of masks.

    Attributes:
        sha256: Of its bytes, hex.
        whole: It acts on all elements of a tensor.
        data: Its bytes, a small ONNX model.
        armed: Whether it acts; False for the fault-free counterpart of a model that holds it.
    """

    sha256: str
    whole: bool = False
    data: bytes = field(repr=False, compare=False)
    armed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaultGroup:
    """All faults of one scenario on one site, in columns of length k and in list order.

    Attributes:
        site: Name of the fault site.
        index: int64 (k,), flat element indices within one sample.
        and_mask: uint64 (k,), only the low bits of the element's width are used.
        xor_mask: uint64 (k,), likewise.
        sample: int64 (k,), sample of the workload each fault is in, -1 for every sample; None when
            all are -1.
        graph: What becomes of the elements, in place of the masks (which then keep all bits);
            None for masks.
    """

    site: str
    index: NDArray[np.int64]
    and_mask: NDArray[np.uint64]
    xor_mask: NDArray[np.uint64]
    sample: NDArray[np.int64] | None = None
    graph: FaultGraph | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FaultGroup):
            return NotImplemented
        if (self.sample is None) != (other.sample is None) or self.site != other.site:
            return False
        if self.graph != other.graph:
            return False
        pairs = [
            (self.index, other.index),
            (self.and_mask, other.and_mask),
            (self.xor_mask, other.xor_mask),
        ]
        if self.sample is not None and other.sample is not None:
            pairs.append((self.sample, other.sample))
        return all(np.array_equal(mine, theirs) for mine, theirs in pairs)

    __hash__ = None  # type: ignore[assignment]  # arrays inside: equal by content, not hashable

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The set of faults present together in one run: the unit of sampling, running, recording.

    Attributes:
        number: Its key in the fault list, 0-based.
        groups: Its faults by site, at most one group a site.
        weight: Design weight w of the sampler, None for equal weights.
        key: Priority of the sampler, None where the design has none.
    """

    number: int
    groups: tuple[FaultGroup, ...]
    weight: float | None = None
    key: float | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites it touches, in the order of its groups."""
        return tuple(group.site for group in self.groups)

    @property
    def graphs(self) -> bool:
        """Whether some of its faults are graphs."""
        return any(group.graph is not None for group in self.groups)

    @property
    def size(self) -> int:
        """Number of faults (list entries, before several on one element are composed)."""
        return sum(len(group) for group in self.groups)


def one_graph(site: str, graphs: Iterable[FaultGraph | None]) -> FaultGraph | None:
    """The graph of several faults on one site, None if they are none.

    Raises:
        FaultError: They are not all of one graph.
    """
    found = set(graphs)
    if len(found) > 1:
        raise FaultError(
            f"a scenario has faults of different kinds at site {site!r}, one of them a graph; "
            "graphs can't be combined with other faults in one tensor"
        )
    return found.pop() if found else None


def joined(groups: Sequence[FaultGroup]) -> FaultGroup:
    """Faults of several groups of one site, one behind the other."""
    if len(groups) == 1:
        return groups[0]
    sample = None
    if any(group.sample is not None for group in groups):
        every = [np.full(len(group), -1, np.int64) for group in groups]
        sample = np.concatenate(
            [
                none if group.sample is None else group.sample
                for group, none in zip(groups, every, strict=True)
            ]
        )
    return FaultGroup(
        site=groups[0].site,
        index=np.concatenate([group.index for group in groups]),
        and_mask=np.concatenate([group.and_mask for group in groups]),
        xor_mask=np.concatenate([group.xor_mask for group in groups]),
        sample=sample,
        graph=one_graph(groups[0].site, (group.graph for group in groups)),
    )


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
