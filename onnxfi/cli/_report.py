"""``onnxfi report``: tables in the terminal or a file, a comparison, or a gate for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._exit import ExitCode
from onnxfi.cli._options import common_options, confidence_option, json_option
from onnxfi.cli._types import ConditionText, ReportFile

if TYPE_CHECKING:
    from onnxfi.campaign import CampaignSummary
    from onnxfi.report import Condition

    Held = tuple[CampaignSummary, Condition]


@click.command(name="report", short_help="Report on campaigns, compare them, or gate on a rate.")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=ReportFile(),
    help="Write the whole report to a file instead: .html, .md or .json.",
)
@click.option(
    "--fail-if",
    "conditions",
    multiple=True,
    type=ConditionText(),
    help='Exit with code 4 if this holds for any campaign, such as "failure.high > 0.01"; '
    "without a suffix the upper bound is meant. May be repeated.",
)
@click.option(
    "--fit-per-mbit",
    type=click.FloatRange(0, min_open=True),
    metavar="FIT",
    help="Upsets in 10^9 hours of a million bits of the memory: reports failures in 10^9 hours.",
)
@click.option(
    "--by",
    type=click.Choice(["channel"]),
    multiple=True,
    help="One more table: rates by output channel of each tensor.",
)
@confidence_option
@json_option
@common_options
def command(
    folders: Sequence[str],
    output: str | None,
    conditions: Sequence[Condition],
    as_json: bool,
    **figures: Any,
) -> None:
    """Report on the campaign in FOLDER: rates with intervals, by layer, bit and more.

    Several folders are compared, one line each. Rates are in 0..1: failure (scenarios that fail),
    failed_share, critical_share and due_share (samples), and with labels accuracy.
    """
    from onnxfi.campaign import open_campaign, summarize

    campaigns = [open_campaign(Path(folder)) for folder in folders]
    summaries = [summarize(campaign, **figures, removed=True) for campaign in campaigns]
    held = [
        (summary, condition)
        for summary in summaries
        for condition in conditions
        if condition.holds(summary.rates)
    ]
    if output is not None:
        _write(output, summaries, held)
    if as_json:
        _print_json(summaries, held)
    elif output is None:
        _print_page(summaries)
    for summary, condition in held:
        click.echo(
            f"--fail-if is true for {summary.folder}: {_explain(summary, condition)}", err=True
        )
    if held:
        click.get_current_context().exit(ExitCode.GATE)


def _write(output: str, summaries: Sequence[CampaignSummary], held: Sequence[Held]) -> None:
    from onnxfi.cli._output import check_free, note
    from onnxfi.report import write_report

    check_free(output, force=True)
    write_report(summaries, Path(output), held)
    note(f"report written to {output}")


def _print_json(summaries: Sequence[CampaignSummary], held: Sequence[Held]) -> None:
    from onnxfi.cli._output import print_document
    from onnxfi.report import report_document

    print_document("report", report_document(summaries, held))


def _print_page(summaries: Sequence[CampaignSummary]) -> None:
    from onnxfi.cli._output import print_page
    from onnxfi.report import comparison_page, short_page

    several = len(summaries) > 1
    print_page(comparison_page(summaries) if several else short_page(summaries[0]))


def _explain(summary: CampaignSummary, condition: Condition) -> str:
    from onnxfi.report import interval_text

    return f"{condition.text} ({condition.rate} is {interval_text(summary.rates[condition.rate])})"
