"""A report as a file: the suffix says which form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfi.errors import ConfigError
from onnxfi.report._campaign import full_page
from onnxfi.report._compare import comparison_page
from onnxfi.report._document import json_text, report_document
from onnxfi.report._files import atomic_text
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
