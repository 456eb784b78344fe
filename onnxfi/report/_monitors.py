"""Monitored values and spike counts as tables: the fault-free run beside all injections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxfi.report._format import count_text, counted, share_text
from onnxfi.report._view import Column, Row, TableView

if TYPE_CHECKING:
    from onnxfi.analysis import MonitorRow, SpikeRow
    from onnxfi.campaign import CampaignSummary


_NOTE = "golden: without faults; changed: mean share of elements; NaN/inf: injections with new ones"


def monitor_views(summary: CampaignSummary, limit: int | None = None) -> list[TableView]:
    """A table of the monitored values in topological order; none where nothing is monitored."""
    if not summary.monitors or not summary.used:
        return []
    shown = summary.monitors[:limit]
    most = max(row.injections for row in summary.monitors)
    return [
        TableView(
            title="Monitored values",
            columns=(
                Column(title="value", number=False),
                Column(title="golden mean"),
                Column(title="mean"),
                Column(title="golden range", optional=True),
                Column(title="range", optional=True),
                Column(title="reached"),
                Column(title="changed"),
                Column(title="change of the sum", optional=True),
                Column(title="NaN/inf", optional=True),
            ),
            rows=tuple(Row(cells=_cells(row)) for row in shown),
            note=f"{_NOTE}; {counted(most, 'injection')}",
            left_out=len(summary.monitors) - len(shown),
        )
    ]


def _cells(row: MonitorRow) -> tuple[str, ...]:
    golden = row.golden
    return (
        row.value,
        _text(golden.mean),
        _text(row.mean),
        _range(golden.min, golden.max),
        _range(row.min, row.max),
        share_text(row.changed, row.injections),
        "-" if row.changed_share is None else f"{100 * row.changed_share:.3g} %",
        _text(row.sum_change),
        count_text(row.nonfinite),
    )


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


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
            rows=tuple(Row(cells=_spike_cells(row, summary.samples)) for row in summary.spikes),
            note="golden: without faults; changed: injections with another number of spikes; "
            f"{counted(seen, 'injection')}",
        )
    ]


def _spike_cells(row: SpikeRow, samples: int) -> tuple[str, ...]:
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
