"""Outcomes of samples, their counts over the workload, and when a scenario fails."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError, GoldenError


class Outcome(enum.IntEnum):
    """What a scenario did to one sample; the value is its code in int8 arrays of outcomes.

    ``DUE`` is a detected unrecoverable error: whoever runs the network can notice it.
    """

    MASKED = 0
    TOLERABLE = 1
    CRITICAL = 2
    DUE_NONFINITE = 3
    DUE_EXCEPTION = 4
    DUE_TIMEOUT = 5
    DUE_CRASH = 6

    @property
    def due(self) -> bool:
        """True for the four detected unrecoverable errors."""
        return self >= Outcome.DUE_NONFINITE

    @property
    def failed(self) -> bool:
        """True for a sample that counts as failed: due or critical."""
        return self >= Outcome.CRITICAL

    @property
    def label(self) -> str:
        """The word used in files and tables, such as ``due_nonfinite``."""
        return self.name.lower()


#: By code: an outcome's value is its place here.
_LABELS = tuple(kind.label for kind in Outcome)
_SUMMED = ("samples", *_LABELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSum:
    """A metric over some samples; sums of disjoint samples add up with ``+``.

    Attributes:
        samples: Samples of which it is defined.
        total: Its sum over them.
    """

    samples: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean over those samples; None if there are none."""
        return self.total / self.samples if self.samples else None

    def __add__(self, other: MetricSum) -> MetricSum:
        if not isinstance(other, MetricSum):
            return NotImplemented
        return MetricSum(samples=self.samples + other.samples, total=self.total + other.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """How many samples had which outcome. Counts of disjoint batches add up with ``+``.

    Attributes:
        samples: All samples; the seven outcomes sum to it.
        masked: Every output bit-identical to golden.
        tolerable: Outputs differ, the decision doesn't.
        critical: The decision changed.
        due_nonfinite: An output is non-finite where golden is finite.
        due_exception: The run raised.
        due_timeout: The run hung.
        due_crash: The run took its process down.
        correct: Samples answered as their label says, due samples counted wrong; None without
            labels.
        metrics: Sums over the samples by metric; runs without outputs have none.
    """

    samples: int
    masked: int = 0
    tolerable: int = 0
    critical: int = 0
    due_nonfinite: int = 0
    due_exception: int = 0
    due_timeout: int = 0
    due_crash: int = 0
    correct: int | None = None
    metrics: Mapping[str, MetricSum] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        codes: NDArray[np.int8],
        correct: NDArray[np.bool_] | None = None,
        metrics: Mapping[str, MetricSum] | None = None,
    ) -> OutcomeCounts:
        """Counts from per-sample outcomes.

        Args:
            codes: int8 (B,), values of :class:`Outcome`.
            correct: bool (B,), answered right; due samples are counted wrong here whatever it
                says.
            metrics: Sums over the samples by metric.
        """
        by_code = np.bincount(codes, minlength=len(_LABELS)).tolist()
        named: dict[str, int] = dict(zip(_LABELS, by_code, strict=True))
        right = None
        if correct is not None:
            right = int(np.count_nonzero(correct & (codes < Outcome.DUE_NONFINITE)))
        return cls(samples=len(codes), correct=right, metrics=dict(metrics or {}), **named)

    @classmethod
    def tallied(cls, by_outcome: Sequence[int], correct: int | None) -> OutcomeCounts:
        """Counts from how many samples have each outcome, in the order of :class:`Outcome`."""
        named: dict[str, int] = dict(zip(_LABELS, by_outcome, strict=True))
        return cls(samples=sum(by_outcome), correct=correct, metrics={}, **named)

    @classmethod
    def whole(cls, outcome: Outcome, samples: int, *, labelled: bool) -> OutcomeCounts:
        """Counts of a run that gave no outputs: all its samples share one ``due`` outcome.

        Args:
            outcome: One of the ``due`` outcomes.
            samples: Samples of the run.
            labelled: Runs that do give outputs have a count of right answers.
        """
        if not outcome.due:
            raise ValueError(f"a run without outputs is due, not {outcome.label}")
        codes = np.full(samples, outcome, np.int8)
        return cls.of(codes, np.zeros(samples, np.bool_) if labelled else None)

    @property
    def due(self) -> int:
        """Samples with a detected unrecoverable error of any sort."""
        return self.due_nonfinite + self.due_exception + self.due_timeout + self.due_crash

    @property
    def failed(self) -> int:
        """Samples that are due or critical."""
        return self.due + self.critical

    @property
    def failed_share(self) -> float:
        """Failed samples / samples, in 0..1."""
        return self.failed / self.samples

    def __add__(self, other: OutcomeCounts) -> OutcomeCounts:
        if not isinstance(other, OutcomeCounts):
            return NotImplemented
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        keys = {**self.metrics, **other.metrics}
        none = MetricSum()
        metrics = {key: self.metrics.get(key, none) + other.metrics.get(key, none) for key in keys}
        return OutcomeCounts(correct=_add_correct(self, other), metrics=metrics, **sums)


def _add_correct(first: OutcomeCounts, second: OutcomeCounts) -> int | None:
    # An empty start value has no labels to speak of; it must not hide those of the others.
    known = [part.correct for part in (first, second) if part.samples or part.correct is not None]
    if all(correct is None for correct in known):
        return None
    if any(correct is None for correct in known):
        raise ValueError("counts with labels can't be added to counts without")
    return sum(correct for correct in known if correct is not None)


def scenario_failed(counts: OutcomeCounts, golden_correct: int | None, drop: float) -> bool:
    """Whether a scenario fails: the 0/1 value of all samplers and estimators.

    With labels its drop is (golden accuracy - faulty accuracy) / golden accuracy, due samples
    counted wrong; without, it is the share of failed samples. It fails if that is at least
    ``drop`` (the definition of ISimDL, Colucci et al. 2023).

    Args:
        counts: Outcomes over the whole workload.
        golden_correct: Samples that the fault-free run answers right, None without labels.
        drop: Threshold, 0 < drop <= 1.

    Raises:
        ConfigError: ``drop`` is out of range, or only one of the runs has labels.
        GoldenError: The fault-free run answers no sample right.
    """
    if not 0 < drop <= 1:
        raise ConfigError(f"drop must be above 0 and at most 1, got {drop}")
    if golden_correct is None:
        return counts.failed_share >= drop
    if counts.correct is None:
        raise ConfigError("the faulty run has no count of right answers, the fault-free one has")
    if golden_correct == 0:
        raise GoldenError(
            f"the fault-free run answers none of {counts.samples} labelled samples right, so no "
            "accuracy can drop; check the labels and the inputs, or leave the labels out"
        )
    return (golden_correct - counts.correct) / golden_correct >= drop
