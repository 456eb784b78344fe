"""What a user chooses for a campaign: one frozen record, written out with every default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from onnxfi.errors import ConfigError


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a campaign, as resolved before it was made.

    Attributes:
        model: Path of the model file.
        inputs: Workload: a ``.npz`` file, a folder of ``test_data_set_N``, or ``random:N:SEED``.
        targets: Kinds of site to fault.
        include: Globs; only sites whose name matches one are faulted. Empty: all.
        exclude: Globs; sites whose name matches one are not faulted.
        op_types: Only sites of these operators. Empty: all.
        gates: Only these gates of recurrent operators, as sites of their own. Empty: all.
        steps: Only sites of these time steps or iterations. Empty: all.
        parts: Only sites that are these parts of spiking neurons. Empty: all.
        over_steps: Whether the steps of a tensor are one site, faulted in all of them at once.
        fault_models: Specs of the fault models; the fault space is their union.
        sampler: Recipe of the sampler (``kind``, ``seed``, ``n`` …).
        faults: Path of a fault list file, instead of a sampler.
        criterion: What a changed decision is: ``auto``, ``top1``, ``top5``, ``label``,
            ``tolerance:ABS[,REL]``, or the name of the user's own function.
        criterion_output: Output that the criterion reads; None if only one qualifies.
        drop: A scenario fails from this drop on (relative accuracy drop with labels, share of
            failed samples without), 0..1.
        engine: ``auto``, ``bake``, ``lift``, ``ports`` or ``cut``.
        provider: Execution provider: ``cpu``, ``cuda`` or onnxruntime's own name.
        optimization: onnxruntime's graph optimisation level.
        graph: ``stored``: the tensors of the file are faulted; ``deployed``: those that
            onnxruntime materialises when it has optimised the model.
        batch_size: Samples a run; None chooses from the model.
        timeout_s: Seconds after which a run counts as hung; None for the default of the plan.
        block_size: Scenarios a block; None chooses from their number.
        monitors: Globs of the values whose statistics are kept for every injection.
        spikes: Whether the spikes of each layer of neurons are counted in every injection.
        fault_graphs: Small ONNX models that are faults, by the sha256 that the specs name.
        state: ``OUT=IN`` pairs of a streaming model: outputs that are fed back. Each sample is
            then a whole sequence.
        custom_ops: Paths of shared libraries with operators that the model uses.
        batch_axes: ``NAME=AXIS``: batch axes of inputs and outputs, in place of inferred ones;
            ``NAME=0:1`` for samples on axis 0 of the array and axis 1 of the model's input.
        whole_inputs: Inputs that get the same array in every run.
        samples_are_runs: Whether each entry of the arrays' first axis is what one run gets.
    """

    model: str
    inputs: str
    targets: tuple[str, ...] = ("weight",)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    op_types: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()
    over_steps: bool = False
    fault_models: tuple[str, ...] = ("flip",)
    sampler: dict[str, Any] = msgspec.field(default_factory=dict)
    faults: str | None = None
    criterion: str = "auto"
    criterion_output: str | None = None
    drop: float = 0.05
    engine: str = "auto"
    provider: str = "cpu"
    optimization: str = "all"
    graph: str = "stored"
    batch_size: int | None = None
    timeout_s: float | None = None
    block_size: int | None = None
    monitors: tuple[str, ...] = ()
    spikes: bool = False
    fault_graphs: dict[str, bytes] = msgspec.field(default_factory=dict)
    state: tuple[str, ...] = ()
    custom_ops: tuple[str, ...] = ()
    batch_axes: tuple[str, ...] = ()
    whole_inputs: tuple[str, ...] = ()
    samples_are_runs: bool = False


def check_settings(settings: CampaignSettings) -> None:
    """Refuse values that no campaign can have.

    Raises:
        ConfigError: A value is out of range or two settings contradict each other.
    """
    if not 0 < settings.drop <= 1:
        raise ConfigError(f"drop is {settings.drop}, expected a number above 0 and at most 1")
    for name in ("batch_size", "block_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")
    if settings.timeout_s is not None and settings.timeout_s <= 0:
        raise ConfigError(f"timeout is {settings.timeout_s} s, expected a positive number")
    if settings.faults is not None and settings.sampler:
        raise ConfigError(
            f"both a fault list ({settings.faults}) and a sampler ({settings.sampler.get('kind')}) "
            "are given; use one of them"
        )
    if settings.faults is None and not settings.sampler:
        raise ConfigError("neither a sampler nor a fault list is given; name one of them")


def absolute(settings: CampaignSettings) -> CampaignSettings:
    """The same settings with paths that hold wherever the campaign is resumed from."""
    inputs = settings.inputs
    if not inputs.startswith("random:"):
        inputs = str(Path(inputs).absolute())
    sampler = settings.sampler
    for name in ("scores", "pilot"):
        if sampler.get(name):
            sampler = sampler | {name: str(Path(sampler[name]).absolute())}
    return msgspec.structs.replace(
        settings,
        sampler=sampler,
        model=str(Path(settings.model).absolute()),
        inputs=inputs,
        custom_ops=tuple(str(Path(path).absolute()) for path in settings.custom_ops),
        faults=None if settings.faults is None else str(Path(settings.faults).absolute()),
    )
