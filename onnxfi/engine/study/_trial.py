"""Trying one reading of the samples: does the model run on it, and does it keep samples apart?"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.runtime import Session, same
from onnxfi.engine.study._independence import Mode, Verdict, judge
from onnxfi.engine.study._layouts import of_one_sample
from onnxfi.engine.study._probe import Prober
from onnxfi.graph import Model
from onnxfi.graph.ops import is_a
from onnxfi.workload import Reading, Workload

_RANGES = 0.5  # of the length of an output, by which such rounding may change it
_KERNELS = 0.05  # the same for kernels that round otherwise in a batch than alone
_SAMPLES = 3


class Proof(enum.IntEnum):
    """How well runs bear a reading out."""

    APART = 3
    """Outputs have the samples on an axis, and none changes when another is replaced."""
    SINGLE = 2
    """A run holds one sample, by its shapes or since the model takes no more."""
    ROUNDED = 1
    """Samples of a run change each other by rounding, or gave no sign of it."""
    NONE = 0
    """Entries change each other's outputs, or outputs have no axis for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A reading, tried.

    Attributes:
        reading: The reading.
        workload: The samples, read so.
        proof: How well runs bear it out.
        reason: Why, in words.
    """

    reading: Reading
    workload: Workload
    proof: Proof
    reason: str


def tried(model: Model, session: Session, workload: Workload) -> Trial:
    """Run a model on a workload's first samples.

    Raises:
        GoldenError: It fails on a single sample.
    """
    reading = workload.reading
    prober = Prober(session, workload, workload.fixed_batch)
    if workload.stacked and any(axis is not None for axis in workload.axes.values()):
        # Each run holds one sample. Whether the rows are samples shows with the rest held.
        prober.solo(0)
        held = _held(workload)
        workload_tried, prober = held, Prober(session, held, held.fixed_batch)
    else:
        workload_tried = workload
    verdict = judge(model, prober, workload_tried)
    proof = _proof(model, prober, workload_tried, verdict)
    placed = any(layout.batch_axis is not None for layout in verdict.outputs.values())
    reason = "no output grows with them" if verdict.isolated and not placed else verdict.reason
    return Trial(reading=reading, workload=workload, proof=proof, reason=reason)


def _held(workload: Workload) -> Workload:
    """The samples with the first of all entries that single runs get in every run."""
    several = {name: a for name, a in workload.inputs.items() if workload.axes[name] is not None}
    entries = {name: a[0, ...] for name, a in workload.inputs.items() if name not in several}
    return replace(
        workload,
        inputs=MappingProxyType(several),
        axes=MappingProxyType({name: workload.axes[name] for name in several}),
        constants=MappingProxyType({**workload.constants, **entries}),
    )


def _proof(model: Model, prober: Prober, workload: Workload, verdict: Verdict) -> Proof:
    if verdict.mode is Mode.ALONE:
        return Proof.SINGLE
    placed = any(layout.batch_axis is not None for layout in verdict.outputs.values())
    if verdict.isolated and placed:
        if verdict.independent or _alike(prober, verdict, _KERNELS):
            return Proof.APART
        return Proof.NONE
    if workload.samples == 1:
        return Proof.SINGLE
    # Samples are samples none the less: they differ by rounding only, and run alone.
    ranged = any(is_a(node.op_type, "ranged") for node in model.index.nodes)
    if not verdict.isolated and _alike(prober, verdict, _RANGES if ranged else 0.0):
        return Proof.ROUNDED
    # What random operators do is no matter of samples; the golden run refuses them.
    return Proof.NONE if _repeats(prober) else Proof.ROUNDED


def _repeats(prober: Prober) -> bool:
    """Whether a run gives the same when it is repeated."""
    samples = prober.rows or _SAMPLES
    first, second = prober.base(samples), prober.base(samples)
    return all(same(value, second[name]) for name, value in first.items())


def _alike(prober: Prober, verdict: Verdict, tolerance: float) -> bool:
    """Whether samples give alone what they give together, or nearly so."""
    samples = prober.rows or _SAMPLES
    together = prober.base(samples)
    alone = [prober.solo(sample) for sample in range(samples)]
    placed = {n: layout for n, layout in verdict.outputs.items() if layout.batch_axis is not None}
    fewer = prober.base(2) if prober.rows is None else together
    for name, whole in together.items():
        parts = [each[name] for each in alone]
        if name in placed:
            mine = [of_one_sample(whole, placed[name], k) for k in range(samples)]
            own = [of_one_sample(part, placed[name], 0) for part in parts]
            fine = all(_near(a, b, tolerance) for a, b in zip(mine, own, strict=True))
        else:
            # The same for all samples; or of a size that depends on them, and so on their number.
            varies = bool(placed) and fewer[name].shape != whole.shape
            fine = varies or all(same(whole, part) for part in parts) or _joined(whole, parts)
        if not fine:
            return False
    return True


def _near(mine: NDArray[Any], alone: NDArray[Any], tolerance: float) -> bool:
    """Whether a sample's output in a run of several is its output alone, but for rounding."""
    if same(mine, alone):
        return True
    if mine.shape != alone.shape or mine.dtype.kind in "OUSTb":
        return False
    ours, theirs = (value.astype(np.float64) for value in (mine, alone))
    if not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        return False
    finite = np.isfinite(ours)
    gap = np.linalg.norm(ours[finite] - theirs[finite])
    return bool(gap <= tolerance * np.linalg.norm(theirs[finite]))


def _joined(whole: NDArray[Any], parts: list[NDArray[Any]]) -> bool:
    """Whether a value is the parts one after another, along some axis."""
    if any(part.ndim != whole.ndim or part.dtype != whole.dtype for part in parts):
        return False
    for axis in range(whole.ndim):
        rest = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in (*parts, whole)}
        if len(rest) == 1 and same(np.concatenate(parts, axis=axis), whole):
            return True
    return False
