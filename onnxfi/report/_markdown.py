"""A page as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from onnxfi.report._view import Page, TableView

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def render_markdown(page: Page) -> str:
    """The page as text; names from models are escaped, so that they can't format it."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield f"# {_escape(page.title)}"
    yield ""
    for fact in page.facts:
        yield f"- **{_escape(fact.label)}**: {_escape(fact.text)}"
    for table in page.tables:
        yield ""
        yield from _table(table)
    if page.notes:
        yield ""
    for note in page.notes:
        yield f"> {_escape(note)}"


def _table(view: TableView) -> Iterator[str]:
    yield f"## {_escape(view.title)}"
    yield ""
    yield "| " + " | ".join(_escape(column.title) for column in view.columns) + " |"
    yield "|" + "|".join("---:" if column.number else "---" for column in view.columns) + "|"
    for row in view.rows:
        yield "| " + " | ".join(_escape(cell) for cell in row.cells) + " |"
    if view.left_out:
        yield ""
        yield f"... and {view.left_out:,} more"
    if view.note:
        yield ""
        yield _escape(view.note)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
