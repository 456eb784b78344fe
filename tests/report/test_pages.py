"""What a page says about a campaign."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from onnxfi.analysis import Interval
from onnxfi.campaign import CampaignSummary
from onnxfi.report import (
    Page,
    TableView,
    comparison_page,
    full_page,
    interval_text,
    json_text,
    short_page,
    summary_document,
)

MakeSummary = Callable[..., CampaignSummary]


def _table(page: Page, start: str) -> TableView:
    return next(table for table in page.tables if table.title.startswith(start))


def test_every_rate_is_shown_with_its_interval(make_summary: MakeSummary) -> None:
    summary = make_summary()
    rates = _table(short_page(summary), "Rates")
    assert [row.cells[0] for row in rates.rows] == list(summary.rates)
    assert [row.interval for row in rates.rows[:-1]] == list(summary.rates.values())[:-1]
    accuracy = summary.rates["accuracy"]
    ends = (accuracy.value, accuracy.low, accuracy.high)
    assert rates.rows[-1].cells[2:] == tuple(f"{end:.4f}" for end in ends)
    assert rates.rows[-1].interval is None  # it would squeeze the scale of the others
    assert "95 %" in rates.note
    assert "12 scenarios" in rates.note


def test_domains_show_what_analysis_found(make_summary: MakeSummary) -> None:
    summary = make_summary()
    layers = _table(short_page(summary), "By layer")
    rows = summary.tables["layer"].rows
    assert [row.cells[:3] for row in layers.rows] == [
        (row.key, str(row.failures), str(row.n)) for row in rows
    ]
    assert [row.cells[3] for row in layers.rows] == [interval_text(row.rate) for row in rows]


def test_scenarios_that_are_not_counted_are_admitted(make_summary: MakeSummary) -> None:
    note = _table(short_page(make_summary()), "By bit").note
    assert "1 more had no scenario" in note
    assert "not counted: 3 scenarios (only scenarios with faults on exactly one bit" in note


def test_the_terminal_shows_the_worst_of_many_layers_and_files_show_all(
    make_summary: MakeSummary,
) -> None:
    summary = make_summary(n=90, layers=tuple(f"layer{k}" for k in range(30)))
    short = _table(short_page(summary), "By layer")
    assert len(short.rows) == 20
    assert short.left_out == 10
    assert short.rows[0].cells[0] == "layer0"  # the one that fails
    full = _table(full_page(summary), "By layer")
    assert [row.cells[0] for row in full.rows] == [f"layer{k}" for k in range(30)]
    assert full.left_out == 0


def test_outcomes_of_samples_sum_up(make_summary: MakeSummary) -> None:
    outcomes = _table(full_page(make_summary()), "Outcomes")
    assert sum(int(row.cells[1].replace(",", "")) for row in outcomes.rows) == 12 * 20


def test_what_is_pending_is_said(make_summary: MakeSummary, empty_summary: CampaignSummary) -> None:
    assert short_page(make_summary()).notes == ()
    notes = short_page(make_summary(complete=False, total=40)).notes
    assert notes[0] == "28 injections are pending; `onnxfi run runs/made-up` goes on"
    assert "nothing to estimate from" in short_page(empty_summary).notes[0]
    assert short_page(empty_summary).tables == ()
    assert full_page(empty_summary).tables == ()


def test_notes_of_the_campaign_are_kept(make_summary: MakeSummary) -> None:
    assert full_page(make_summary(notes=("beware",))).notes == ("beware",)


def test_criterion_is_told_with_and_without_labels(make_summary: MakeSummary) -> None:
    def criterion(summary: CampaignSummary) -> str:
        return next(fact.text for fact in short_page(summary).facts if fact.label == "criterion")

    assert criterion(make_summary()).endswith("fails from a drop in accuracy of 0.2 on")
    unlabelled = make_summary(golden_accuracy=None, accuracy=None)
    assert criterion(unlabelled).endswith("fails from a share of failed samples of 0.2 on")


def test_campaigns_are_compared_line_by_line(
    make_summary: MakeSummary, empty_summary: CampaignSummary
) -> None:
    first = make_summary(folder="a")
    page = comparison_page([first, replace(empty_summary, folder="b", drop=0.5)])
    rates = _table(page, "Rates")
    assert [row.cells[0] for row in rates.rows] == ["a", "b"]
    assert rates.rows[0].cells[2] == interval_text(first.rates["failure"])
    assert rates.rows[1].cells[2] == "-"
    assert any("drop differs (0.2, 0.5)" in note for note in page.notes)
    assert any(note == "b: 97 injections are pending" for note in page.notes)


def test_equal_campaigns_are_compared_without_warning(make_summary: MakeSummary) -> None:
    assert comparison_page([make_summary(), make_summary()]).notes == ()


def test_the_document_is_plain_json_with_every_figure(make_summary: MakeSummary) -> None:
    summary = make_summary()
    document = json.loads(json_text("report", summary_document(summary)))
    assert document["schema"] == "onnxfi/report/1"
    failure = document["rates"]["failure"]
    assert Interval(**failure) == summary.rates["failure"]
    assert document["outcomes"]["samples"] == 240
    assert document["outcomes"]["correct"] == summary.counts.correct
    assert [row["key"] for row in document["tables"]["layer"]["rows"]] == ["conv", "fc"]
    assert document["accuracy"]["worst"] == summary.accuracy.worst  # type: ignore[union-attr]
    assert document["scenarios"] == {"total": 12, "done": 12, "used": 12, "complete": True}


def test_json_has_no_nan() -> None:
    assert json.loads(json_text("x", {"value": float("nan")}))["value"] is None
