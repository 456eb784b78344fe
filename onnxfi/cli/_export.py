"""``onnxfi export``: all stored results, one row an injection."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from onnxfi.cli._options import common_options, force_option

if TYPE_CHECKING:
    from onnxfi.campaign import OpenCampaign

FORMATS = ("csv", "jsonl")


@click.command(name="export", short_help="Print or write all results, one row an injection.")
@click.argument("folder", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="csv or jsonl.  [default: by the suffix of -o, else csv]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    default="-",
    help="The file to write; - for stdout, which is the default.",
)
@force_option
@common_options
def command(folder: str, form: str | None, output: str, force: bool) -> None:
    """Print or write all stored results of the campaign in FOLDER, one row an injection."""
    from onnxfi.campaign import open_campaign
    from onnxfi.cli._output import check_free, note
    from onnxfi.files import atomic_text

    form = form or _form_of(output)
    if output != "-":
        check_free(output, force)
    campaign = open_campaign(Path(folder))
    if output == "-":
        _write(form, campaign, sys.stdout)
        return
    with atomic_text(output) as file:
        count = _write(form, campaign, file)
    note(f"{count:,} rows written to {output}")


def _form_of(output: str) -> str:
    suffix = Path(output).suffix.lstrip(".").lower()
    return suffix if suffix in FORMATS else FORMATS[0]


def _write(form: str, campaign: OpenCampaign, file: TextIO) -> int:
    from onnxfi.campaign import export_rows
    from onnxfi.report import write_csv, write_jsonl

    rows = export_rows(campaign)
    if form == "csv":
        return write_csv(rows, file)
    return write_jsonl(rows, file)
