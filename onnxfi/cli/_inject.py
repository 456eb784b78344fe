"""``onnxfi inject``: write one scenario into an ordinary faulty model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._options import (
    common_options,
    force_option,
    graph_options,
    inputs_option,
    json_option,
    model_argument,
)

if TYPE_CHECKING:
    from onnxfi.cli._subject import LoadedModel
    from onnxfi.faults import FaultList, Scenario


@click.command(name="inject", short_help="Write one scenario into an ordinary faulty model.")
@model_argument
@click.argument("faults", type=click.Path())
@click.option(
    "--scenario",
    "number",
    type=click.IntRange(min=0),
    help="Number of the scenario; may be left out if the list has only one.",
)
@click.option("-o", "--output", type=click.Path(), required=True, help="The model to write.")
@inputs_option
@graph_options
@force_option
@json_option
@common_options
def command(
    model: str, faults: str, number: int | None, output: str, inputs: str | None, **options: Any
) -> None:
    """Write one scenario of the fault list FAULTS into MODEL, as a model for any runtime.

    FAULTS is a fault list, written by hand, by `sample` or by a campaign (its faults.jsonl).
    Faults in activations become nodes of the model and need --inputs; all else in the file, names
    and metadata included, stays as it is. With --graph deployed, what
    is written is the graph that onnxruntime has optimised, for this onnxruntime and this kind of
    machine only: run it with graph optimisation off. In the folder of MODEL what is written shares
    its external data; data that makes it 2 GiB or more goes to OUTPUT.data.
    """
    from onnxfi.cli._output import check_free, note, print_document
    from onnxfi.cli._subject import load_subject
    from onnxfi.faults import site_named
    from onnxfi.graph import InFile, as_in_file, data_file, save
    from onnxfi.inject import bake
    from onnxfi.report import counted

    check_free(output, options["force"])
    subject = load_subject(model, inputs, options)
    scenario = _scenario(subject, faults, number)
    by_name = subject.table.by_name()
    sites = {name: site_named(name, by_name) for name in scenario.sites}
    streams = bool(options["state"])
    baked = bake(subject.model, scenario, sites, in_sequences=streams)
    # The deployed graph is in no file of the user's.
    written = InFile(model=baked) if subject.graph == "deployed" else as_in_file(baked, model)
    second = data_file(written.model, output, beside=True)
    if second is not None:
        check_free(str(second), options["force"])
    shares = save(written.model, output, beside=True)
    if options["as_json"]:
        content = {"model": model, "model_sha256": subject.model.sha256, "output": output}
        told = {"scenario": scenario.number, "faults": scenario.size, "sites": scenario.sites}
        told |= {"data_file": None if second is None else str(second)}
        told |= {"functions_inlined": written.inlined or None, "shares_external_data": shares}
        print_document("inject", {**content, **told})
    else:
        note(
            f"{output}: scenario {scenario.number} with {counted(scenario.size, 'fault')} at "
            f"{', '.join(scenario.sites[:3])}{', ...' if len(scenario.sites) > 3 else ''}"
        )
        if written.inlined:
            note(f"{output}: the model's functions are inlined, because {written.inlined}")
        if second is not None:
            note(f"{output} has data of its tensors in {second.name}, which belongs beside it")
        if shares:
            note(f"{output} reads external data from the same files as {model}")


def _scenario(subject: LoadedModel, path: str, number: int | None) -> Scenario:
    from onnxfi.errors import FaultListError
    from onnxfi.faults import read_fault_list

    sites = subject.table.by_name()
    faults = read_fault_list(path, sites, subject.model.sha256, graph_sha256=subject.graph_sha256)
    if faults.scenarios is None:
        return _drawn(subject, faults, path, number)
    by_number = {scenario.number: scenario for scenario in faults.scenarios}
    if number is None:
        if len(by_number) > 1:
            raise FaultListError(
                f"{path} has {len(by_number)} scenarios; choose one with --scenario "
                f"({min(by_number)}..{max(by_number)})"
            )
        return faults.scenarios[0]
    if number not in by_number:
        raise FaultListError(
            f"{path} has no scenario {number}; its {len(by_number)} scenarios have numbers "
            f"{min(by_number)}..{max(by_number)}"
        )
    return by_number[number]


def _drawn(subject: LoadedModel, faults: FaultList, path: str, number: int | None) -> Scenario:
    """A scenario of a list that holds only its recipe."""
    from onnxfi.errors import FaultListError
    from onnxfi.faults import recipe_space
    from onnxfi.sampling import SampledScenarios, from_recipe

    header = faults.header
    if header.sampler is None:
        raise FaultListError(f"{path} has neither scenarios nor a recipe for them; nothing to draw")
    space = recipe_space(header, subject.table.by_name())
    scenarios = SampledScenarios(space, from_recipe(header.sampler))
    if number is None:
        raise FaultListError(
            f"{path} is a recipe of {len(scenarios)} scenarios; choose one with --scenario"
        )
    return scenarios.scenario(number)
