"""Deviations: values of a run where they differ from golden, sample by sample.

What is not in a deviation is bit-identical to golden, so that it need not be computed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._region import Region, insert, whole
from onnxfi.engine.runtime import same
from onnxfi.faults import SampleLayout

Samples = NDArray[np.int64] | None
"""Samples of a run, ascending; None for all of them, or for a value that exists once per run."""

# Leaving samples out costs a copy of the others.
_WORTH = 7 / 8
# The share of a sample, to either side, that is looked at first: where a fault acts, or, as most
# samples that differ do so in many places, anywhere.
_PROBE = 64
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviation:
    """A value of a run in the samples where it may differ from golden.

    Attributes:
        samples: Which; the others are golden.
        values: The value in these samples alone, along its batch axis.
        near: About where in a sample it deviates, 0..1; None if that is anybody's guess.
        region: The only part of an image in which it may deviate, which ``values`` then hold
            alone; None for all of it.
    """

    samples: Samples
    values: NDArray[Any]
    near: float | None = None
    region: Region | None = None


def united(deviations: Iterable[Deviation], total: int) -> Samples:
    """Samples in which any of some values deviates; empty if there are none."""
    found = _NONE
    for deviation in deviations:
        mine = deviation.samples
        if mine is None:
            return None
        if found.size == 0:
            found = mine
        elif mine is not found and not np.array_equal(mine, found):
            found = np.union1d(found, mine)
    return None if found.size == total else found


def taken(values: NDArray[Any], layout: SampleLayout, samples: Samples) -> NDArray[Any]:
    """A value in some samples alone."""
    if samples is None or layout.batch_axis is None:
        return values
    return np.take(values, _rows(samples, layout), axis=layout.batch_axis)


def _rows(samples: NDArray[np.int64], layout: SampleLayout) -> NDArray[np.int64]:
    """Entries along the batch axis that belong to some samples."""
    if layout.rows == 1:
        return samples
    return (samples[:, np.newaxis] * layout.rows + np.arange(layout.rows)).ravel()


def gathered(
    golden: NDArray[Any], layout: SampleLayout, deviation: Deviation | None, samples: Samples
) -> NDArray[Any]:
    """A value as some samples see it: deviating where it does, golden elsewhere.

    Args:
        golden: The golden value, all samples of the run.
        layout: Where its samples lie.
        deviation: Where it deviates, all within ``samples``; None if it does not.
        samples: The samples wanted.

    Returns:
        An array that may be shared with the arguments; not to be written to.
    """
    if deviation is None:
        return taken(golden, layout, samples)
    mine, region = deviation.samples, deviation.region
    all_ = mine is None or (samples is not None and mine.size == samples.size)
    if all_ and region is None:
        return deviation.values
    found = golden.copy() if samples is None else taken(golden, layout, samples)
    if all_ or mine is None:
        positions = None
    else:
        positions = mine if samples is None else np.searchsorted(samples, mine)
    if region is None:
        put(found, layout, positions, deviation.values)
    else:
        at = whole(golden, region.block)
        insert(found, deviation.values, region, positions, at=at)
    return found


def put(values: NDArray[Any], layout: SampleLayout, samples: Samples, part: NDArray[Any]) -> None:
    """Write a part of a value over some of its samples."""
    if samples is None or layout.batch_axis is None:
        values[...] = part
        return
    values[(slice(None),) * layout.batch_axis + (_rows(samples, layout),)] = part


def deviating(
    found: NDArray[Any],
    golden: NDArray[Any],
    layout: SampleLayout,
    samples: Samples,
    near: float | None = None,
) -> Deviation | None:
    """Where a value that was computed for some samples differs from golden, None if nowhere.

    A few samples that do not differ may stay in: they are left out where that saves work.
    """
    if layout.batch_axis is None or (samples is None and found.shape != golden.shape):
        equal = samples is None and same(found, golden)
        return None if equal else Deviation(samples=None, values=found)
    differs = _differing(found, golden, layout, samples, near)
    count = int(np.count_nonzero(differs))
    if count == 0:
        return None
    if count > _WORTH * differs.size:
        return Deviation(samples=samples, values=found, near=near)
    positions = np.flatnonzero(differs)
    kept = positions if samples is None else samples[positions]
    return Deviation(samples=kept, values=taken(found, layout, positions), near=near)


def _differing(
    found: NDArray[Any],
    golden: NDArray[Any],
    layout: SampleLayout,
    samples: Samples,
    near: float | None,
) -> NDArray[np.bool_]:
    """Which samples of ``found`` differ from golden in any bit."""
    mine = _as_words(found, layout)
    theirs = _as_words(golden, layout)
    rows = range(len(mine)) if samples is None else samples.tolist()
    middle, around = int((near or 0) * mine.shape[1]), max(1, mine.shape[1] // _PROBE)
    first = slice(max(0, middle - around), middle + around)
    looked_at = theirs[:, first] if samples is None else theirs[samples, first]
    differs = np.asarray((mine[:, first] != looked_at).any(axis=1))
    for position in np.flatnonzero(~differs).tolist():
        # Row by row: what fits the cache is compared faster than it could be gathered.
        differs[position] = (mine[position] != theirs[rows[position]]).any()
    return differs


def _as_words(values: NDArray[Any], layout: SampleLayout) -> NDArray[Any]:
    """A value as one row of the widest words for each sample; text as it is."""
    axis = layout.batch_axis
    assert axis is not None
    first = np.ascontiguousarray(values if axis == 0 else np.moveaxis(values, axis, 0))
    count = first.shape[0] // layout.rows
    if first.size == 0:
        return np.zeros((count, 1), np.uint8)
    if first.dtype.hasobject:
        return first.reshape(count, -1)
    rows = first.reshape(count, -1).view(np.uint8)
    size = next(size for size in (8, 4, 2, 1) if rows.shape[1] % size == 0)
    return rows.view(f"u{size}")
