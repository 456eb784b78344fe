"""Where values of a run differ from golden: in which samples, and in which part of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import same
from onnxfi.faults import SampleLayout
from onnxfi.graph import Receptive

Image = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of an image.

    Attributes:
        top: First row.
        bottom: One past the last row.
        left: First column.
        right: One past the last column.
        block: Channels that lie together.
    """

    top: int
    bottom: int
    left: int
    right: int
    block: int

    @property
    def area(self) -> int:
        """Places in it."""
        return (self.bottom - self.top) * (self.right - self.left)

    def united(self, other: Region) -> Region:
        """The smallest rectangle that holds both."""
        return Region(
            top=min(self.top, other.top),
            bottom=max(self.bottom, other.bottom),
            left=min(self.left, other.left),
            right=max(self.right, other.right),
            block=self.block,
        )

    def reached(self, field: Receptive, height: int, width: int) -> Region:
        """Output places of a convolution that read something of the region.

        Args:
            field: What its output places read.
            height: Rows of its output.
            width: Columns of its output.
        """
        rows = _reached(self.top, self.bottom, field, 0, height)
        columns = _reached(self.left, self.right, field, 1, width)
        return Region(
            top=rows[0], bottom=rows[1], left=columns[0], right=columns[1], block=self.block
        )

    def read_by(self, field: Receptive) -> Region:
        """What the output places of the region read; padding lies outside of the image."""
        top, left = (
            start * field.stride[axis] - field.pad[axis]
            for axis, start in enumerate((self.top, self.left))
        )
        bottom, right = (
            (stop - 1) * field.stride[axis] - field.pad[axis] + field.size[axis]
            for axis, stop in enumerate((self.bottom, self.right))
        )
        return Region(top=top, bottom=bottom, left=left, right=right, block=self.block)


def crop(image: Image, region: Region, samples: NDArray[np.int64] | None) -> Image:
    """A region of some samples, in blocks like the image; zeros where it lies outside of it."""
    height, width = image.shape[2:]
    inside = _inside(region, height, width)
    rows = slice(inside.top, inside.bottom), slice(inside.left, inside.right)
    part = _blocked(image, region.block)[:, :, rows[0], rows[1]]
    part = part if samples is None else part[samples]
    if inside != region:
        count, blocks, _, _, block = part.shape
        size = (region.bottom - region.top, region.right - region.left)
        whole = np.zeros((count, blocks, *size, block), image.dtype)
        top, left = inside.top - region.top, inside.left - region.left
        bottom, right = inside.bottom - region.top, inside.right - region.left
        whole[:, :, top:bottom, left:right] = part
        part = whole
    part = np.ascontiguousarray(part)
    return part.reshape(part.shape[0], image.shape[1], *part.shape[2:4])


def insert(
    image: Image, part: Image, region: Region, samples: NDArray[np.int64] | None, *, at: Region
) -> None:
    """Write what lies in a region over an image of which only another region is there.

    Args:
        image: The image, written to; the region ``at`` of it.
        part: The samples' values in ``region``.
        region: Where they belong; what lies outside of ``at`` is left out.
        samples: Rows of ``image`` that the samples are; None for all.
        at: What of the whole image is there.
    """
    top, bottom = max(region.top, at.top), min(region.bottom, at.bottom)
    left, right = max(region.left, at.left), min(region.right, at.right)
    if top >= bottom or left >= right:
        return
    source = _blocked(part, region.block)[
        :, :, top - region.top : bottom - region.top, left - region.left : right - region.left
    ]
    target = _blocked(image, region.block)[
        :, :, top - at.top : bottom - at.top, left - at.left : right - at.left
    ]
    if samples is None:
        target[...] = source
    else:
        target[samples] = source


def whole(image: Image, block: int) -> Region:
    """All of an image."""
    return Region(top=0, bottom=image.shape[2], left=0, right=image.shape[3], block=block)


def _blocked(image: Image, block: int) -> Image:
    count, channels, height, width = image.shape
    return image.reshape(count, channels // block, height, width, block)


def _inside(region: Region, height: int, width: int) -> Region:
    """What of a region lies in an image; empty at its edge where nothing does."""
    return Region(
        top=min(max(0, region.top), height),
        bottom=min(max(0, region.bottom), height),
        left=min(max(0, region.left), width),
        right=min(max(0, region.right), width),
        block=region.block,
    )


def _reached(start: int, stop: int, field: Receptive, axis: int, size: int) -> tuple[int, int]:
    stride, pad, span = field.stride[axis], field.pad[axis], field.size[axis]
    first = -((span - 1 - pad - start) // stride)  # rounded up
    last = (stop - 1 + pad) // stride
    return min(max(0, first), size), max(0, min(size, last + 1))


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


def samples_of(values: NDArray[Any], layout: SampleLayout, samples: Samples) -> NDArray[Any]:
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
        return samples_of(golden, layout, samples)
    mine, region = deviation.samples, deviation.region
    all_ = mine is None or (samples is not None and mine.size == samples.size)
    if all_ and region is None:
        return deviation.values
    found = golden.copy() if samples is None else samples_of(golden, layout, samples)
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
    return Deviation(samples=kept, values=samples_of(found, layout, positions), near=near)


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
