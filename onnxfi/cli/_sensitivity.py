"""``onnxfi sensitivity``: how likely each fault is to fail, from a few runs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import (
    common_options,
    fault_options,
    force_option,
    graph_options,
    inputs_option,
    json_option,
    judging_options,
    model_argument,
    provider_option,
    site_options,
    state_option,
)
from onnxfi.cli._reading import reading_options
from onnxfi.cli._settings import study_settings

if TYPE_CHECKING:
    from onnxfi.campaign import Measured
    from onnxfi.sensitivity import Expected, SensitivityOptions

_CHANNELS = 10


@click.command(name="sensitivity", short_help="Measure which faults are likely to fail.")
@model_argument
@inputs_option
@state_option
@reading_options
@graph_options
@site_options
@fault_options
@judging_options
@provider_option
@click.option(
    "--tier",
    type=click.IntRange(0, 1),
    default=1,
    show_default=True,
    help="0: rules alone, one run over the calibration samples. 1: probes, too, which shift "
    "channels and see what is lost; slower, and needed for integer and spiking networks.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Calibrate on so many samples, the first ones of --inputs.",
)
@click.option(
    "--max-channels",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Probe at most so many channels of a value.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all draws."
)
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
    wanted = _wanted(options, settings.drop)
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


def _wanted(options: dict[str, Any], drop: float) -> SensitivityOptions:
    from onnxfi.sensitivity import SensitivityOptions

    return SensitivityOptions(
        drop=drop,
        **{name: options[name] for name in ("tier", "samples", "max_channels", "seed")},
    )


def _tell(model: str, output: str | None) -> None:
    from onnxfi.cli._output import note

    if output is None:
        note("nothing is written without -o; with it, `onnxfi run --scores` draws by the scores")
        return
    run = f"onnxfi run FOLDER --model {shlex.quote(model)} --scores {shlex.quote(output)}"
    note(f"{output} written; `{run} --inputs OTHER_SAMPLES -n 1000` draws likely failures first")
