"""Monitored values and spike counts over all injections, beside the fault-free run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxfi.outcome import InjectionRecord, SpikeCount, ValueStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRow:
    """A monitored value over injections.

    Attributes:
        value: Its name.
        golden: What it is in the fault-free run.
        injections: Injections in which it was measured.
        changed: How many of these changed some element of it.
        nonfinite: How many of these made some element infinite or NaN.
        changed_share: Mean share of elements changed.
        mean: Mean of its means; None if no injection has one.
        min: The smallest element in any injection; likewise.
        max: The largest; likewise.
        sum_change: Mean change of its sum; likewise.
    """

    value: str
    golden: ValueStatistics
    injections: int
    changed: int
    nonfinite: int
    changed_share: float | None
    mean: float | None
    min: float | None
    max: float | None
    sum_change: float | None


def monitor_rows(
    records: Sequence[InjectionRecord], golden: Mapping[str, ValueStatistics]
) -> tuple[MonitorRow, ...]:
    """One row a monitored value.

    Args:
        records: Finished injections.
        golden: Statistics of the fault-free run, by value.
    """
    return tuple(_monitor_row(value, records, clean) for value, clean in golden.items())


def _monitor_row(
    value: str, records: Sequence[InjectionRecord], golden: ValueStatistics
) -> MonitorRow:
    seen = [each.monitors[value] for each in records if value in each.monitors]
    seen = [each for each in seen if each.elements]
    return MonitorRow(
        value=value,
        golden=golden,
        injections=len(seen),
        changed=sum(bool(each.changed_share) for each in seen),
        # What is non-finite without a fault is no effect of one.
        nonfinite=sum(each.nonfinite > golden.nonfinite for each in seen),
        changed_share=_mean(each.changed_share for each in seen),
        mean=_mean(each.mean for each in seen),
        min=min(_known(each.min for each in seen), default=None),
        max=max(_known(each.max for each in seen), default=None),
        sum_change=_mean(each.sum_change for each in seen),
    )


def _known(figures: Iterable[float | None]) -> Iterator[float]:
    return (figure for figure in figures if figure is not None)


def _mean(figures: Iterable[float | None]) -> float | None:
    known = list(_known(figures))
    return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeRow:
    """Spikes of one layer over injections, all counts over all samples of the workload.

    Attributes:
        layer: Its name.
        golden: Spikes in the fault-free run.
        injections: Injections in which they were counted.
        changed: Share of these in which their number was another one; None if there are none.
        change: Mean change of their number; likewise.
        least: Largest loss (or smallest gain) of any injection; likewise.
        most: Largest gain (or smallest loss); likewise.
    """

    layer: str
    golden: float
    injections: int
    changed: float | None
    change: float | None
    least: float | None
    most: float | None


def spike_rows(
    records: Sequence[InjectionRecord], golden: Mapping[str, SpikeCount]
) -> tuple[SpikeRow, ...]:
    """One row a layer.

    Args:
        records: Finished injections.
        golden: Spikes of the fault-free run, by layer.
    """
    return tuple(_spike_row(layer, records, clean) for layer, clean in golden.items())


def _spike_row(layer: str, records: Sequence[InjectionRecord], golden: SpikeCount) -> SpikeRow:
    counts = [record.spikes[layer] for record in records if layer in record.spikes]
    changes = [each.change for each in counts if each.count is not None and each.change is not None]
    n = len(changes)
    return SpikeRow(
        layer=layer,
        golden=golden.count or 0.0,
        injections=n,
        changed=sum(map(bool, changes)) / n if n else None,
        change=sum(changes) / n if n else None,
        least=min(changes, default=None),
        most=max(changes, default=None),
    )
