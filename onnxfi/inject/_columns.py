"""Fault columns made ready: checked, spread over the samples of a batch, one row an element."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, Words, format_of, merge
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWindow:
    """Samples ``start`` to ``stop - 1`` of the workload, in a run of ``size`` rows.

    Rows beyond the samples are padding: the last sample again, with its faults, but not counted.
    In a model whose rows influence each other a clean copy would change what the faulty row gives.
    """

    start: int
    stop: int
    size: int

    @property
    def samples(self) -> int:
        """Real samples in the run."""
        return self.stop - self.start

    @property
    def padding(self) -> int:
        """Rows that repeat the last sample."""
        return self.size - self.samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunColumns:
    """Unique flat indices with one pair of masks each: int64, uint64, uint64, all (k,).

    In a tensor whose first axis is the batch axis also the sample of the run that each is in, and
    where it is at hand the index within that sample.
    """

    index: NDArray[np.int64]
    and_mask: NDArray[np.uint64]
    xor_mask: NDArray[np.uint64]
    sample: NDArray[np.int64] | None = None
    within: NDArray[np.int64] | None = None


def faulted(words: Words, columns: RunColumns, element: ElementType) -> Words:
    """Words of the elements that columns name, with the faults in them."""
    faulty = words & columns.and_mask.astype(words.dtype)
    faulty ^= columns.xor_mask.astype(words.dtype)
    form = format_of(element)
    if form.width < 8 * words.itemsize:
        faulty &= words.dtype.type(form.mask)
    return faulty


def layout_of(site: FaultSite) -> SampleLayout:
    """The site's layout.

    Raises:
        FaultError: It is not known.
    """
    if site.layout is None:
        raise FaultError(
            f"site {site.name!r} has no known run-time shape, so no fault can be placed in it;"
            f" give inputs"
        )
    return site.layout


def checked(group: FaultGroup, site: FaultSite) -> SampleLayout:
    """The site's layout, once all indices lie inside it.

    Raises:
        FaultError: An index is outside the tensor (of one sample).
    """
    layout = layout_of(site)
    # As unsigned numbers negative ones are large, too: one look at the column, not two.
    if len(group) and group.index.view(np.uint64).max() >= layout.elements:
        outside = group.index[(group.index < 0) | (group.index >= layout.elements)]
        raise FaultError(
            f"index {outside[0]} is out of range for site {site.name!r}, which has"
            f" {layout.elements} elements{'' if site.kind.stored else ' a sample'}"
        )
    return layout


def whole_columns(group: FaultGroup, site: FaultSite) -> RunColumns:
    """Faults that are there for every sample, indices within one sample (or the stored tensor).

    Raises:
        FaultError: An index is out of range, or a fault is bound to one sample.
    """
    checked(group, site)
    if group.sample is not None and (group.sample >= 0).any():
        what = (
            "a fault in a stored tensor is there for every sample"
            if site.kind.stored
            else "a fault in one sample can't be written into a file; run it with --engine ports"
        )
        raise FaultError(f"site {site.name!r} has a fault bound to one sample: {what}")
    return _merged(group.index, group.and_mask, group.xor_mask)


def window_columns(group: FaultGroup, site: FaultSite, window: BatchWindow) -> RunColumns:
    """Faults of a computed tensor in one run, indices into the run-time tensor.

    Raises:
        FaultError: An index is out of range, or a fault bound to one sample would hit several,
            since the tensor exists once per run and the run holds more than one sample.
    """
    layout = checked(group, site)
    if group.sample is None:
        columns = _merged(group.index, group.and_mask, group.xor_mask)
        return _every_sample(columns, layout, window)
    if layout.batch_axis is None and window.samples > 1 and (group.sample >= 0).any():
        raise FaultError(
            f"site {site.name!r} exists once per run, so a fault bound to one sample needs runs"
            f" of one sample; use --batch-size 1"
        )
    position, rows = group.sample - window.start, group
    if not _all_in(position, window):
        owner, position = _spread(group.sample, window, layout)
        rows = replace(
            group,
            index=group.index[owner],
            and_mask=group.and_mask[owner],
            xor_mask=group.xor_mask[owner],
        )
    flat = layout.flat(rows.index, position, window.size)
    index, and_mask, xor_mask = merge(flat, rows.and_mask, rows.xor_mask)
    if layout.batch_axis != 0:
        return RunColumns(index=index, and_mask=and_mask, xor_mask=xor_mask)
    kept = index is flat
    return RunColumns(
        index=index,
        and_mask=and_mask,
        xor_mask=xor_mask,
        sample=position if kept else index // max(1, layout.elements),
        within=rows.index if kept else None,
    )


def _every_sample(columns: RunColumns, layout: SampleLayout, window: BatchWindow) -> RunColumns:
    if layout.batch_axis is None:
        return columns
    position = np.arange(window.size, dtype=np.int64)[:, np.newaxis]
    first = layout.batch_axis == 0
    return RunColumns(
        index=layout.flat(columns.index[np.newaxis], position, window.size).ravel(),
        and_mask=np.tile(columns.and_mask, window.size),
        xor_mask=np.tile(columns.xor_mask, window.size),
        sample=np.repeat(position, len(columns.index)) if first else None,
    )


def _merged(
    index: NDArray[np.int64], and_mask: NDArray[np.uint64], xor_mask: NDArray[np.uint64]
) -> RunColumns:
    index, and_mask, xor_mask = merge(index, and_mask, xor_mask)
    return RunColumns(index=index, and_mask=and_mask, xor_mask=xor_mask)


def _all_in(position: NDArray[np.int64], window: BatchWindow) -> bool:
    """Whether each fault is bound to one sample of a run without padding."""
    if window.padding or not len(position):
        return False
    # As unsigned numbers negative ones are large, too: one look at the column, not two.
    return bool(position.view(np.uint64).max() < window.samples)


def _spread(
    sample: NDArray[np.int64], window: BatchWindow, layout: SampleLayout
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the group repeated for each sample of the run they are in, in list order."""
    everywhere = sample < 0
    inside = (sample >= window.start) & (sample < window.stop)
    per_run = layout.batch_axis is None
    copies = inside + np.where(sample == window.stop - 1, 0 if per_run else window.padding, 0)
    repeats = np.where(everywhere, 1 if per_run else window.size, copies)
    owner = np.repeat(np.arange(len(sample)), repeats)
    first = np.cumsum(repeats) - repeats
    position = np.arange(len(owner)) - first[owner]
    # The padding follows the last sample, which it repeats.
    return owner, position + np.where(everywhere, 0, sample - window.start)[owner]
