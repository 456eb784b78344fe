"""The campaigns of one network: single flips, apart for zeros and others, and bit-error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

import onnxfi as fi
from onnxfi.analysis import Observations, failure_rate, observe

#: value, low and high end of a 95 % interval.
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file, and which of its tensors are hit."""

    name: str
    network: str
    model: Path
    inputs: Path
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to run: single flips, scenarios a bit-error rate, the rates, and the processes."""

    single: int
    scenarios: int
    rates: tuple[float, ...]
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Scenarios of the single-flip campaign that have something in common.

    Attributes:
        name: What they have in common.
        n: Their number.
        failure: Share of them that fail.
        failed_share: Mean share of failed samples.
    """

    name: str
    n: int
    failure: Triple
    failed_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bit-error rate: expected flips a scenario, and the accuracy under them."""

    ber: float
    flips: float
    accuracy: Triple


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the campaigns of a subject say; rates as in a campaign's report."""

    name: str
    network: str
    model: str
    bits: int
    golden: float
    failure: Triple
    critical_share: Triple
    due_share: Triple
    groups: tuple[Group, ...]
    points: tuple[Point, ...]


def measure(subject: Subject, effort: Effort, folder: Path) -> Measured:
    """Run, or go on with, the campaigns of a subject."""
    base = folder / f"{subject.model.stem}-{'-'.join(subject.targets)}"
    single = _run(subject, base / "single", fi.UniformSampler(n=effort.single, seed=3), effort)
    summary = single.summary()
    bits, golden = summary.space_bits, summary.golden_accuracy
    assert bits is not None
    assert golden is not None
    points = []
    for ber in effort.rates:
        sampler = fi.BitErrorRateSampler(ber=ber, n=effort.scenarios, seed=4)
        rate = _run(subject, base / f"ber-{ber:g}", sampler, effort).estimate("accuracy")
        points.append(Point(ber=ber, flips=ber * bits, accuracy=_triple(rate)))
    return Measured(
        name=subject.name,
        network=subject.network,
        model=subject.model.name,
        bits=bits,
        golden=golden,
        failure=_triple(summary.rates["failure"]),
        critical_share=_triple(summary.rates["critical_share"]),
        due_share=_triple(summary.rates["due_share"]),
        groups=() if subject.targets == ("sparse_index",) else tuple(_groups(single, subject)),
        points=tuple(points),
    )


def _run(subject: Subject, folder: Path, sampler: object, effort: Effort) -> fi.Campaign:
    campaign = fi.Campaign.create(
        folder,
        model=subject.model,
        inputs=subject.inputs,
        targets=subject.targets,
        sampler=sampler,
    )
    campaign.run(workers=effort.workers)
    return campaign


def _triple(interval: fi.Interval) -> Triple:
    return interval.value, interval.low, interval.high


def _groups(campaign: fi.Campaign, subject: Subject) -> list[Group]:
    """The single flips by whether the element that they hit is zero, and by the bit."""
    opened = campaign.opened
    source = opened.experiment().source
    scenarios = list(islice(iter(source), opened.total))
    golden, drop = opened.plan.golden_correct, opened.settings.drop
    seen = observe(opened.records(), golden_correct=golden, drop=drop)
    zero = np.array(_hits_zero(subject.model, scenarios))
    top = np.array([int(s.groups[0].xor_mask[0]) == 1 << 30 for s in scenarios])
    named = {
        "a zero": zero,
        "another number": ~zero,
        "bit 30 of a zero": zero & top,
        "bit 30 of another number": ~zero & top,
    }
    return [_group(name, seen, chosen) for name, chosen in named.items() if chosen.any()]


def _hits_zero(model: Path, scenarios: Sequence[fi.Scenario]) -> list[bool]:
    graph = onnx.load_model(model).graph
    tensors = (*graph.initializer, *(item.values for item in graph.sparse_initializer))
    values = {item.name: numpy_helper.to_array(item).ravel() for item in tensors}
    hits = []
    for scenario in scenarios:
        group = scenario.groups[0]
        stored = values.get(group.site)
        hits.append(stored is not None and bool(stored[int(group.index[0])] == 0))
    return hits


def _group(name: str, seen: Observations, chosen: NDArray[np.bool_]) -> Group:
    n = int(chosen.sum())
    shares = (seen.critical + seen.due)[chosen] / seen.samples[chosen]
    rate = failure_rate(int(seen.failed[chosen].sum()), n)
    return Group(name=name, n=n, failure=_triple(rate), failed_share=float(shares.mean()))
