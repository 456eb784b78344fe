"""Spike counts as a table: the fault-free run beside all injections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxfi.report._format import counted
from onnxfi.report._view import Column, Row, TableView

if TYPE_CHECKING:
    from onnxfi.analysis import SpikeRow
    from onnxfi.campaign import CampaignSummary


def spike_views(summary: CampaignSummary) -> list[TableView]:
    """A table of spikes by layer; none where they are not counted."""
    if not summary.spikes or not summary.used:
        return []
    seen = max(row.injections for row in summary.spikes)
    return [
        TableView(
            title="Spikes by layer, a sample",
            columns=(
                Column(title="layer", number=False),
                Column(title="golden"),
                Column(title="changed"),
                Column(title="mean change"),
                Column(title="most lost"),
                Column(title="most gained"),
            ),
            rows=tuple(Row(cells=_cells(row, summary.samples)) for row in summary.spikes),
            note="golden: without faults; changed: injections with another number of spikes; "
            f"{counted(seen, 'injection')}",
        )
    ]


def _cells(row: SpikeRow, samples: int) -> tuple[str, ...]:
    def each(count: float | None) -> str:
        return "-" if count is None else f"{count / samples:+.4g}"

    return (
        row.layer,
        f"{row.golden / samples:.4g}",
        "-" if row.changed is None else f"{100 * row.changed:.1f} %",
        each(row.change),
        "-" if row.least is None else each(min(row.least, 0.0)),
        "-" if row.most is None else each(max(row.most, 0.0)),
    )
