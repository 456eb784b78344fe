"""``onnxfi status``: how far a campaign is, its rates so far, and the time left."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import common_options, confidence_option, json_option

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary
    from onnxfi.report import Page


@click.command(name="status", short_help="Show how far a campaign is, and its rates so far.")
@click.argument("folder", type=click.Path())
@confidence_option
@json_option
@common_options
def command(folder: str, confidence: float, as_json: bool) -> None:
    """Show how far the campaign in FOLDER is, its rates so far, and the time left."""
    from onnxfi.campaign import open_campaign, summarize
    from onnxfi.cli._output import print_document, print_page

    summary = summarize(open_campaign(Path(folder)), confidence)
    left_s = _time_left_s(summary)
    if as_json:
        print_document("status", _document(summary, left_s))
    else:
        print_page(_page(summary, left_s))


def _time_left_s(summary: CampaignSummary) -> float | None:
    """Seconds of running that are left, for one worker; None before anything is known."""
    if summary.complete:
        return 0.0
    each = summary.run_s
    return None if each is None else each * (summary.total - summary.done)


def _document(summary: CampaignSummary, left_s: float | None) -> dict[str, Any]:
    from onnxfi.report import summary_document

    whole = summary_document(summary)
    about = ("folder", "identity", "model", "samples", "sample", "scenarios")
    how = ("engine", "provider", "optimization", "batch_size")
    kept = (*about, *how, "graphs", "rates", "run_s", "attempts")
    content = {key: whole[key] for key in kept}
    content["pending"] = summary.total - summary.done
    content["time_left_s"] = left_s
    return content


def _page(summary: CampaignSummary, left_s: float | None) -> Page:
    from onnxfi.report import (
        Fact,
        Page,
        count_text,
        duration_text,
        engine_fact,
        graphs_fact,
        graphs_views,
        progress_text,
        rates_view,
    )

    facts = [Fact(label="done", text=progress_text(summary))]
    if not summary.complete:
        pending = count_text(summary.total - summary.done)
        time = "" if left_s is None else f", about {duration_text(left_s)} with one worker"
        facts.append(Fact(label="pending", text=f"{pending}{time}"))
        facts.append(Fact(label="resume", text=f"onnxfi run {shlex.quote(summary.folder)}"))
    facts.append(Fact(label="a sample", text=summary.sample))
    facts.append(engine_fact(summary))
    facts += graphs_fact(summary)
    rates = (rates_view(summary),) if summary.rates else ()
    tables = (*rates, *graphs_views(summary))
    return Page(title=summary.folder, facts=tuple(facts), tables=tables, notes=summary.notes)
