"""Entering faults: carried out in golden values, for the scenarios of a front at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.engine.cut._faulty import ValueFaults, check_size, with_faults
from onnxfi.engine.cut._rows import Collected, differing, entries_of, value_of
from onnxfi.faults import SampleLayout
from onnxfi.inject import RunColumns, faulted

Array = NDArray[Any]
Faults = Sequence[ValueFaults]


def enter_whole(golden: Array, before: Array | None, faults: Faults) -> Array | None:
    """A value of one scenario, all samples, with its faults.

    Args:
        golden: The golden value.
        before: The value without the faults, None if it is golden.
        faults: The faults, in the order in which they act.

    Returns:
        The value; None if it is golden.

    Raises:
        FaultError: The value has not the size that a site's layout promises.
    """
    found = before
    for each in faults:
        found = with_faults(golden, found, each)
    return found


def _by_sample(faults: ValueFaults) -> bool:
    return faults.columns.sample is not None and not faults.site.in_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entering:
    """A value in which faults of scenarios enter, on top of the rows that deviate anyway.

    Attributes:
        golden: The golden value.
        entries: Its rows, samples first.
        layout: Where its samples lie.
        collected: Rows of the value so far; those with faults are added.
    """

    golden: Array
    entries: Array
    layout: SampleLayout
    collected: Collected

    def carry_out(self, faults: Mapping[int, Faults]) -> None:
        """Carry out the faults of some scenarios.

        Args:
            faults: Faults in the value, by scenario.

        Raises:
            FaultError: The value has not the size that a site's layout promises.
        """
        size = len(self.entries)
        quick: dict[ElementType, list[tuple[int, ValueFaults]]] = {}
        present = self.collected.scenarios(size)
        for scenario, each in faults.items():
            first = each[0]
            if self.layout.batch_axis != 0 or not all(map(_by_sample, each)):
                self._on_top(each, scenario)
            elif len(each) == 1 and scenario not in present:
                quick.setdefault(first.site.element, []).append((scenario, first))
            else:
                for one in each:
                    self._in_place(one, scenario)
        for element, alike in quick.items():
            self._together(alike, element)

    def _on_top(self, faults: Faults, scenario: int) -> None:
        """Faults of one scenario, in a whole copy of the value."""
        size = len(self.entries)
        keys, rows = self.collected.take(scenario * size + np.arange(size))
        values: Array | None = None
        if keys.size:
            changed = self.entries.copy()
            changed[keys - scenario * size] = rows
            values = value_of(changed, self.layout)
        found = enter_whole(self.golden, values, faults)
        if found is None:
            return
        mine, samples = entries_of(found, self.layout), np.arange(size)
        differs = differing(mine, self.entries, samples)
        self.collected.add(samples[differs] + scenario * size, mine[differs])

    def _in_place(self, faults: ValueFaults, scenario: int) -> None:
        """Faults of one scenario, by sample, in the rows that it has, and in golden ones."""
        check_size(self.entries, faults)
        columns, size, each = faults.columns, len(self.entries), self.entries[0].size
        sample = columns.sample
        assert sample is not None
        if not sample.size:
            return
        word = format_of(faults.site.element).word
        hit = np.flatnonzero(np.bincount(sample, minlength=size))
        keys = scenario * size + hit
        missing = self.collected.positions(keys) < 0
        if missing.any():
            # Golden rows in which nothing changes stay away.
            golden = self.entries.reshape(-1).view(word)[columns.index]
            changed = sample[golden != faulted(golden, columns, faults.site.element)]
            wanted = missing & np.isin(hit, changed)
            self.collected.extend(keys[wanted])[...] = self.entries[hit[wanted]]
        row = np.full(size, -1, np.int64)
        row[hit] = self.collected.positions(keys)
        inside = row[sample] >= 0
        place = row[sample] * each + columns.index - sample * each
        stored = self.collected.entries.reshape(-1).view(word)
        before = stored[np.where(inside, place, 0)]
        faulty = faulted(before, columns, faults.site.element)
        stored[place[inside]] = faulty[inside]

    def _together(self, alike: Sequence[tuple[int, ValueFaults]], element: ElementType) -> None:
        """Faults of scenarios that lie in golden rows of a value, by sample."""
        entries = self.entries
        size, each = len(entries), entries[0].size
        columns = [faults.columns for _, faults in alike]
        for _, faults in alike:
            check_size(entries, faults)
        counts = [one.index.size for one in columns]
        if not sum(counts):
            return
        owner = np.repeat(np.array([scenario for scenario, _ in alike]), counts)
        index = np.concatenate([one.index for one in columns])
        sample = np.concatenate([one.sample for one in columns if one.sample is not None])
        masks = RunColumns(
            index=index,
            and_mask=np.concatenate([one.and_mask for one in columns]),
            xor_mask=np.concatenate([one.xor_mask for one in columns]),
        )
        word = format_of(element).word
        words = entries.reshape(-1).view(word)[index]
        faulty = faulted(words, masks, element)
        keys = owner * size + sample
        hit = np.unique(keys[words != faulty])
        if not hit.size:
            return
        room = self.collected.extend(hit)
        room[...] = entries[hit % size]
        place = np.searchsorted(hit, keys)
        inside = hit[np.minimum(place, hit.size - 1)] == keys
        within = place[inside] * each + (index - sample * each)[inside]
        room.reshape(-1).view(word)[within] = faulty[inside]
