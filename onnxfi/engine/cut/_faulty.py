"""Faulty values: faults carried out on the host in values between the parts of a chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, change_packed, elements_a_byte, format_of, packed_words
from onnxfi.engine.cut._deviation import Deviation, Region, crop, gathered, samples_of, united
from onnxfi.errors import FaultError
from onnxfi.faults import FaultSite, SampleLayout
from onnxfi.inject import RunColumns, faulted

_IMAGE = 4  # axes of an image: samples, channels, height, width
# Faults for each sample up to which it is looked for a region that holds them all, and the share
# of an image up to which one is worth it.
_FEW = 4
_SMALL = 1 / 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueFaults:
    """Faults in a value of a chain in one run.

    Attributes:
        site: The site that they are in.
        columns: Their places in the value, and their masks.
        elements: Elements that the value has in the run, by the profile.
        block: Channels that lie together where the value is an image in blocks; None elsewhere.
    """

    site: FaultSite
    columns: RunColumns
    elements: int
    block: int | None = None


def with_faults(
    golden: NDArray[Any],
    layout: SampleLayout,
    deviation: Deviation | None,
    faults: ValueFaults,
    size: int,
) -> Deviation | None:
    """A value with faults, on top of how it deviates anyway.

    Args:
        golden: The golden value.
        layout: Where its samples lie.
        deviation: How it deviates without the faults, None if it does not.
        faults: The faults.
        size: Samples in the run.

    Returns:
        How it deviates with them; None if they change nothing.

    Raises:
        FaultError: The value has not the size that its site's layout promises.
    """
    columns, sample = faults.columns, faults.columns.sample
    everywhere = deviation is not None and deviation.samples is None and deviation.region is None
    elements = deviation.values.size if deviation is not None and everywhere else golden.size
    if faults.site.in_bytes:
        elements *= elements_a_byte(format_of(faults.site.element).width)
    if elements < faults.elements:
        raise FaultError(
            f"site {faults.site.name!r} has {elements} elements in this run, fewer than the"
            f" profile's layout says"
        )
    if not len(columns.index):
        return deviation
    if sample is None or layout.batch_axis != 0 or everywhere:
        values = _own(gathered(golden, layout, deviation, None), golden)
        before, after = _carry_out(values, columns.index, columns, faults.site)
        if deviation is None and np.array_equal(before, after):
            return None
        return Deviation(samples=None, values=values)
    region = _region(golden, faults, size) if deviation is None else None
    if region is not None:
        return _in_region(golden, faults, region, size)
    found = _by_sample(golden, layout, deviation, faults, size)
    each = golden.size // size
    return None if found is None else replace(found, near=float(columns.index[0] % each) / each)


def _region(golden: NDArray[Any], faults: ValueFaults, size: int) -> Region | None:
    """The part of an image that few faults lie in; None where they are many, or far apart."""
    index, block = faults.columns.index, faults.block
    if block is None or golden.ndim != _IMAGE or len(index) > _FEW * size:
        return None
    height, width = golden.shape[2:]
    rows, columns = np.divmod(index // block % (height * width), width)
    found = Region(
        top=int(rows.min()),
        bottom=int(rows.max()) + 1,
        left=int(columns.min()),
        right=int(columns.max()) + 1,
        block=block,
    )
    return found if found.area <= _SMALL * height * width else None


def _in_region(
    golden: NDArray[Any], faults: ValueFaults, region: Region, size: int
) -> Deviation | None:
    """A value with faults that lie in a region, in samples that are golden otherwise."""
    columns, block = faults.columns, region.block
    sample = columns.sample
    assert sample is not None
    hit = np.flatnonzero(np.bincount(sample))
    samples = None if hit.size == size else hit
    values = crop(golden, region, samples)
    height, width = golden.shape[2:]
    places, channel = np.divmod(columns.index % (golden.size // size), block)
    blocks, places = np.divmod(places, height * width)
    rows, cols = np.divmod(places, width)
    tall, wide = region.bottom - region.top, region.right - region.left
    row = sample if samples is None else np.searchsorted(samples, sample)
    lead = row * (golden.shape[1] // block) + blocks
    index = ((lead * tall + rows - region.top) * wide + cols - region.left) * block + channel
    before, after = _carry_out(values, index, columns, faults.site)
    kept = np.flatnonzero(np.bincount(sample[before != after]))
    if not kept.size:
        return None
    if kept.size < hit.size:
        positions = kept if samples is None else np.searchsorted(samples, kept)
        samples, values = kept, values[positions]
    return Deviation(samples=samples, values=values, region=region)


def _by_sample(
    golden: NDArray[Any],
    layout: SampleLayout,
    deviation: Deviation | None,
    faults: ValueFaults,
    size: int,
) -> Deviation | None:
    """The same where each fault lies in one sample and the others need not be looked at."""
    columns, each = faults.columns, golden.size // size
    sample = columns.sample
    assert sample is not None
    hit = np.flatnonzero(np.bincount(sample))
    touched = Deviation(samples=hit, values=golden)
    samples = united([touched] if deviation is None else [touched, deviation], size)
    values = _own(gathered(golden, layout, deviation, samples), golden)
    index = columns.index
    if samples is not None:
        index = index + (np.searchsorted(samples, sample) - sample) * each
    before, after = _carry_out(values, index, columns, faults.site)
    if deviation is not None:
        return Deviation(samples=samples, values=values)
    kept = np.flatnonzero(np.bincount(sample[before != after]))
    if not kept.size:
        return None
    if kept.size == hit.size:
        return Deviation(samples=samples, values=values)
    positions = kept if samples is None else np.searchsorted(samples, kept)
    return Deviation(samples=kept, values=samples_of(values, layout, positions))


def _own(values: NDArray[Any], golden: NDArray[Any]) -> NDArray[Any]:
    """The values in an array that may be written to."""
    shared = values is golden or not values.flags.writeable or not values.flags.c_contiguous
    return values.copy() if shared else values


def _carry_out(
    values: NDArray[Any], index: NDArray[np.int64], columns: RunColumns, site: FaultSite
) -> tuple[Words, Words]:
    """Carry faults out in place; the words of the elements before and after."""
    if site.in_bytes:
        data = values.reshape(-1)
        words = packed_words(data, index, site.element)
        faulty = faulted(words, columns, site.element)
        change_packed(data, index, faulty, site.element)
        return words, faulty
    stored = values.reshape(-1).view(format_of(site.element).word)
    words = stored[index]
    faulty = faulted(words, columns, site.element)
    stored[index] = faulty
    return words, faulty
