"""Failure rates by format and field: one campaign each, and the page that quotes them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import format_rates
import pytest

DOCS = Path(__file__).resolve().parents[4] / "docs"


def _rows():
    stored = json.loads((DOCS / "formats.json").read_text(encoding="utf-8"))
    rates = ("critical", "due", "failure")
    return [
        format_rates.Row(**{**row, **{name: tuple(row[name]) for name in rates}}) for row in stored
    ]


def test_the_page_shows_what_was_measured():
    page, rows = (DOCS / "formats.md").read_text(encoding="utf-8"), _rows()
    for network in format_rates.DATA:
        mine = [row for row in rows if row.network == network]
        measured = [(row.form, row.field) for row in mine]
        wanted = [(form, field) for form, names in format_rates.FIELDS.items() for field in names]
        assert measured == wanted
        assert "\n".join(format_rates.table(mine)) in page


def test_a_field_is_a_campaign_of_its_own(tmp_path):
    options = argparse.Namespace(folder=tmp_path, scenarios=3, workers=1)
    row = format_rates.measure("lenet5_mnist", "int4", "magnitude", options)
    assert (row.form, row.field, row.bits, row.scenarios) == ("int4", "magnitude", 3, 3)
    assert row.golden == pytest.approx(0.989, abs=0.003)
    assert [path.name for path in (tmp_path / "lenet5_mnist").iterdir()] == ["int4-magnitude-3"]
    again = format_rates.measure("lenet5_mnist", "int4", "magnitude", options)
    assert again == row
