"""Several campaigns side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from onnxfi.report._campaign import faults_text
from onnxfi.report._format import count_text, interval_text, rate_text
from onnxfi.report._view import Column, Page, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary

_RATES = ("failure", "failed_share", "critical_share", "due_share", "accuracy", "precision")


def comparison_page(summaries: Sequence[CampaignSummary]) -> Page:
    """One line a campaign, and what keeps the lines from being comparable."""
    return Page(
        title=f"{len(summaries)} campaigns",
        facts=(),
        tables=(_rates(summaries), _settings(summaries)),
        notes=tuple(_notes(summaries)),
    )


def _rates(summaries: Sequence[CampaignSummary]) -> TableView:
    measured = [name for name in _RATES if any(name in s.rates for s in summaries)]
    labelled = any(s.golden_accuracy is not None for s in summaries)
    columns = [Column(title="campaign", number=False), Column(title="scenarios")]
    columns += [Column(title=name, optional=name != "failure") for name in measured]
    if labelled:
        columns.append(Column(title="fault-free accuracy", optional=True))
    rows = []
    for summary in summaries:
        cells = [summary.folder, count_text(summary.used)]
        for name in measured:
            interval = summary.rates.get(name)
            cells.append("-" if interval is None else interval_text(interval))
        if labelled:
            golden = summary.golden_accuracy
            cells.append("-" if golden is None else rate_text(golden))
        rows.append(Row(cells=tuple(cells), interval=summary.rates.get("failure")))
    return TableView(
        title="Rates",
        columns=tuple(columns),
        rows=tuple(rows),
        note="the drawing is of the failure rate",
    )


def _settings(summaries: Sequence[CampaignSummary]) -> TableView:
    titles = ("campaign", "model", "faults", "sampler", "criterion")
    return TableView(
        title="Settings",
        columns=(
            *(Column(title=title, number=False) for title in titles),
            Column(title="drop"),
            Column(title="samples"),
        ),
        rows=tuple(
            Row(
                cells=(
                    summary.folder,
                    summary.model,
                    faults_text(summary),
                    summary.sampler,
                    summary.criterion,
                    f"{summary.drop:g}",
                    count_text(summary.samples),
                )
            )
            for summary in summaries
        ),
    )


def _notes(summaries: Sequence[CampaignSummary]) -> Iterator[str]:
    for name, values in (
        ("drop", {summary.drop for summary in summaries}),
        ("criterion", {summary.criterion.split(" of ")[0] for summary in summaries}),
    ):
        if len(values) > 1:
            listed = ", ".join(sorted(map(str, values)))
            yield f"rates are not of the same thing: {name} differs ({listed})"
    for summary in summaries:
        if not summary.complete:
            pending = count_text(summary.total - summary.done)
            yield f"{summary.folder}: {pending} injections are pending"
        for note in summary.notes:
            yield f"{summary.folder}: {note}"
