"""Tensors that optimisation removes, in every form of a report."""

from __future__ import annotations

import pytest

from onnxfi.campaign import RemovedEntry
from onnxfi.report import full_page, short_page, summary_document

GONE = tuple(
    RemovedEntry(name=name, stored=False, reason=f"fused into the Conv that makes '{name}/relu'")
    for name in ("a", "b", "c", "d")
)


def _fact(page):
    return [fact.text for fact in page.facts if fact.label == "removed by fusion"]


def test_they_are_counted_and_named(make_summary):
    summary = make_summary(removed=GONE)
    expected = "4 of 2 sites would not exist if they were not faulted: a, b, c, …"
    assert _fact(short_page(summary)) == _fact(full_page(summary)) == [expected]
    deployed = make_summary(removed=GONE[:1], graph="deployed")
    assert _fact(short_page(deployed)) == ["1 tensor of the file can't be faulted here: a"]


def test_files_have_all_of_them(make_summary):
    summary = make_summary(removed=GONE)
    (table,) = [each for each in full_page(summary).tables if each.title == "Removed by fusion"]
    assert [row.cells[0] for row in table.rows] == ["a", "b", "c", "d"]
    assert table.rows[0].cells[1:] == ("computed", "fused into the Conv that makes 'a/relu'")
    document = summary_document(summary)
    assert document["removed"][3] == {
        "name": "d",
        "stored": False,
        "reason": "fused into the Conv that makes 'd/relu'",
    }


@pytest.mark.parametrize("page", [short_page, full_page])
def test_nothing_is_said_where_nothing_was_removed_or_nobody_has_looked(make_summary, page):
    summary = make_summary()
    assert _fact(page(summary)) == []
    assert "Removed by fusion" not in [table.title for table in page(summary).tables]
    assert summary_document(summary)["removed"] is None
    looked = make_summary(removed=())
    assert _fact(page(looked)) == []
    assert summary_document(looked)["removed"] == []
