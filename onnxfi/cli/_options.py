"""Options that several commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from onnxfi.cli._output import Talk
from onnxfi.cli._types import Duration, FaultModelText, Kinds, MemorySize, Names, Parts, Steps

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def _stack(*decorators: Callable[[Any], Any]) -> Callable[[AnyFunction], AnyFunction]:
    """Apply decorators so that the first one listed is the first one in the help."""

    def apply(function: AnyFunction) -> AnyFunction:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _louder(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    ctx.find_root().ensure_object(Talk).level += count


def _quieter(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    ctx.find_root().ensure_object(Talk).level -= count


def _debugging(ctx: click.Context, _param: click.Parameter, on: bool) -> None:
    if on:
        ctx.find_root().ensure_object(Talk).debug = True


#: Taken by the group and by every command, wherever on the line they stand.
common_options = _stack(
    click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_louder,
        help="Say more; twice: all.",
    ),
    click.option(
        "-q", "--quiet", count=True, expose_value=False, callback=_quieter, help="Say less."
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_debugging,
        help="Show the traceback of an error, and all log records.",
    ),
)

model_argument = click.argument("model", type=click.Path())

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")

force_option = click.option("--force", is_flag=True, help="Overwrite the output if it exists.")

inputs_option = click.option(
    "--inputs",
    metavar="SOURCE",
    help="Samples to run: an .npz whose keys are the model's input names (optional key 'labels'), "
    "an ONNX test_data_set_N folder or the folder of several, or random:N:SEED[:DIM=SIZE,...]. "
    "Faults in activations and inputs need it, since a file does not tell run-time shapes.",
)

state_option = click.option(
    "--state",
    multiple=True,
    metavar="OUT=IN",
    help="A model that keeps state: this output is fed back to this input in the next step; may be "
    "repeated. A sample is then a whole sequence: each array of --inputs is [samples, steps, what "
    "one sample has in one run], states start at zero unless given [samples, ...], and "
    "random:N:SEED:steps=T makes some.",
)

confidence_option = click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Level of the intervals.",
)

#: Which sites; every one of them may be left out.
site_options = _stack(
    click.option(
        "--targets",
        type=Kinds(),
        help="Kinds of site, separated by commas: weight, bias, activation, input, scale, "
        "zero_point, constant, state, ...",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Only sites whose name matches; may be repeated.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="No sites whose name matches; may be repeated.",
    ),
    click.option(
        "--op-type",
        "op_types",
        multiple=True,
        metavar="OP",
        help="Only sites of this operator, such as Conv; may be repeated.",
    ),
    click.option(
        "--gate",
        "gates",
        type=Names(),
        metavar="GATES",
        help="Only these gates of recurrent operators, each a site of its own: i,o,f,c of an "
        "LSTM, z,r,h of a GRU.",
    ),
    click.option(
        "--step",
        "steps",
        type=Steps(),
        default=(),
        metavar="STEPS",
        help="Only these time steps of an unrolled network, or iterations of a loop: 3, 2-5 or "
        "0,4-6, counted from 0.",
    ),
    click.option(
        "--part",
        "parts",
        type=Parts(),
        default=(),
        metavar="PARTS",
        help="Only these parts of spiking neurons, separated by commas: synapse, current, "
        "membrane, threshold, decay, spike, reset.",
    ),
    click.option(
        "--over-steps",
        is_flag=True,
        help="Tie the chosen steps of each tensor: a fault is in the same element in all of them, "
        "as in a stuck neuron.",
    ),
)

#: What is done to their bits.
fault_options = _stack(
    click.option(
        "--fault-model",
        "fault_models",
        type=FaultModelText(),
        multiple=True,
        help="flip (the default), stuck0, stuck1, set:VALUE, set:random, burst:LENGTH and more, or "
        "graph:FILE.onnx[:whole][:NAME=NUMBER], a small model that computes faulty values; "
        "several may be given, and each scenario draws one.",
    ),
    click.option(
        "--bits",
        metavar="BITS",
        help="Only these bits: a number (0 is the least significant), a list 0,3, a range 0-7, or "
        "a field: sign, exponent, mantissa, magnitude.",
    ),
)

#: Which scenarios are drawn.
sampler_options = _stack(
    click.option(
        "--sampler",
        type=click.Choice(["uniform", "stratified", "importance", "top", "exhaustive", "ber"]),
        help="uniform (the default; distinct scenarios, all equally likely), stratified (a fixed "
        "part for each of --strata), importance (likely failures first, by --scores), top (the "
        "highest --scores only: finds failures, gives no rate), exhaustive (all of them), or ber "
        "(each bit on its own with probability --ber).",
    ),
    click.option(
        "-n",
        "--scenarios",
        "n",
        type=click.IntRange(min=1),
        help="How many scenarios to draw.  [default: as --plan-margin 0.03, at most 1068; 100 "
        "with --ber and --sampler top]",
    ),
    click.option(
        "--plan-margin",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="E",
        help="Draw as many as it takes for an interval of half-width E, whatever the rate.",
    ),
    confidence_option,
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all draws."
    ),
    click.option(
        "--faults-per-scenario",
        type=click.IntRange(min=1),
        metavar="K",
        help="Faults present together in one uniform scenario.  [default: 1]",
    ),
    click.option(
        "--strata",
        type=Names(),
        metavar="FACETS",
        help="What single faults of one stratum share: site, layer, op_type, kind, bit, field, "
        "step, or several, such as layer,bit; implies --sampler stratified.  [default: site]",
    ),
    click.option(
        "--pilot",
        type=click.Path(exists=True, file_okay=False),
        metavar="DIR",
        help="Allot scenarios to strata by their failure rates in this earlier campaign of the "
        "same model and faults, more where these are uncertain.",
    ),
    click.option(
        "--scores",
        type=click.Path(exists=True, dir_okay=False),
        help="How likely faults are to fail: a .npz with an array a site, a number for each "
        "element, or for each bit of each element; implies --sampler importance.",
    ),
    click.option(
        "--uniform-share",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="E",
        help="Part of an importance sample's weight that all faults share alike: 0.05 to find "
        "failures, 0.3 to trust scores less.  [default: 0.1]",
    ),
    click.option(
        "--power",
        type=click.FloatRange(0, 100, max_open=True),
        metavar="A",
        help="Exponent of the scores: 1 to estimate rates, 8 to find failures.  [default: 1]",
    ),
    click.option(
        "--ber",
        type=click.FloatRange(0, 1, min_open=True),
        help="Bit-error rate; implies --sampler ber.",
    ),
    click.option(
        "--ber-per-sample",
        is_flag=True,
        help="Redraw the bit errors of activations and inputs for every sample.",
    ),
)

custom_ops_option = click.option(
    "--custom-ops",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    metavar="LIB",
    help="A shared library with operators that the model uses, as for onnxruntime's "
    "register_custom_ops_library; may be repeated. It is code that runs with your rights: name "
    "only what you trust.",
)

#: Whose tensors are the sites, and what sessions need to run the model.
graph_options = _stack(
    click.option(
        "--graph",
        type=click.Choice(["stored", "deployed"]),
        help="Whose tensors are faulted: the file's (stored), or those of the graph that "
        "onnxruntime makes of it on this machine: fused, folded, laid out anew (deployed, CPU "
        "only).  [default: stored]",
    ),
    click.option(
        "--optimization",
        type=click.Choice(["all", "extended", "basic", "disabled"]),
        help="onnxruntime's graph optimisation level.  [default: all]",
    ),
    custom_ops_option,
)

#: What counts as an answer and as a failure.
judging_options = _stack(
    click.option(
        "--criterion",
        metavar="C",
        help="What a changed decision is: top1 (top1:AXIS where classes are not on the last axis), "
        "top5, label (right to wrong), threshold:VALUE (detectors) or tolerance:ABS[,REL].  "
        "[default: top1 of the model's label, or of its only scores]",
    ),
    click.option(
        "--criterion-output",
        metavar="NAME",
        help="The output that the criterion reads; needed where several qualify.",
    ),
    click.option(
        "--drop",
        type=click.FloatRange(0, 1, min_open=True),
        help="A scenario fails from this drop in accuracy (without labels: share of failed "
        "samples) on.  [default: 0.05]",
    ),
)

provider_option = click.option(
    "--provider",
    metavar="NAME",
    help="cpu, cuda, or an onnxruntime execution provider.  [default: cpu]",
)

#: These, and how the model runs: all of it is identity.
study_options = _stack(
    judging_options,
    click.option(
        "--engine",
        type=click.Choice(["auto", "bake", "lift", "ports", "cut"]),
        help="How faults get into the model: written into a copy (bake), into the stored tensors "
        "of the optimised graph (lift), through extra inputs (ports), or into values that are "
        "computed once, and only what they reach is run (cut).  [default: auto]",
    ),
    provider_option,
    graph_options,
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        help="Samples in one run.  [default: by the model]",
    ),
    click.option(
        "--timeout",
        type=Duration(),
        help="After this time a run counts as hung: seconds, or 90s, 5m, 1h.  [default: by "
        "the model, at least 10s]",
    ),
    click.option(
        "--monitor",
        "monitors",
        multiple=True,
        metavar="GLOB",
        help="Keep statistics of the values that match for every injection (min, max, mean, std, "
        "sum, zeros, non-finite, changed); may be repeated.",
    ),
    click.option(
        "--spikes",
        is_flag=True,
        help="Count the spikes of each layer of an unrolled spiking network in every injection.",
    ),
)

#: How the work is done; none of it changes a result.
work_options = _stack(
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Processes; the results are the same for any number.",
    ),
    click.option(
        "--memory-limit",
        type=MemorySize(),
        help="What each worker may keep in memory, such as 512MiB or 1GB; changes the speed, never "
        "a result.  [default: a quarter of what is free, divided among the workers]",
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="E",
        help="To estimate: stop when the failure rate's interval has half-width E; the interval "
        "holds although it was looked at.",
    ),
    click.option(
        "--relative-margin",
        type=click.FloatRange(0, min_open=True),
        metavar="R",
        help="The same, with half-width R times the rate, such as 0.1.",
    ),
    click.option(
        "--find",
        type=click.IntRange(min=1),
        metavar="K",
        help="To find failures: stop when K failing scenarios are found.",
    ),
    click.option(
        "--max-injections",
        type=click.IntRange(min=1),
        help="Stop after this many injections, with exit code 3.",
    ),
    click.option(
        "--time-budget",
        type=Duration(),
        help="Stop after this time, with exit code 3: seconds, or 90s, 15m, 2h.",
    ),
)
