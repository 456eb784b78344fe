"""A sensitivity as a page, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from onnxfi.report._format import count_text, counted, rate_text, short_spec
from onnxfi.report._view import Column, Fact, Page, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import Measured
    from onnxfi.sensitivity import Expected, ExpectedRow

_SHOWN = 20
_SHOWN_NOTES = 5
_WORTH_SHOWING = 0.0005  # of all expected failures, for a bit
_LIKELY = (Column(title="expected failure rate"), Column(title="of all expected failures"))
_TIERS = ("0, rules alone", "1, probes")


def sensitivity_page(measured: Measured, expected: Expected, model: str) -> Page:
    """What the terminal shows.

    Args:
        measured: The sensitivity, and what it was measured for.
        expected: What its scores expect of the fault space.
        model: Where the model came from.
    """
    return Page(
        title=model,
        facts=tuple(_facts(measured, expected)),
        tables=(
            _sites_view(measured, expected),
            _bits_view(expected),
            *([_channels_view(expected)] if expected.channels else []),
        ),
        notes=tuple(_notes(measured.sensitivity.notes)),
    )


def sensitivity_document(measured: Measured, expected: Expected) -> dict[str, Any]:
    """All that a sensitivity says, for JSON."""
    found = measured.sensitivity
    methods = found.methods
    return {
        "model_sha256": found.model_sha256,
        "graph_sha256": found.graph_sha256,
        "inputs_sha256": found.inputs_sha256,
        "scores_sha256": found.scores.digest,
        "criterion": found.criterion,
        "options": msgspec.structs.asdict(found.options),
        "cost": {
            **asdict(found.cost),
            "injections": found.cost.injections(measured.samples),
            "workload_samples": measured.samples,
        },
        "space": measured.space.describe(),
        "expected": {
            "failure_rate": expected.rate,
            "failures": expected.failures,
            "faults": expected.faults,
        },
        "sites": [
            {"method": methods.get(row.key), **_row(expected, row)} for row in expected.sites
        ],
        "bits": [_row(expected, row) for row in expected.bits],
        "channels": [_row(expected, row) for row in expected.channels],
        "notes": list(found.notes),
    }


def _row(expected: Expected, row: ExpectedRow) -> dict[str, Any]:
    return {**asdict(row), "failure_rate": row.rate, "share": expected.share(row)}


def _facts(measured: Measured, expected: Expected) -> Iterator[Fact]:
    found, space = measured.sensitivity, measured.space
    models = ", ".join(short_spec(model.spec()) for model in space.models)
    yield Fact(
        label="faults",
        text=f"{counted(expected.faults, 'single fault')} ({models}) at "
        f"{counted(len(space.sites), 'site')}",
    )
    yield Fact(label="criterion", text=f"{found.criterion}, drop {found.options.drop:g}")
    used = min(found.options.samples, measured.samples)
    yield Fact(
        label="calibrated on",
        text=f"the first {counted(used, 'sample')} of {count_text(measured.samples)}",
    )
    yield Fact(label="tier", text=_TIERS[found.options.tier])
    yield Fact(label="cost", text=_cost_text(measured))
    yield Fact(
        label="expected failure rate",
        text=f"{rate_text(expected.rate)} under uniform choice (by the scores, not measured)",
    )


def _cost_text(measured: Measured) -> str:
    cost = measured.sensitivity.cost
    if not cost.samples:
        return "fault-free runs only"
    much = counted(cost.injections(measured.samples), "injection")
    return (
        f"{counted(cost.samples, 'sample-inference')} beyond fault-free runs, as many as {much} on "
        "these inputs"
    )


def _notes(notes: Sequence[str]) -> Iterator[str]:
    yield from notes[:_SHOWN_NOTES]
    more = len(notes) - _SHOWN_NOTES
    if more > 0:
        yield f"and {counted(more, 'note')} more, which --json lists"


def _sites_view(measured: Measured, expected: Expected) -> TableView:
    methods = measured.sensitivity.methods
    ranked = sorted(expected.sites, key=lambda row: -row.failures)
    kept = {row.key for row in ranked[:_SHOWN]}
    return TableView(
        title="By site",
        columns=(
            Column(title="site", number=False),
            Column(title="elements"),
            Column(title="bits", optional=True),
            *_LIKELY,
            Column(title="by", number=False, optional=True),
        ),
        rows=tuple(
            Row(
                cells=(
                    row.key,
                    count_text(row.elements),
                    count_text(row.bits),
                    *_likely(expected, row),
                    methods.get(row.key, ""),
                )
            )
            for row in expected.sites
            if row.key in kept
        ),
        left_out=len(ranked) - len(kept),
    )


def _bits_view(expected: Expected) -> TableView:
    shown = [row for row in expected.bits if expected.share(row) >= _WORTH_SHOWING]
    return TableView(
        title="By bit (0 is the least significant)",
        columns=(Column(title="bit", number=False), Column(title="faults"), *_LIKELY),
        rows=tuple(
            Row(cells=(row.key, count_text(row.faults), *_likely(expected, row))) for row in shown
        ),
        left_out=len(expected.bits) - len(shown),
    )


def _channels_view(expected: Expected) -> TableView:
    return TableView(
        title="Channels with most expected failures",
        columns=(
            Column(title="site", number=False),
            Column(title="channel"),
            Column(title="elements"),
            *_LIKELY,
        ),
        rows=tuple(
            Row(cells=(row.site, row.key, count_text(row.elements), *_likely(expected, row)))
            for row in expected.channels
        ),
    )


def _likely(expected: Expected, row: ExpectedRow) -> tuple[str, str]:
    return rate_text(row.rate), f"{100 * expected.share(row):.1f} %"
