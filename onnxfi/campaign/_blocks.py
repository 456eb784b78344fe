"""Blocks and work units: in which portions, and in which order, scenarios are run.

A block is a run of consecutive scenarios. Inside a block, scenarios are run site by site, so that
sessions are shared; across blocks, in order. Estimates use finished blocks only: which scenarios
of a block finish first depends on their sites, so an unfinished one would bias them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from onnxfi.sampling import ListedScenarios, SampledScenarios, ScenarioSource

SMALLEST_BLOCK = 50
LARGEST_BLOCK = 1_000
BLOCKS_A_CAMPAIGN = 20
LARGEST_UNIT = 10_000


def default_block_size(scenarios: int) -> int:
    """Scenarios a block: 1,000, or fewer where that would leave a short campaign few blocks."""
    wanted = -(-scenarios // BLOCKS_A_CAMPAIGN)
    return min(LARGEST_BLOCK, max(SMALLEST_BLOCK, wanted))


def finished_prefix(prefix: int, block_size: int, total: int) -> int:
    """Scenarios in the longest run of finished blocks, given the rows before the first gap."""
    return total if prefix >= total else prefix // block_size * block_size


def pending_in_order(
    total: int,
    block_size: int,
    done: set[int],
    site_keys: Callable[[Sequence[int]], Sequence[Any]] | None,
) -> Iterator[int]:
    """Pending scenarios in the order in which they should be run.

    Args:
        total: Scenarios of the campaign.
        block_size: Scenarios a block.
        done: Scenarios that are stored already.
        site_keys: Gives something sortable for each scenario, the same for those of one site; None
            runs a block in plain order.
    """
    for start in range(0, total, block_size):
        block = [k for k in range(start, min(start + block_size, total)) if k not in done]
        if site_keys is None or not block:
            yield from block
        else:
            yield from (k for _, k in sorted(zip(site_keys(block), block, strict=True)))


class UnitSizer:
    """Cuts pending scenarios into units that take about as long as asked, by what was seen so far.

    The size of a unit decides how much a crash can lose and how busy workers are kept, never a
    row: scenarios do not know which unit they are in.

    Args:
        target_s: Seconds that a unit should take.
        pending: Scenarios to be taken, in all.
        workers: Processes that share them.
    """

    def __init__(self, target_s: float, pending: int, workers: int = 1) -> None:
        self._target_s = target_s
        self._pending = pending
        self._workers = workers
        self._size = 1

    def learn(self, scenarios: int, seconds: float) -> None:
        """Take note of a finished unit."""
        rate = max(seconds, 1e-6) / max(scenarios, 1)
        # At most doubled at a time: the first scenarios also pay for sessions and golden runs.
        self._size = int(max(1, min(self._target_s / rate, 2 * self._size, LARGEST_UNIT)))

    def take(self, pending: Iterator[int]) -> Sequence[int]:
        """The next unit; empty when nothing is pending."""
        size = self._size
        if self._workers > 1:
            # Smaller towards the end, lest all others wait for the last unit (Hummel et al.,
            # "Factoring", CACM 1992).
            size = min(size, max(1, -(-self._pending // (2 * self._workers))))
        unit = tuple(itertools.islice(pending, size))
        self._pending -= len(unit)
        return unit


SiteKeys = Callable[[Sequence[int]], "Sequence[int | tuple[str, ...]]"]


def site_keys(source: ScenarioSource) -> SiteKeys | None:
    """Gives the sites of scenarios as something sortable; None where it costs too much.

    A scenario of thousands of drawn faults touches every site, and drawing it only to sort it
    would double the work.
    """
    if isinstance(source, ListedScenarios):
        return lambda numbers: [source.scenario(k).sites for k in numbers]
    if not isinstance(source, SampledScenarios) or source.fault_numbers(0, 1) is None:
        return None

    def keys(numbers: Sequence[int]) -> Sequence[int]:
        first = min(numbers)
        faults = source.fault_numbers(first, max(numbers) + 1)
        assert faults is not None
        return [int(key) for key in source.space.site_positions(faults[np.array(numbers) - first])]

    return keys
