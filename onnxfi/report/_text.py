"""A page as rich renderables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from onnxfi.report._view import Page, TableView

if TYPE_CHECKING:
    from onnxfi.analysis import Interval

_DRAWING_WIDTH = 24
_SMALLEST_SCALE = 1e-12  # below, powers of ten lose their digits


def render_text(page: Page, width: int) -> Iterator[RenderableType]:
    """Renderables of a page, in order; no text of it is read as markup.

    Args:
        page: The page.
        width: Characters a line; tables that are wider lose their drawing and optional columns.
    """
    yield Text(page.title, style="bold")
    if page.facts:
        facts = Table.grid(padding=(0, 2))
        for fact in page.facts:
            facts.add_row(Text(fact.label, style="dim"), Text(fact.text))
        yield Padding(facts, (0, 0, 0, 2), expand=False)
    for table in page.tables:
        yield Text()
        yield render_table(table, width)
        if table.note:
            yield Text(f"  {table.note}", style="dim")
    if page.notes:
        yield Text()
    for note in page.notes:
        yield Text(f"note: {note}", style="yellow")


def render_table(view: TableView, width: int) -> Table:
    """One table, with a drawing of the intervals where rows have them and there is room."""
    while True:
        drawn = view.drawn and natural_width(view) + _DRAWING_WIDTH + 2 <= width
        optional = [place for place, column in enumerate(view.columns) if column.optional]
        if natural_width(view) <= width or not optional:
            return _table(view, drawn=drawn)
        view = view.without(optional[-1])


def natural_width(view: TableView) -> int:
    """Characters that the columns need when nothing is wrapped or cut."""
    widths = [cell_len(column.title) for column in view.columns]
    for row in view.rows:
        widths = [max(pair) for pair in zip(widths, map(cell_len, row.cells), strict=True)]
    return sum(widths) + 2 * len(widths)


def _table(view: TableView, *, drawn: bool) -> Table:
    table = Table(
        title=Text(view.title, style="bold"),
        title_justify="left",
        box=None,
        header_style="dim",
        padding=(0, 1),
    )
    for column in view.columns:
        table.add_column(
            Text(column.title), justify="right" if column.number else "left", no_wrap=column.number
        )
    top = scale_top(view)
    if drawn:
        table.add_column(Text(f"0 to {top:g}"), no_wrap=True, min_width=_DRAWING_WIDTH)
    for row in view.rows:
        cells = [Text(cell) for cell in row.cells]
        if drawn:
            cells.append(Text(draw_interval(row.interval, top), style="cyan"))
        table.add_row(*cells)
    if view.left_out:
        table.add_row(Text(f"... and {view.left_out:,} more", style="dim"))
    return table


def scale_top(view: TableView) -> float:
    """A round number at or above every interval of the table, at most 1."""
    highs = [row.interval.high for row in view.rows if row.interval is not None]
    highest = max((high for high in highs if not math.isnan(high)), default=0.0)
    if highest <= 0:
        return 1.0
    highest = max(highest, _SMALLEST_SCALE)
    power = 10.0 ** math.floor(math.log10(highest))
    for step in (1, 2, 5, 10):
        if step * power >= highest * (1 - 1e-12):
            return min(step * power, 1.0)
    raise AssertionError("unreachable: 10 times the power of ten below a number is above it")


def draw_interval(interval: Interval | None, top: float, width: int = _DRAWING_WIDTH) -> str:
    """``   ├──●────┤``: the interval and its value on a scale from 0 to ``top``."""
    if interval is None or math.isnan(interval.value):
        return ""

    def place(value: float) -> int:
        return min(max(round(value / top * (width - 1)), 0), width - 1)

    low, middle, high = place(interval.low), place(interval.value), place(interval.high)
    cells = [" "] * width
    cells[low : high + 1] = "─" * (high + 1 - low)
    cells[low], cells[high] = "├", "┤"
    cells[middle] = "●"
    return "".join(cells).rstrip()
