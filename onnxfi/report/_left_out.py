"""What a campaign's settings choose and is no site: how much, why, and a few names."""

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
