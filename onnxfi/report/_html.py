"""A page as one self-contained HTML file: no script, no network, light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from onnxfi.report._text import scale_top
from onnxfi.report._view import Page, Row, TableView

if TYPE_CHECKING:
    from onnxfi.analysis import Interval


STYLE = """\
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0;
  --paper: #ffffff; --mark: #0b68cb; --warn: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --soft: #b0b4ba; --line: #43484e; --paper: #15171a;
    --mark: #6cb2ff; --warn: #453618; }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--warn); padding: .5rem .75rem; border-radius: .3rem; }
.aside { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line); }
td { max-width: 24rem; overflow-wrap: break-word; }
th, .number { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.scale span:last-child { float: right; }
svg { display: block; }
svg .axis { stroke: var(--line); }
svg .range { stroke: var(--mark); stroke-width: 2; }
svg circle { fill: var(--mark); }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { .wide { overflow: visible; } }
"""


#: From this many lines on, a table starts folded.
_FOLDED_FROM = 40
_DRAWING = 160
_HEIGHT = 16
_MARGIN = 5


def render_html(page: Page) -> str:
    """The page as an HTML document; every text of it is escaped."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    title = escape(page.title)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    # Nothing is loaded from anywhere, even if a text slipped through unescaped.
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{title}</title>"
    yield f"<style>\n{STYLE}</style>"
    yield "</head>"
    yield "<body>"
    yield "<main>"
    yield f"<h1>{title}</h1>"
    yield "<dl>"
    for fact in page.facts:
        yield f"<dt>{escape(fact.label)}</dt><dd>{escape(fact.text)}</dd>"
    yield "</dl>"
    for note in page.notes:
        yield f'<p class="note">{escape(note)}</p>'
    for table in page.tables:
        yield from _section(table)
    yield "</main>"
    yield "</body>"
    yield "</html>"


def _section(view: TableView) -> Iterator[str]:
    folded = len(view.rows) >= _FOLDED_FROM
    yield "<section>"
    yield f"<h2>{escape(view.title)}</h2>"
    if folded:
        yield f"<details><summary>{len(view.rows):,} lines</summary>"
    yield '<div class="wide">'
    yield "<table>"
    yield from _table(view)
    yield "</table>"
    yield "</div>"
    if view.left_out:
        yield f'<p class="aside">... and {view.left_out:,} more</p>'
    if folded:
        yield "</details>"
    if view.note:
        yield f'<p class="aside">{escape(view.note)}</p>'
    yield "</section>"


def _table(view: TableView) -> Iterator[str]:
    top = scale_top(view)
    heads = [_cell("th", column.title, column.number) for column in view.columns]
    if view.drawn:
        scale = f'<th class="scale"><span>0</span><span>{top:g}</span></th>'
        heads.insert(_drawing_place(view), scale)
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for row in view.rows:
        yield f"<tr>{_row(view, row, top)}</tr>"
    yield "</tbody>"


def _row(view: TableView, row: Row, top: float) -> str:
    cells = [
        _cell("td", text, column.number)
        for text, column in zip(row.cells, view.columns, strict=True)
    ]
    if view.drawn:
        cells.insert(_drawing_place(view), f"<td>{_drawing(row.interval, top)}</td>")
    return "".join(cells)


def _drawing_place(view: TableView) -> int:
    """Before the first number: a wide table is scrolled, and its drawing should be in sight."""
    numbers = (place for place, column in enumerate(view.columns) if column.number)
    return next(numbers, len(view.columns))


def _cell(tag: str, text: str, number: bool) -> str:
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _drawing(interval: Interval | None, top: float) -> str:
    """The interval as a line with a dot at its value, on a scale from 0 to ``top``."""
    if interval is None or math.isnan(interval.value):
        return ""

    def place(value: float) -> str:
        inner = _DRAWING - 2 * _MARGIN
        return f"{_MARGIN + inner * min(max(value / top, 0.0), 1.0):.1f}"

    middle = _HEIGHT // 2
    return (
        f'<svg width="{_DRAWING}" height="{_HEIGHT}" role="img" '
        f'aria-label="{interval.low:.4g} to {interval.high:.4g}">'
        f'<line class="axis" x1="{_MARGIN}" x2="{_DRAWING - _MARGIN}" y1="{middle}" y2="{middle}"/>'
        f'<line class="range" x1="{place(interval.low)}" x2="{place(interval.high)}" '
        f'y1="{middle}" y2="{middle}"/>'
        f'<circle cx="{place(interval.value)}" cy="{middle}" r="4"/></svg>'
    )
