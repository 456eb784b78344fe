"""What is written to files: a report in the form that its suffix names, rows as CSV or JSONL."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from onnxfi.errors import ConfigError
from onnxfi.files import atomic_text
from onnxfi.outcome import RECORD_COLUMNS
from onnxfi.report._campaign import full_page
from onnxfi.report._compare import comparison_page
from onnxfi.report._document import json_text, report_document
from onnxfi.report._html import render_html
from onnxfi.report._markdown import render_markdown

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary
    from onnxfi.report._gate import Condition


_SUFFIXES = (".html", ".htm", ".md", ".json")


def report_form(path: Path) -> str:
    """The form that a report file asks for, a suffix in lower case.

    Raises:
        ConfigError: There is no such form.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigError(f"report file '{path}' must end in {', '.join(_SUFFIXES)}")
    return suffix


def write_report(
    summaries: Sequence[CampaignSummary],
    path: Path,
    held: Sequence[tuple[CampaignSummary, Condition]] = (),
) -> None:
    """Write the report on a campaign, or the comparison of several.

    Args:
        summaries: At least one.
        path: File to write; ``.html``, ``.md`` or ``.json``.
        held: Conditions of a gate that are true, for the JSON form.

    Raises:
        ConfigError: Another suffix.
    """
    form = report_form(path)
    if form == ".json":
        text = json_text("report", report_document(summaries, held))
    else:
        page = comparison_page(summaries) if len(summaries) > 1 else full_page(summaries[0])
        text = render_markdown(page) if form == ".md" else render_html(page)
    with atomic_text(path) as file:
        file.write(text)


def write_jsonl(rows: Iterable[Mapping[str, Any]], file: TextIO) -> int:
    """Write one JSON object a line; returns how many."""
    encode = msgspec.json.Encoder().encode
    count = 0
    for row in rows:
        file.write(encode(row).decode() + "\n")
        count += 1
    return count


def write_csv(rows: Iterable[Mapping[str, Any]], file: TextIO) -> int:
    """Write a header and one line a row; returns how many rows.

    Nested values (faults, metrics) are written as JSON text, None as an empty field.

    Args:
        rows: The rows, with the keys of ``RECORD_COLUMNS``.
        file: Where to write.
    """
    encode = msgspec.json.Encoder().encode
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(RECORD_COLUMNS)
    count = 0
    for row in rows:
        count += 1
        cells = (row[name] for name in RECORD_COLUMNS)
        writer.writerow(
            encode(cell).decode() if isinstance(cell, Mapping | list | tuple) else cell
            for cell in cells
        )
    return count
