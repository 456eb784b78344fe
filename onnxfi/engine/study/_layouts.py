"""Where samples lie in run-time tensors: read from shapes, proven by replacing one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import changed
from onnxfi.faults import SampleLayout

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What replacing one sample of a run did to a value.

    Attributes:
        sample: The sample that was replaced.
        differs: bool, in the value's shape: elements with other bits. None if the shape changed.
    """

    sample: int
    differs: NDArray[np.bool_] | None

    @classmethod
    def between(cls, sample: int, base: NDArray[Any], value: NDArray[Any]) -> Replacement:
        """The change from ``base`` to ``value``."""
        differs = changed(base, value) if base.shape == value.shape else None
        return cls(sample=sample, differs=differs)


def by_growth(two: Shape, three: Shape) -> SampleLayout | str:
    """Layout of a value from its shapes in runs over two and over three samples.

    The axis that goes from 2m to 3m is the batch axis, with m rows a sample; a value that does
    not grow exists once per run.

    Returns:
        The layout, or why there is none.
    """
    if len(two) != len(three):
        return f"its rank changes with the batch: {list(two)}, {list(three)}"
    moved = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    if not moved:
        return SampleLayout(shape=two, batch_axis=None)
    if len(moved) > 1:
        return f"several axes change with the batch: {list(two)}, {list(three)}"
    axis = moved[0]
    rows, rest = divmod(two[axis], 2)
    if rest or three[axis] != 3 * rows:
        return f"its shape depends on the data: {list(two)} for 2 samples, {list(three)} for 3"
    return SampleLayout(shape=(*two[:axis], rows, *two[axis + 1 :]), batch_axis=axis)


def by_replacement(
    shape: Shape, changes: Sequence[Replacement], samples: int
) -> SampleLayout | str:
    """Layout of a value of a fixed batch, from what replacing samples did to it.

    A value that no sample changes (weights made at run time) exists once per run, even if one of
    its axes happens to be divisible by the batch.

    Returns:
        The layout, or why there is none.
    """
    if not any(change.differs is None or change.differs.any() for change in changes):
        return SampleLayout(shape=shape, batch_axis=None)
    options = [
        SampleLayout(shape=(*shape[:axis], size // samples, *shape[axis + 1 :]), batch_axis=axis)
        for axis, size in enumerate(shape)
        if size and size % samples == 0
    ]
    return proven(options, changes, samples)


def of_repeated_sample(shape: Shape, rows: int) -> SampleLayout:
    """Layout where a run holds one sample, repeated ``rows`` times to fill a fixed batch."""
    if rows > 1 and shape and shape[0] and shape[0] % rows == 0:
        return SampleLayout(shape=(shape[0] // rows, *shape[1:]), batch_axis=0)
    return SampleLayout(shape=shape, batch_axis=None)


def proven(
    layouts: Sequence[SampleLayout], changes: Sequence[Replacement], samples: int
) -> SampleLayout | str:
    """The first layout under which every change stays inside the sample that was replaced.

    Rows that were flattened time-first (row = step * samples + sample) are found too; they get a
    layout with the steps as an axis of their own, which has the same flat order.

    Returns:
        The layout, or why there is none.
    """
    differ = [(change.sample, change.differs) for change in changes if change.differs is not None]
    if len(differ) < len(changes):
        return "its shape depends on the data"
    for layout in layouts:
        for candidate in (layout, _time_first(layout)):
            if candidate is not None and _contained(candidate, differ, samples):
                return candidate
    return "one sample's elements can't be told from another's"


def of_one_sample(value: NDArray[Any], layout: SampleLayout, sample: int) -> NDArray[Any]:
    """One sample's elements of an output, in the shape of the layout."""
    if layout.batch_axis is None:
        return value
    first = sample * layout.rows
    # A slice, since a value whose size depends on the data may have fewer.
    return value[(slice(None),) * layout.batch_axis + (slice(first, first + layout.rows),)]


def _time_first(layout: SampleLayout) -> SampleLayout | None:
    """The same tensor with the rows of a sample apart from each other."""
    axis = layout.batch_axis
    if axis is None or layout.rows == 1:
        return None
    shape = (*layout.shape[: axis + 1], 1, *layout.shape[axis + 1 :])
    return SampleLayout(shape=shape, batch_axis=axis + 1)


def _contained(
    layout: SampleLayout, differ: Sequence[tuple[int, NDArray[np.bool_]]], samples: int
) -> bool:
    if layout.batch_axis is None:
        return not any(flags.any() for _, flags in differ)
    for sample, flags in differ:
        whole = flags.reshape(layout.run_shape(samples))
        rows = np.moveaxis(whole, layout.batch_axis, 0).reshape(samples, -1)
        touched = np.flatnonzero(rows.any(axis=1))
        if (touched != sample).any():
            return False
    return True
