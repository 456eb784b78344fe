"""Reports: what a campaign, a replay or a sensitivity says, as pages, documents and files.

In: summaries, replays and sensitivities that other rooms have computed, and rows to export. Out: a
:class:`Page` of facts, tables and notes, shown in the terminal or as Markdown or HTML; plain values
for JSON; CSV and JSON Lines; conditions that a report is held against. Nothing is computed here but
texts. A section of a campaign's page is a function that gives tables, and a line of ``SECTIONS``.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.report._campaign import (
        engine_fact,
        full_page,
        progress_text,
        rates_view,
        short_page,
    )
    from onnxfi.report._compare import comparison_page
    from onnxfi.report._document import json_text, report_document, summary_document
    from onnxfi.report._format import (
        bytes_text,
        count_text,
        counted,
        duration_text,
        interval_text,
        rate_text,
        share_text,
    )
    from onnxfi.report._gate import Condition, parse_condition
    from onnxfi.report._graphs import graphs_fact, graphs_views
    from onnxfi.report._html import render_html
    from onnxfi.report._left_out import left_out_text
    from onnxfi.report._markdown import render_markdown
    from onnxfi.report._replay import replay_document, replay_page
    from onnxfi.report._sensitivity import sensitivity_document, sensitivity_page
    from onnxfi.report._text import draw_interval, render_text, scale_top
    from onnxfi.report._view import Column, Fact, Page, Row, TableView
    from onnxfi.report._write import report_form, write_csv, write_jsonl, write_report
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_campaign": [
                "engine_fact",
                "full_page",
                "progress_text",
                "rates_view",
                "short_page",
            ],
            "_compare": [
                "comparison_page",
            ],
            "_document": [
                "json_text",
                "report_document",
                "summary_document",
            ],
            "_format": [
                "bytes_text",
                "count_text",
                "counted",
                "duration_text",
                "interval_text",
                "rate_text",
                "share_text",
            ],
            "_gate": [
                "Condition",
                "parse_condition",
            ],
            "_graphs": [
                "graphs_fact",
                "graphs_views",
            ],
            "_html": [
                "render_html",
            ],
            "_left_out": [
                "left_out_text",
            ],
            "_markdown": [
                "render_markdown",
            ],
            "_replay": [
                "replay_document",
                "replay_page",
            ],
            "_sensitivity": [
                "sensitivity_document",
                "sensitivity_page",
            ],
            "_text": [
                "draw_interval",
                "render_text",
                "scale_top",
            ],
            "_view": [
                "Column",
                "Fact",
                "Page",
                "Row",
                "TableView",
            ],
            "_write": [
                "report_form",
                "write_csv",
                "write_jsonl",
                "write_report",
            ],
        },
    )

__all__ = [
    "Column",
    "Condition",
    "Fact",
    "Page",
    "Row",
    "TableView",
    "bytes_text",
    "comparison_page",
    "count_text",
    "counted",
    "draw_interval",
    "duration_text",
    "engine_fact",
    "full_page",
    "graphs_fact",
    "graphs_views",
    "interval_text",
    "json_text",
    "left_out_text",
    "parse_condition",
    "progress_text",
    "rate_text",
    "rates_view",
    "render_html",
    "render_markdown",
    "render_text",
    "replay_document",
    "replay_page",
    "report_document",
    "report_form",
    "scale_top",
    "sensitivity_document",
    "sensitivity_page",
    "share_text",
    "short_page",
    "summary_document",
    "write_csv",
    "write_jsonl",
    "write_report",
]
