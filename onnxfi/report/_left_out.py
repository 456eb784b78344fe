"""Tensors that get no fault: what no site is and why, and what optimisation removes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from onnxfi.report._format import count_text, counted
from onnxfi.report._view import Column, Fact, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary
    from onnxfi.faults import LeftOutGroup


def left_out_text(groups: Sequence[LeftOutGroup]) -> str:
    """All of it in a line: how many tensors, and of each reason a few names."""
    parts = [f"{count_text(group.tensors)} {group.reason} ({_names(group)})" for group in groups]
    total = sum(group.tensors for group in groups)
    return f"{counted(total, 'tensor')} of the chosen kinds: {'; '.join(parts)}"


def left_out_fact(groups: Sequence[LeftOutGroup]) -> Iterator[Fact]:
    """The same as a fact; none where nothing was left out."""
    if groups:
        yield Fact(label="left out", text=left_out_text(groups))


def left_out_views(summary: CampaignSummary) -> list[TableView]:
    """A table of reasons; none where nothing was left out."""
    groups = summary.left_out
    if not groups:
        return []
    return [
        TableView(
            title="Left out",
            columns=(
                Column(title="why", number=False),
                Column(title="tensors"),
                Column(title="such as", number=False),
            ),
            rows=tuple(
                Row(cells=(group.reason, count_text(group.tensors), _names(group)))
                for group in groups
            ),
            note="tensors of the chosen kinds that no fault goes to",
        )
    ]


def _names(group: LeftOutGroup) -> str:
    return ", ".join(group.names) + (", …" if group.tensors > len(group.names) else "")


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
