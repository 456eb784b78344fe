"""A report as a file: the suffix says which form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxfi.errors import ConfigError
from onnxfi.report._campaign import full_page
from onnxfi.report._compare import comparison_page
from onnxfi.report._document import json_text, summary_document
from onnxfi.report._files import atomic_text
from onnxfi.report._html import render_html
from onnxfi.report._markdown import render_markdown

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary

SUFFIXES = (".html", ".htm", ".md", ".json")


def write_report(summaries: Sequence[CampaignSummary], path: Path) -> None:
    """Write the report on a campaign, or the comparison of several.

    Args:
        summaries: At least one.
        path: File to write; ``.html``, ``.md`` or ``.json``.

    Raises:
        ConfigError: Another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"report file '{path}' must end in {', '.join(SUFFIXES)}")
    if suffix == ".json":
        documents = [summary_document(summary) for summary in summaries]
        text = json_text("report", {"campaigns": documents})
    else:
        page = comparison_page(summaries) if len(summaries) > 1 else full_page(summaries[0])
        text = render_markdown(page) if suffix == ".md" else render_html(page)
    with atomic_text(path) as file:
        file.write(text)
