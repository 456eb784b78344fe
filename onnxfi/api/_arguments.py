"""What ``Campaign.create`` takes, and how objects become settings that a file can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from types import MappingProxyType
from typing import Any

from onnxfi.campaign import CampaignSettings, CustomParts, InMemory
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultModel, graphs_of, parse_fault_model
from onnxfi.outcome import Criterion, FunctionCriterion
from onnxfi.sampling import Sampler, UniformSampler, from_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignArguments:
    """Arguments of ``Campaign.create``.

    Attributes:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; one in memory is
            saved into the campaign folder.
        inputs: Path of an ``.npz``, folder of ``test_data_set_N``, ``random:N:SEED``, or a mapping
            of input names to arrays (samples along axis 0; key ``labels`` optional), which is
            saved into the campaign folder.
        targets: Kinds of site to fault.
        include: Globs of site names to fault; empty for all.
        exclude: Globs of site names to leave alone.
        op_types: Operators whose sites are faulted; empty for all.
        gates: Gates of recurrent operators (i, o, f, c; z, r, h) to fault; empty for whole tensors.
        steps: Time steps or iterations to fault, counted from 0; empty for all.
        parts: Parts of spiking neurons to fault, such as ``spike``; empty for all sites.
        over_steps: Fault the same element of a tensor in all chosen steps at once.
        fault_model: One or several fault models; the fault space is their union.
        sampler: Which scenarios are drawn; 1,000 uniform ones if neither it nor ``faults`` is
            given.
        faults: Path of a fault list, instead of a sampler.
        criterion: Text, or a function ``f(golden, faulty, labels) -> bool (B,)``.
        criterion_output: Output that the criterion reads.
        drop: Relative accuracy drop (share of failed samples without labels) from which on a
            scenario fails, above 0 and at most 1.
        engine: ``auto``, ``bake``, ``lift``, ``ports`` or ``cut``.
        provider: Execution provider.
        optimization: ``all``, ``extended``, ``basic`` or ``disabled``.
        graph: ``stored`` to fault the tensors of the file, ``deployed`` for those of the graph that
            onnxruntime makes of it on this machine (CPU only).
        batch_size: Samples a run; None chooses.
        timeout_s: Seconds after which a run counts as hung.
        block_size: Scenarios a block; None chooses.
        monitors: Globs of values that the model computes; their statistics are kept for every
            injection.
        spikes: Count the spikes of each layer of an unrolled spiking network in every injection.
        state: Outputs of a streaming model and the inputs that they are fed back to, as
            ``{"stateN": "state"}``. Each sample is then a whole sequence: samples, steps, and what
            one sample has in one run.
        custom_ops: Paths of shared libraries with operators that the model uses. They are code that
            runs in this process: name only what you trust.
        batch_axes: Batch axes of inputs and outputs, as ``{"x": 1}``, in place of inferred ones;
            ``{"x": "0:1"}`` for samples on axis 0 of the array and axis 1 of the model's input.
        whole_inputs: Inputs that get the same array in every run.
        samples_are_runs: Whether arrays have one axis more than the inputs, the first, each entry
            of it what one run gets.
    """

    model: Any
    inputs: str | PathLike[str] | Mapping[str, Any]
    targets: Sequence[str] = ("weight",)
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    op_types: Sequence[str] = ()
    gates: Sequence[str] = ()
    steps: Sequence[int] = ()
    parts: Sequence[str] = ()
    over_steps: bool = False
    fault_model: FaultModel | Sequence[FaultModel] = BitFlip()  # noqa: RUF009  # frozen
    sampler: Sampler | None = None
    faults: str | PathLike[str] | None = None
    criterion: str | Callable[..., Any] | Criterion = "auto"
    criterion_output: str | None = None
    drop: float = 0.05
    engine: str = "auto"
    provider: str = "cpu"
    optimization: str = "all"
    graph: str = "stored"
    batch_size: int | None = None
    timeout_s: float | None = None
    block_size: int | None = None
    monitors: Sequence[str] = ()
    spikes: bool = False
    state: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    custom_ops: Sequence[str | PathLike[str]] = ()
    batch_axes: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))
    whole_inputs: Sequence[str] = ()
    samples_are_runs: bool = False


def resolve(given: CampaignArguments) -> tuple[CampaignSettings, CustomParts, InMemory]:
    """Settings for the file, and apart from them what only exists in this process."""
    _check(given)
    models = _models(given.fault_model)
    # What a file can't hold is passed along as it is; its spec still goes into the settings.
    custom_models = () if all(_written(model) for model in models) else models
    drawn = given.sampler if given.sampler or given.faults else UniformSampler(n=1_000, seed=0)
    custom_sampler = None if drawn is None or _rebuilt(drawn) else drawn
    text, criterion = _criterion(given.criterion)
    settings = CampaignSettings(
        model=_path_or_none(given.model) or InMemory.MODEL,
        inputs=_path_or_none(given.inputs) or InMemory.INPUTS,
        targets=_texts(given.targets),
        include=_texts(given.include),
        exclude=_texts(given.exclude),
        op_types=_texts(given.op_types),
        gates=_texts(given.gates),
        steps=tuple(sorted(set(given.steps))),
        parts=_texts(given.parts),
        over_steps=given.over_steps,
        fault_models=tuple(model.spec() for model in models),
        fault_graphs=graphs_of(models),
        sampler={} if drawn is None else dict(drawn.recipe()),
        faults=None if given.faults is None else fspath(given.faults),
        criterion=text,
        criterion_output=given.criterion_output,
        drop=given.drop,
        engine=given.engine,
        provider=given.provider,
        optimization=given.optimization,
        graph=given.graph,
        batch_size=given.batch_size,
        timeout_s=given.timeout_s,
        block_size=given.block_size,
        monitors=_texts(given.monitors),
        spikes=given.spikes,
        state=tuple(f"{output}={name}" for output, name in given.state.items()),
        custom_ops=paths_of(given.custom_ops),
        batch_axes=tuple(f"{name}={axis}" for name, axis in given.batch_axes.items()),
        whole_inputs=_texts(given.whole_inputs),
        samples_are_runs=given.samples_are_runs,
    )
    objects = InMemory(
        model=None if _path_or_none(given.model) else given.model,
        inputs=given.inputs if isinstance(given.inputs, Mapping) else None,
    )
    custom = CustomParts(fault_models=custom_models, sampler=custom_sampler, criterion=criterion)
    return settings, custom, objects


def _criterion(given: str | Callable[..., Any] | Criterion) -> tuple[str, Criterion | None]:
    """A criterion's text, and the object where the text does not say it all."""
    if isinstance(given, str):
        return given, None
    criterion = FunctionCriterion(given) if callable(given) else given
    return criterion.spec(), criterion


