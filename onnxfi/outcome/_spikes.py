"""Spike counts: how often the neurons of each layer fire, and how many spikes a fault made or took.

The values in which a layer's spikes are counted are 0 or 1, so their sum is their number. A fault
in a spike itself may make it something else; it then counts as what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from onnxfi.outcome._statistics import ValueStatistics


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
