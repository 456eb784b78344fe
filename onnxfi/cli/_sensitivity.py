"""``onnxfi sensitivity``: how likely each fault is to fail, from a few runs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import (
    common_options,
    effort_options,
    fault_options,
    force_option,
    graph_options,
    inputs_option,
    json_option,
    judging_options,
    model_argument,
    provider_option,
    site_options,
)
from onnxfi.cli._settings import study_settings
from onnxfi.settings import SensitivityOptions, settings_of

if TYPE_CHECKING:
    from onnxfi.campaign import Measured
    from onnxfi.sensitivity import Expected

_CHANNELS = 10


@click.command(name="sensitivity", short_help="Measure which faults are likely to fail.")
@model_argument
@inputs_option
@graph_options
@site_options
@fault_options
@judging_options
@provider_option
@effort_options
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="The file of scores to write (.npz), for `run` and `sample --scores`.",
)
@force_option
@json_option
@common_options
def command(model: str, inputs: str | None, output: str | None, **options: Any) -> None:
    """Measure how likely each fault is to fail, without gradients, from a few runs.

    Prints what is expected by site, bit and channel; with -o writes the scores, by which
    `onnxfi run --sampler importance --scores FILE` draws likely failures first. Expected rates
    are no results: campaigns measure. Weights are looked at unless --targets says otherwise. Give
    other samples than those that the campaign is run on.
    """
    from onnxfi.cli._output import check_free, print_document, print_page
    from onnxfi.report import sensitivity_document, sensitivity_page

    if inputs is None:
        raise click.UsageError(
            "a sensitivity needs --inputs, samples to calibrate on (random:32:0 for a first try)"
        )
    if output is not None:
        check_free(output, options["force"])
    measured, expected = _measured({**options, "model": model, "inputs": inputs}, output)
    if options["as_json"]:
        content = {"model": model, "output": output}
        print_document("sensitivity", content | sensitivity_document(measured, expected))
        return
    print_page(sensitivity_page(measured, expected, model))
    _tell(model, output)


def _measured(options: dict[str, Any], output: str | None) -> tuple[Measured, Expected]:
    from onnxfi.campaign import CustomParts, choose_graph, load_subject, measure_sensitivity
    from onnxfi.cli._progress import showing_steps
    from onnxfi.sensitivity import expect

    settings = study_settings(options)
    effort = {name: options[name] for name in settings_of(SensitivityOptions, "effort")}
    wanted = SensitivityOptions(drop=settings.drop, **effort)
    with showing_steps() as show:
        subject = choose_graph(load_subject(settings), settings)
        measured = measure_sensitivity(settings, CustomParts(), subject, wanted, show)
        if output is not None:  # the summary of a large space takes its time
            measured.sensitivity.save(output)
        expected = expect(
            measured.space,
            measured.sensitivity.scores,
            _CHANNELS,
            lambda done, total: show("summary", done, total),
        )
    return measured, expected


def _tell(model: str, output: str | None) -> None:
    from onnxfi.cli._output import note

    if output is None:
        note("nothing is written without -o; with it, `onnxfi run --scores` draws by the scores")
        return
    run = f"onnxfi run FOLDER --model {shlex.quote(model)} --scores {shlex.quote(output)}"
    note(f"{output} written; `{run} --inputs OTHER_SAMPLES -n 1000` draws likely failures first")
