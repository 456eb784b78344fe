"""Results of finished scenarios in columns: what all estimates are made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome import InjectionRecord, Outcome, OutcomeCounts, scenario_failed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observations:
    """Finished scenarios in the order in which they were drawn.

    Attributes:
        scenario: int64 (n,), numbers of the scenarios.
        failed: bool (n,), whether each failed.
        counts: int64 (n, 7), samples by outcome; columns are the values of `Outcome`.
        correct: int64 (n,), samples answered right; None without labels.
        golden_correct: The same of the fault-free run.
    """

    scenario: NDArray[np.int64]
    failed: NDArray[np.bool_]
    counts: NDArray[np.int64]
    correct: NDArray[np.int64] | None
    golden_correct: int | None

    @property
    def n(self) -> int:
        """Number of scenarios."""
        return len(self.scenario)

    @property
    def samples(self) -> NDArray[np.int64]:
        """Samples of each scenario, int64 (n,)."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def critical(self) -> NDArray[np.int64]:
        """Critical samples of each scenario, int64 (n,)."""
        return self.counts[:, Outcome.CRITICAL]

    @property
    def due(self) -> NDArray[np.int64]:
        """Due samples of each scenario, int64 (n,)."""
        return np.asarray(self.counts[:, Outcome.DUE_NONFINITE :].sum(axis=1))

    def total(self) -> OutcomeCounts:
        """Outcomes of all samples of all scenarios."""
        sums = self.counts.sum(axis=0).tolist()
        correct = None if self.correct is None else int(self.correct.sum())
        named = {outcome.label: int(count) for outcome, count in zip(Outcome, sums, strict=True)}
        return OutcomeCounts(samples=int(sum(sums)), correct=correct, metrics={}, **named)


def observe(
    records: Iterable[InjectionRecord], *, golden_correct: int | None, drop: float
) -> Observations:
    """Columns of records.

    Args:
        records: Finished scenarios, ascending by number: the longest finished prefix, so that no
            estimate is biased by which scenarios finish first.
        golden_correct: Samples that the fault-free run answers right, None without labels.
        drop: Threshold at which a scenario fails.

    Raises:
        ConfigError: Scenarios are not ascending, or only one of the runs has labels.
        GoldenError: The fault-free run answers no sample right.
    """
    listed = list(records)
    scenario = np.array([record.scenario for record in listed], np.int64)
    if (np.diff(scenario) <= 0).any():
        raise ConfigError("records must be in the order of their scenarios, each once")
    every = [record.counts for record in listed]
    rows = [tuple(getattr(counts, outcome.label) for outcome in Outcome) for counts in every]
    right = [counts.correct for counts in every if counts.correct is not None]
    return Observations(
        scenario=scenario,
        failed=np.array(
            [scenario_failed(counts, golden_correct, drop) for counts in every], np.bool_
        ),
        counts=np.array(rows, np.int64).reshape(len(rows), len(Outcome)),
        correct=None if golden_correct is None else np.array(right, np.int64),
        golden_correct=golden_correct,
    )
