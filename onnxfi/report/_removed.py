"""Tensors that onnxruntime's optimisation removes: how many, which, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxfi.report._format import count_text, counted
from onnxfi.report._view import Column, Fact, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary

_NAMED = 3


def removed_fact(summary: CampaignSummary) -> Iterator[Fact]:
    """A line that counts and names some of them; none where nothing was removed."""
    removed = summary.removed
    if not removed:
        return
    names = ", ".join(entry.name for entry in removed[:_NAMED])
    names += ", …" if len(removed) > _NAMED else ""
    if summary.graph == "stored":
        text = (
            f"{count_text(len(removed))} of {counted(summary.sites, 'site')} would not exist if"
            f" they were not faulted: {names}"
        )
    else:
        text = f"{counted(len(removed), 'tensor')} of the file can't be faulted here: {names}"
    yield Fact(label="removed by fusion", text=text)


def removed_views(summary: CampaignSummary) -> list[TableView]:
    """A table of all of them."""
    if not summary.removed:
        return []
    if summary.graph == "stored":
        note = "tensors of the file that are kept for the faults in them; --graph deployed has none"
    else:
        note = "tensors of the file that the deployed graph has in no form"
    return [
        TableView(
            title="Removed by fusion",
            columns=tuple(
                Column(title=title, number=False) for title in ("tensor", "it is", "what it became")
            ),
            rows=tuple(
                Row(cells=(entry.name, "stored" if entry.stored else "computed", entry.reason))
                for entry in summary.removed
            ),
            note=note,
        )
    ]
