"""What a user chooses for a campaign: one frozen record, written out with every default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.settings._schema import check_record, settings_of


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a campaign, as resolved before it was made; the order is that of the file."""

    model: Annotated[
        str,
        Meta(
            description="The model to study: an .onnx file, or a text form of ONNX.",
            extra={"group": "model", "path": "any", "takes": "Any"},
        ),
    ]
    inputs: Annotated[
        str,
        Meta(
            description="Samples to run: an .npz whose keys are the model's input names (optional "
            "key 'labels'), an ONNX test_data_set_N folder or the folder of several, or "
            "random:N:SEED[:DIM=SIZE,...]. Faults in activations and inputs need it, since a file "
            "does not tell run-time shapes.",
            extra={
                "group": "inputs",
                "metavar": "SOURCE",
                "path": "source",
                "takes": "str | PathLike[str] | Mapping[str, Any]",
            },
        ),
    ]
    targets: Annotated[
        tuple[str, ...],
        Meta(
            description="Kinds of site to fault, separated by commas: weight, bias, activation, "
            "input, scale, zero_point, constant, state, ...",
            extra={"group": "sites", "reads": "kinds"},
        ),
    ] = ("weight",)
    include: Annotated[
        tuple[str, ...],
        Meta(
            description="Only sites whose name matches.",
            extra={"group": "sites", "metavar": "GLOB"},
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Meta(
            description="No sites whose name matches.", extra={"group": "sites", "metavar": "GLOB"}
        ),
    ] = ()
    op_types: Annotated[
        tuple[str, ...],
        Meta(
            description="Only sites of this operator, such as Conv.",
            extra={"group": "sites", "flag": "--op-type", "metavar": "OP"},
        ),
    ] = ()
    gates: Annotated[
        tuple[str, ...],
        Meta(
            description="Only these gates of recurrent operators, each a site of its own: i,o,f,c "
            "of an LSTM, z,r,h of a GRU.",
            extra={"group": "sites", "flag": "--gate", "metavar": "GATES", "reads": "names"},
        ),
    ] = ()
    steps: Annotated[
        tuple[int, ...],
        Meta(
            description="Only these time steps of an unrolled network, or iterations of a loop: 3, "
            "2-5 or 0,4-6, counted from 0.",
            extra={"group": "sites", "flag": "--step", "metavar": "STEPS", "reads": "steps"},
        ),
    ] = ()
    parts: Annotated[
        tuple[str, ...],
        Meta(
            description="Only these parts of spiking neurons, separated by commas: synapse, "
            "current, membrane, threshold, decay, spike, reset.",
            extra={"group": "sites", "flag": "--part", "metavar": "PARTS", "reads": "parts"},
        ),
    ] = ()
    over_steps: Annotated[
        bool,
        Meta(
            description="Tie the chosen steps of each tensor: a fault is in the same element in "
            "all of them, as in a stuck neuron.",
            extra={"group": "sites"},
        ),
    ] = False
    fault_models: Annotated[
        tuple[str, ...],
        Meta(
            description="flip, stuck0, stuck1, set:VALUE, set:random, burst:LENGTH and more, or "
            "graph:FILE.onnx[:whole][:NAME=NUMBER], a small model that computes faulty values. "
            "Where several are given, each scenario draws one.",
            extra={
                "group": "faults",
                "flag": "--fault-model",
                "reads": "fault-model",
                "keyword": "fault_model",
                "takes": "FaultModel | Sequence[FaultModel]",
            },
        ),
    ] = ("flip",)
    sampler: Annotated[
        dict[str, Any],
        Meta(
            description="Which scenarios are drawn, and how many: 1,000 uniform ones.",
            extra={"group": "scenarios", "takes": "Sampler | None"},
        ),
    ] = msgspec.field(default_factory=dict)
    faults: (
        Annotated[
            str,
            Meta(
                description="Run the scenarios of this fault list instead of drawing any.",
                extra={"group": "list", "path": "any"},
            ),
        ]
        | None
    ) = None
    criterion: Annotated[
        str,
        Meta(
            description="What a changed decision is: top1 (top1:AXIS where classes are not on the "
            "last axis), top5, label (right to wrong), threshold:VALUE (detectors) or "
            "tolerance:ABS[,REL].",
            extra={
                "group": "judging",
                "metavar": "C",
                "usual": "top1 of the model's label, or of its only scores",
                "takes": "str | Callable[..., Any] | Criterion",
            },
        ),
    ] = "auto"
    criterion_output: (
        Annotated[
            str,
            Meta(
                description="The output that the criterion reads; needed where several qualify.",
                extra={"group": "judging", "metavar": "NAME"},
            ),
        ]
        | None
    ) = None
    drop: Annotated[
        float,
        Meta(
            description="A scenario fails if the accuracy drops by this share or more (without "
            "labels: if this share of samples fails, or more).",
            gt=0,
            le=1,
            extra={"group": "judging"},
        ),
    ] = 0.05
    engine: Annotated[
        str,
        Meta(
            description="How faults get into the model: written into a copy (bake), into the "
            "stored tensors of the optimised graph (lift), through extra inputs (ports), or into "
            "values that are computed once, and only what they reach is run (cut).",
            extra={"group": "engine", "registry": "engine"},
        ),
    ] = "auto"
    provider: Annotated[
        str,
        Meta(
            description="cpu, cuda, or an onnxruntime execution provider.",
            extra={"group": "provider", "metavar": "NAME"},
        ),
    ] = "cpu"
    optimization: Annotated[
        Literal["all", "extended", "basic", "disabled"],
        Meta(description="onnxruntime's graph optimisation level.", extra={"group": "graph"}),
    ] = "all"
    graph: Annotated[
        Literal["stored", "deployed"],
        Meta(
            description="Whose tensors are faulted: the file's (stored), or those of the graph "
            "that onnxruntime makes of it on this machine: fused, folded, laid out anew (deployed, "
            "CPU only).",
            extra={"group": "graph"},
        ),
    ] = "stored"
    batch_size: (
        Annotated[
            int,
            Meta(
                description="Samples in one run.",
                ge=1,
                extra={"group": "runs", "usual": "by the model"},
            ),
        ]
        | None
    ) = None
    timeout_s: (
        Annotated[
            float,
            Meta(
                description="A run that takes longer counts as hung: seconds, or 90s, 5m, 1h.",
                gt=0,
                extra={
                    "group": "runs",
                    "flag": "--timeout",
                    "unit": "s",
                    "usual": "by the model, at least 10s",
                },
            ),
        ]
        | None
    ) = None
    block_size: (
        Annotated[
            int,
            Meta(
                description="Scenarios a block; estimates use finished blocks only.",
                ge=1,
                extra={"group": "blocks", "usual": "by their number"},
            ),
        ]
        | None
    ) = None
    monitors: Annotated[
        tuple[str, ...],
        Meta(
            description="Keep statistics of the computed values that match for every injection "
            "(min, max, mean, std, sum, zeros, non-finite, changed).",
            extra={"group": "watching", "flag": "--monitor", "metavar": "GLOB"},
        ),
    ] = ()
    spikes: Annotated[
        bool,
        Meta(
            description="Count the spikes of each layer of an unrolled spiking network in every "
            "injection.",
            extra={"group": "watching"},
        ),
    ] = False
    metrics: Annotated[
        tuple[str, ...],
        Meta(
            description="Measure this of every sample as well, such as relative-error; rows have "
            "its sum.",
            extra={
                "group": "watching",
                "flag": "--metric",
                "metavar": "NAME",
                "takes": "Sequence[str | Metric]",
            },
        ),
    ] = ()
    fault_graphs: Annotated[
        dict[str, bytes],
        Meta(description="Small ONNX models that are faults, by the sha256 that the specs name."),
    ] = msgspec.field(default_factory=dict)
    state: Annotated[
        tuple[str, ...],
        Meta(
            description="A model that keeps state: feed this output back to this input in the "
            "next step. A sample is then a whole sequence. Arrays of --inputs are [samples, "
            "steps, ...], initial states [samples, ...], zero if not given; "
            "random:N:SEED:steps=T makes some.",
            extra={"group": "state", "metavar": "OUT=IN", "takes": "Mapping[str, str]"},
        ),
    ] = ()
    custom_ops: Annotated[
        tuple[str, ...],
        Meta(
            description="A shared library with operators that the model uses, as for onnxruntime's "
            "register_custom_ops_library. It is code that runs with your rights: name only what "
            "you trust.",
            extra={"group": "graph", "metavar": "LIB", "path": "file"},
        ),
    ] = ()
    batch_axes: Annotated[
        tuple[str, ...],
        Meta(
            description="The samples are on this axis of this input or output. x=0:1: on axis 0 of "
            "the array and axis 1 of the model's input.",
            extra={
                "group": "reading",
                "flag": "--batch-axis",
                "metavar": "NAME=AXIS",
                "usual": "found by running the model on two and three samples",
                "takes": "Mapping[str, int | str]",
            },
        ),
    ] = ()
    whole_inputs: Annotated[
        tuple[str, ...],
        Meta(
            description="This input gets the same array in every run.",
            extra={"group": "reading", "flag": "--whole-input", "metavar": "NAME"},
        ),
    ] = ()
    samples_are_runs: Annotated[
        bool,
        Meta(
            description="Arrays of --inputs have one axis more than the model's inputs: each entry "
            "of the first is what one run gets. Each test_data_set_N is one sample.",
            extra={"group": "reading"},
        ),
    ] = False


def check_settings(settings: CampaignSettings) -> None:
    """Refuse values that no campaign can have.

    Raises:
        ConfigError: A value is out of range or two settings contradict each other.
    """
    check_record(settings, "campaign settings")
    if settings.faults is not None and settings.sampler:
        raise ConfigError(
            f"both a fault list ({settings.faults}) and a sampler ({settings.sampler.get('kind')}) "
            "are given; use one of them"
        )
    if settings.faults is None and not settings.sampler:
        raise ConfigError("neither a sampler nor a fault list is given; name one of them")


def absolute(settings: CampaignSettings) -> CampaignSettings:
    """The same settings with paths that hold wherever the campaign is resumed from."""
    return msgspec.structs.replace(settings, **absolute_paths(msgspec.structs.asdict(settings)))


def absolute_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that hold paths, by the name of their setting, made absolute."""
    found: dict[str, Any] = {}
    for name, option in settings_of(CampaignSettings).items():
        value = values.get(name)
        if "path" in option.extra and value is not None:
            several = isinstance(value, tuple)
            found[name] = tuple(map(absolute_path, value)) if several else absolute_path(value)
    sampler = values.get("sampler") or {}
    paths = {key: absolute_path(sampler[key]) for key in ("scores", "pilot") if sampler.get(key)}
    return {**found, "sampler": sampler | paths} if paths else found


def absolute_path(path: str) -> str:
    """A path that holds in any working directory; ``random:...`` is none, and stays."""
    return path if path.startswith("random:") else str(Path(path).absolute())
