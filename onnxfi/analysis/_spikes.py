"""Spike counts over all injections, beside the fault-free run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxfi.outcome import InjectionRecord, SpikeCount


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
    return tuple(_row(layer, records, clean) for layer, clean in golden.items())


def _row(layer: str, records: Sequence[InjectionRecord], golden: SpikeCount) -> SpikeRow:
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
