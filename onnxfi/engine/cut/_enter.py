"""Entering faults: carried out in golden values, for the scenarios of a front at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.engine.cut._deviation import Deviation
from onnxfi.engine.cut._faulty import ValueFaults, with_faults
from onnxfi.engine.cut._rows import Collected, differing, entries_of, value_of
from onnxfi.errors import FaultError
from onnxfi.faults import SampleLayout
from onnxfi.inject import RunColumns, faulted

Array = NDArray[Any]
Faults = Sequence[ValueFaults]

_NO_KEYS = np.empty(0, np.int64)


def enter_whole(
    golden: Array, layout: SampleLayout, before: Array | None, faults: Faults, size: int
) -> Array | None:
    """A value of one scenario that can't be told apart by sample, with its faults.

    Args:
        golden: The golden value.
        layout: Its layout, without a batch axis.
        before: The value without the faults, None if it is golden.
        faults: The faults, in the order in which they act.
        size: Samples in the run.

    Returns:
        The value; None if it is golden.

    Raises:
        FaultError: The value has not the size that a site's layout promises.
    """
    deviation = None if before is None else Deviation(samples=None, values=before)
    for each in faults:
        deviation = with_faults(golden, layout, deviation, each, size)
    return None if deviation is None else deviation.values


def enter_rows(
    golden: Array,
    entries: Array,
    layout: SampleLayout,
    faults: Mapping[int, Faults],
    size: int,
    collected: Collected,
) -> None:
    """Carry out the faults of some scenarios in a value, on top of the rows that deviate anyway.

    Args:
        golden: The golden value.
        entries: Its rows, samples first.
        layout: Where its samples lie.
        faults: Faults in the value, by scenario.
        size: Samples in the run.
        collected: Rows of the value so far; those with faults are added.

    Raises:
        FaultError: The value has not the size that a site's layout promises.
    """
    quick: dict[ElementType, list[tuple[int, ValueFaults]]] = {}
    present = collected.scenarios(size)
    for scenario, each in faults.items():
        wanted = scenario * size + np.arange(size) if scenario in present else _NO_KEYS
        keys, rows = collected.take(wanted)
        first = each[0]
        if keys.size or len(each) > 1 or layout.batch_axis != 0 or not _by_sample(first):
            _enter_slowly(golden, layout, each, scenario, (keys, rows), size, collected)
        else:
            quick.setdefault(first.site.element, []).append((scenario, first))
    for element, alike in quick.items():
        _enter_together(entries, alike, element, collected)


def _by_sample(faults: ValueFaults) -> bool:
    return faults.columns.sample is not None and not faults.site.in_bytes


def _enter_slowly(
    golden: Array,
    layout: SampleLayout,
    faults: Faults,
    scenario: int,
    before: tuple[NDArray[np.int64], Array],
    size: int,
    collected: Collected,
) -> None:
    """The same for one scenario, in a whole copy of the value."""
    keys, rows = before
    clean = entries_of(golden, layout)
    values: Array | None = None
    if keys.size:
        changed = clean.copy()
        changed[keys - scenario * size] = rows
        values = value_of(changed, layout)
    whole = SampleLayout(shape=golden.shape, batch_axis=None)
    found = enter_whole(golden, whole, values, faults, size)
    if found is None:
        return
    mine, samples = entries_of(found, layout), np.arange(size)
    differs = differing(mine, clean, samples)
    collected.add(samples[differs] + scenario * size, mine[differs])


def _enter_together(
    entries: Array,
    alike: Sequence[tuple[int, ValueFaults]],
    element: ElementType,
    collected: Collected,
) -> None:
    """The same for scenarios whose faults lie in golden rows of a value, by sample."""
    size = len(entries)
    each = entries[0].size
    columns = [faults.columns for _, faults in alike]
    for _, faults in alike:
        if entries.size < faults.elements:
            raise FaultError(
                f"site {faults.site.name!r} has {entries.size} elements in this run, fewer than the"
                f" profile's layout says"
            )
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
    room = collected.extend(hit)
    room[...] = entries[hit % size]
    place = np.searchsorted(hit, keys)
    inside = hit[np.minimum(place, hit.size - 1)] == keys
    within = place[inside] * each + (index - sample * each)[inside]
    room.reshape(-1).view(word)[within] = faulty[inside]