def _path_or_none(value: object) -> str | None:
    return fspath(value) if isinstance(value, str | PathLike) else None


def paths_of(given: str | PathLike[str] | Sequence[str | PathLike[str]]) -> tuple[str, ...]:
    """The paths; a single one will do, too."""
    return tuple(fspath(p) for p in ((given,) if isinstance(given, str | PathLike) else given))


def _check(given: CampaignArguments) -> None:
    """Refuse what is not of its kind, before it fails somewhere inside."""
    if not isinstance(given.inputs, str | PathLike | Mapping):
        raise ConfigError(
            f"inputs is a {type(given.inputs).__name__}; give a path, random:N:SEED, or a mapping "
            "of the model's input names to arrays"
        )
    if given.sampler is not None and not isinstance(given.sampler, Sampler):
        raise ConfigError(
            f"sampler is {given.sampler!r}; give a sampler, such as UniformSampler(n=1000, seed=0)"
        )
    models: Any = given.fault_model  # whatever the caller took for one
    for model in (models,) if isinstance(models, str) else _models(models):
        if not isinstance(model, FaultModel):
            raise ConfigError(f"fault_model is {model!r}; give a fault model, such as BitFlip()")


def _texts(given: Sequence[str]) -> tuple[str, ...]:
    """The texts; a single one is not meant as a sequence of letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def _models(given: FaultModel | Sequence[FaultModel]) -> tuple[FaultModel, ...]:
    return tuple(given) if isinstance(given, Sequence) else (given,)


def _written(model: FaultModel) -> bool:
    """Whether the model's text form makes an equal model."""
    try:
        return parse_fault_model(model.spec(), graphs=graphs_of([model])) == model
    except ConfigError:
        return False


def _rebuilt(sampler: Sampler) -> bool:
    """Whether the sampler's recipe makes an equal sampler."""
    try:
        return from_recipe(sampler.recipe()) == sampler
    except ConfigError:
        return False
