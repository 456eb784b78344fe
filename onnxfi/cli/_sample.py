"""``onnxfi sample``: write a fault list, its scenarios drawn and spelled out."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import (
    common_options,
    fault_options,
    force_option,
    graph_options,
    inputs_option,
    json_option,
    model_argument,
    site_options,
)
from onnxfi.cli._samplers import sampler_options

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultSpace
    from onnxfi.sampling import Sampler


@click.command(name="sample", short_help="Draw scenarios and write them as a fault list.")
@model_argument
@inputs_option
@graph_options
@site_options
@fault_options
@sampler_options
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    required=True,
    help="The fault list to write; - for stdout.",
)
@force_option
@json_option
@common_options
def command(model: str, inputs: str | None, output: str, **options: Any) -> None:
    """Draw scenarios and write them as a fault list (JSON Lines), for `run --faults` or `inject`.

    Weights are faulted unless --targets says otherwise. The same options draw the same scenarios
    as `run` does.
    """
    from onnxfi.cli._choose import build_sampler, build_space, check_inputs_given
    from onnxfi.cli._output import check_free
    from onnxfi.cli._subject import load_subject

    if output == "-" and options["as_json"]:
        raise click.UsageError("--json describes the list, -o - prints it; give one of them")
    if output != "-":
        check_free(output, options["force"])
    targets = options["targets"] or ("weight",)
    check_inputs_given(targets, inputs)
    subject = load_subject(model, inputs, options)
    space = build_space(subject, options, targets)
    sampler = build_sampler(options, space, subject)
    _write(output, subject, space, sampler)
    _tell(output, space, sampler, options["as_json"])


def _write(output: str, subject: LoadedModel, space: FaultSpace, sampler: Sampler) -> None:
    from onnxfi.faults import FaultListHeader, untied, write_fault_list
    from onnxfi.sampling import SampledScenarios

    scenarios = SampledScenarios(space, sampler)
    header = FaultListHeader(
        model_sha256=subject.model.sha256,
        graph=subject.graph,
        graph_sha256=subject.graph_sha256,
        **scenarios.header_fields(),
    )
    sites = {site.name: site for site in untied(space.sites)}
    if output != "-":
        write_fault_list(output, header, scenarios, sites)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faults.jsonl"
        write_fault_list(path, header, scenarios, sites)
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _tell(output: str, space: FaultSpace, sampler: Sampler, as_json: bool) -> None:
    from onnxfi.cli._output import note, print_document
    from onnxfi.report import counted

    scenarios = sampler.size(space)
    if as_json:
        content = {"output": output, "scenarios": scenarios, "sampler": sampler.recipe()}
        print_document("sample", {**content, "space": space.describe()})
        return
    where = "stdout" if output == "-" else output
    note(
        f"{counted(scenarios, 'scenario')} written to {where}; the fault space has "
        f"{counted(space.size, 'single fault')} at {counted(len(space.sites), 'site')}"
    )
