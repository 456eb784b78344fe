"""Statistics of a value inside a model, gathered batch by batch and put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.outcome._compare import changed_elements

_CHUNK = 1 << 15  # elements that are looked at as float64 at a time: 256 KiB, which caches hold


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueStatistics:
    """What a monitored value looked like in one injection, or in the fault-free run.

    All figures are float64. Elements that are infinite or NaN are counted and left out of the
    others; a figure that no element is left for, or that float64 can't hold, is None.

    Attributes:
        elements: Elements that were computed, over all samples whose run gave outputs.
        nonfinite: How many of them are infinite or NaN.
        min: The smallest.
        max: The largest.
        mean: Their mean.
        std: Their standard deviation (of the population).
        sum: Their sum; of spikes, which are 0 or 1, their number.
        zero_share: Share of all elements that are zero, -0.0 among them.
        changed_share: Share of all elements of which any bit differs from the fault-free run of
            the same session.
        sum_change: By how much the elements that are finite in both runs are larger, in all, than
            in the fault-free run of the same session.
    """

    elements: int
    nonfinite: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    sum: float | None
    zero_share: float | None
    changed_share: float | None
    sum_change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialStatistics:
    """Statistics of a part of a value's elements. Those of disjoint parts add up with ``+``.

    Means and squares are put together by the pairwise update of Chan, Golub and LeVeque (1979), so
    that the figures don't depend on how elements are cut into parts, but for rounding.

    Attributes:
        elements: Elements.
        nonfinite: Infinite or NaN among them.
        zeros: Zeros among them.
        low: The smallest finite one; infinity if there is none.
        high: The largest; minus infinity if there is none.
        total: Sum of the finite ones.
        squares: Sum of squared distances from their mean.
        changed: Elements that differ from the fault-free run.
        change: Sum of these, less that of their fault-free counterparts, where both are finite.
    """

    elements: int = 0
    nonfinite: int = 0
    zeros: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    squares: float = 0.0
    changed: int = 0
    change: float = 0.0

    def __add__(self, other: PartialStatistics) -> PartialStatistics:
        if not isinstance(other, PartialStatistics):
            return NotImplemented
        squares = self.squares + other.squares
        mine, theirs = self._finite, other._finite
        if mine and theirs:
            apart = other.total / theirs - self.total / mine
            squares += apart * apart * (mine * (theirs / (mine + theirs)))
        return PartialStatistics(
            elements=self.elements + other.elements,
            nonfinite=self.nonfinite + other.nonfinite,
            zeros=self.zeros + other.zeros,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            total=self.total + other.total,
            squares=squares,
            changed=self.changed + other.changed,
            change=self.change + other.change,
        )

    @property
    def _finite(self) -> int:
        return self.elements - self.nonfinite

    def whole(self) -> ValueStatistics:
        """The figures, once all parts are in."""
        finite, elements = self._finite, self.elements
        return ValueStatistics(
            elements=elements,
            nonfinite=self.nonfinite,
            min=_known(self.low),
            max=_known(self.high),
            mean=_known(self.total / finite) if finite else None,
            std=_known(math.sqrt(self.squares / finite)) if finite else None,
            sum=_known(self.total) if finite else None,
            zero_share=self.zeros / elements if elements else None,
            changed_share=self.changed / elements if elements else None,
            sum_change=_known(self.change),
        )


def value_statistics(values: NDArray[Any], golden: NDArray[Any] | None = None) -> PartialStatistics:
    """Statistics of an array.

    Args:
        values: Numbers or booleans of any dtype and shape.
        golden: What they are compared with; None compares with nothing. Where it has another
            shape, all elements count as changed.
    """
    found = sum(map(_of_chunk, _chunks(values)), PartialStatistics())
    if golden is None or golden is values:
        return found
    if golden.shape != values.shape:
        before = sum(map(_of_chunk, _chunks(golden)), PartialStatistics())
        difference = PartialStatistics(changed=values.size, change=found.total - before.total)
        return found + difference
    changed = changed_elements(golden, values)
    if not changed.any():
        return found
    faulty, clean = values.reshape(-1)[changed], golden.reshape(-1)[changed]
    change = sum(
        _difference(after, before)
        for after, before in zip(_chunks(faulty), _chunks(clean), strict=True)
    )
    return found + PartialStatistics(changed=int(np.count_nonzero(changed)), change=change)


def statistics_from(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, ValueStatistics]:
    """Statistics by value from plain dictionaries, as :func:`statistics_document` makes them."""
    names = [field.name for field in fields(ValueStatistics)]
    return {
        value: ValueStatistics(**{name: given[name] for name in names})
        for value, given in documents.items()
    }


def statistics_document(found: Mapping[str, ValueStatistics]) -> dict[str, dict[str, Any]]:
    """Statistics by value as plain dictionaries, for JSON."""
    return {value: asdict(statistics) for value, statistics in found.items()}


def _chunks(values: NDArray[Any]) -> Iterable[NDArray[Any]]:
    flat = values.reshape(-1)
    if flat.dtype.isbuiltin != 1:  # bfloat16 and float8: numpy is slow in them, or knows no minimum
        flat = flat.astype(np.float32)
    for start in range(0, flat.size, _CHUNK):
        yield flat[start : start + _CHUNK]


def _of_chunk(values: NDArray[Any]) -> PartialStatistics:
    # In the values' own type, which is faster; NaN in any element makes both of them NaN.
    low, high = float(values.min()), float(values.max())
    if math.isfinite(low) and math.isfinite(high):
        return _of_finite(values, low, high)
    kept = values[np.isfinite(values)]
    found = PartialStatistics(elements=values.size - kept.size, nonfinite=values.size - kept.size)
    return found + _of_finite(kept, float(kept.min()), float(kept.max())) if kept.size else found


def _of_finite(values: NDArray[Any], low: float, high: float) -> PartialStatistics:
    wide = values.astype(np.float64)
    # Beyond float64's range figures become infinite, and are None in the end.
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(wide.sum())
        wide -= total / wide.size
        squares = float(np.dot(wide, wide))
    return PartialStatistics(
        elements=values.size,
        zeros=values.size - int(np.count_nonzero(values)),
        low=low,
        high=high,
        total=total,
        squares=squares,
    )


def _difference(after: NDArray[Any], before: NDArray[Any]) -> float:
    kept = np.isfinite(after) & np.isfinite(before)
    with np.errstate(over="ignore"):
        return float((after[kept].astype(np.float64) - before[kept].astype(np.float64)).sum())


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeCount:
    """Spikes of one layer over all its steps and all samples.

    Attributes:
        count: How many there were; None if no sample's run gave outputs, or float64 can't hold it.
        change: How many more than in the fault-free run; likewise.
    """

    count: float | None
    change: float | None


def spike_counts(
    monitors: Mapping[str, ValueStatistics], layers: Mapping[str, Sequence[str]]
) -> dict[str, SpikeCount]:
    """Spikes by layer, from the statistics of the values that hold them.

    Args:
        monitors: Statistics by value.
        layers: The values that hold the spikes of each layer, one a step.
    """
    return {
        layer: SpikeCount(
            count=_sum([monitors[value].sum for value in values]),
            change=_sum([monitors[value].sum_change for value in values]),
        )
        for layer, values in layers.items()
    }


def spikes_document(spikes: Mapping[str, SpikeCount]) -> dict[str, dict[str, Any]]:
    """Spike counts by layer as plain dictionaries, for JSON."""
    return {layer: asdict(count) for layer, count in spikes.items()}


def spikes_from(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, SpikeCount]:
    """Spike counts by layer from plain dictionaries."""
    return {
        layer: SpikeCount(count=given["count"], change=given["change"])
        for layer, given in documents.items()
    }


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
