"""Whether samples of one run are independent, seen from the model's outputs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from onnxfi.engine._bits import same
from onnxfi.engine._layouts import (
    by_growth,
    by_replacement,
    of_one_sample,
    of_repeated_sample,
    proven,
)
from onnxfi.engine._probe import Prober
from onnxfi.errors import GoldenError
from onnxfi.faults import SampleLayout
from onnxfi.graph import TensorSpec
from onnxfi.outcome import RunOutputs

_GROWN = 3  # samples in the larger probing run


class Mode(enum.Enum):
    """How many samples a run of the model can hold."""

    ALONE = "one sample"
    GROWN = "any number"
    FIXED = "a fixed number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What probing the outputs showed.

    Attributes:
        mode: How many samples a run can hold.
        outputs: Where samples lie in each output.
        independent: Whether samples may share a run.
        reason: Why, in words.
    """

    mode: Mode
    outputs: Mapping[str, SampleLayout]
    independent: bool
    reason: str


def check_alone(
    prober: Prober, declared: tuple[TensorSpec, ...], last: int, reason: str
) -> Verdict:
    """The verdict for a model whose runs hold a single sample.

    A first dimension of 1 that is declared so, or else is there for the first and the last
    sample, is taken for the batch axis: it makes [1, 10] scores of ten classes.
    """
    first, final = prober.solo(0), prober.solo(last)
    shapes = {spec.name: spec.shape for spec in declared}
    outputs = {}
    for name, value in first.items():
        known = shapes.get(name)
        one = bool(known) and known is not None and known[0] == 1
        steady = bool(value.shape) and value.shape[0] == 1 and final[name].shape[:1] == (1,)
        axis = 0 if value.ndim and (one or steady) and value.shape[0] == 1 else None
        outputs[name] = SampleLayout(shape=value.shape, batch_axis=axis)
    return Verdict(mode=Mode.ALONE, outputs=outputs, independent=False, reason=reason)


def check_grown(prober: Prober) -> Verdict | str:
    """The verdict for a model that takes any number of samples; why not, if it does not."""
    try:
        two, three = prober.base(2), prober.base(_GROWN)
    except GoldenError as error:
        return f"runs of several samples fail ({error})"
    alone = prober.solo(0)
    found = {name: by_growth(two[name].shape, three[name].shape) for name in three}
    outputs = {name: _or_whole(found[name], alone, name) for name in three}
    unclear = [f"output {name!r}: {why}" for name, why in found.items() if isinstance(why, str)]
    reason = unclear[0] if unclear else _dependence(prober, outputs, three, _GROWN)
    return _verdict(Mode.GROWN, outputs, reason)


def check_fixed(prober: Prober, rows: int) -> Verdict:
    """The verdict for a model with a fixed batch of ``rows``."""
    base = prober.base(rows)
    changes = prober.changes(base, rows)
    outputs, unclear = {}, []
    for name, value in base.items():
        found = by_replacement(value.shape, changes[name], rows)
        if isinstance(found, str):
            unclear.append(f"output {name!r}: {found}")
            found = of_repeated_sample(value.shape, rows)
        outputs[name] = found
    reason = unclear[0] if unclear else _dependence(prober, outputs, base, rows)
    return _verdict(Mode.FIXED, outputs, reason)


def gives_the_same_alone(
    prober: Prober, outputs: Mapping[str, SampleLayout], samples: tuple[int, ...], size: int
) -> str | None:
    """Which of some samples gives other bits in a run of ``size`` than alone; None if none does."""
    together = prober.base(size)
    for sample in samples:
        alone = prober.solo(sample)
        for name, layout in outputs.items():
            mine = of_one_sample(together[name], layout, sample)
            if not same(mine, of_one_sample(alone[name], layout, 0)):
                return f"output {name!r} has other bits for a sample in a batch than alone"
    return None


def _verdict(mode: Mode, outputs: Mapping[str, SampleLayout], reason: str | None) -> Verdict:
    if reason is None:
        text = "samples of a run are independent, bit for bit"
        return Verdict(mode=mode, outputs=outputs, independent=True, reason=text)
    return Verdict(mode=mode, outputs=outputs, independent=False, reason=reason)


def _or_whole(found: SampleLayout | str, alone: RunOutputs, name: str) -> SampleLayout:
    if isinstance(found, str):
        return SampleLayout(shape=alone[name].shape, batch_axis=None)
    return found


def _dependence(
    prober: Prober, outputs: Mapping[str, SampleLayout], base: RunOutputs, samples: int
) -> str | None:
    """Why samples are not independent, None if they are."""
    for name, changes in prober.changes(base, samples).items():
        # A layout other than the given one would be rows of a sample lying apart.
        if not changes or proven([outputs[name]], changes, samples) != outputs[name]:
            return f"replacing one sample changes output {name!r} of others"
    return gives_the_same_alone(prober, outputs, tuple(range(samples)), samples)
