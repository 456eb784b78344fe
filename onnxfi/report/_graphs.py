"""Graphs that injections ran in: how many scenarios each served, why, and how it agrees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxfi.report._format import count_text, counted
from onnxfi.report._view import Column, Fact, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary


def graphs_fact(summary: CampaignSummary) -> Iterator[Fact]:
    """A line that counts scenarios by kind of graph; none before the first injection."""
    kinds: dict[str, int] = {}
    for each in summary.graphs:
        kinds[each.use.graph] = kinds.get(each.use.graph, 0) + each.scenarios
    if not kinds:
        return
    text = ", ".join(f"{name} {count_text(count)}" for name, count in kinds.items())
    differing = max(each.use.differing for each in summary.graphs)
    if differing:
        text += (
            f"; fault-free answers differ from the file's on up to {counted(differing, 'sample')}"
        )
    yield Fact(label="graphs", text=text)


def graphs_views(summary: CampaignSummary) -> list[TableView]:
    """A table of all of them."""
    if not summary.graphs:
        return []
    return [
        TableView(
            title="Graphs",
            columns=(
                Column(title="graph", number=False),
                Column(title="scenarios"),
                Column(title="sites"),
                Column(title="answers differ"),
                Column(title="why", number=False),
            ),
            rows=tuple(
                Row(
                    cells=(
                        each.use.graph,
                        count_text(each.scenarios),
                        "-" if each.sites is None else count_text(each.sites),
                        f"{each.use.differing} of {each.use.compared}",
                        each.use.reason,
                    )
                )
                for each in summary.graphs
            ),
            note="answers without faults on the first batch that are not those of the file's own"
            ' session; onnxfi\'s docs, "How scenarios run", say what the graphs are',
        )
    ]
