"""Outcomes of many scenarios at once, from the rows in which outputs may differ from golden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout
from onnxfi.outcome._classify import classify_samples, correct_samples
from onnxfi.outcome._counts import Outcome, OutcomeCounts
from onnxfi.outcome._criterion import BoundCriterion
from onnxfi.outcome._outputs import RunOutputs
from onnxfi.workload import Labels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutputRows:
    """Outputs of scenarios in the samples where some output may differ from golden.

    Attributes:
        scenario: Whose row each is, int64 (r,).
        sample: Which sample of the run it is, int64 (r,).
        golden: Golden outputs of these samples, as of a run that holds just them.
        faulty: Outputs of the scenarios, likewise.
        whole: Golden outputs of all samples of the run.
    """

    scenario: NDArray[np.int64]
    sample: NDArray[np.int64]
    golden: RunOutputs
    faulty: RunOutputs
    whole: RunOutputs


def judges_rows(bound: BoundCriterion, layouts: Mapping[str, SampleLayout]) -> bool:
    """Whether samples can be judged in any company, with no metrics beside."""
    criterion = bound.criterion
    alone = bool(getattr(criterion, "by_sample", criterion.by_row))
    return (
        alone
        and not bound.metrics
        and all(layout.batch_axis is not None for layout in layouts.values())
    )


def classify_together(
    rows: OutputRows,
    scenarios: int,
    layouts: Mapping[str, SampleLayout],
    bound: BoundCriterion,
    labels: Labels | None,
    samples: int,
) -> list[OutcomeCounts]:
    """Outcome counts of scenarios in one run: those that :func:`classify` finds for each alone.

    Args:
        rows: Where outputs may differ; everything else is golden.
        scenarios: How many scenarios there are.
        layouts: Where samples lie in each output; all have a batch axis.
        bound: A criterion that judges by row, without metrics.
        labels: The right answers of the run's samples, or None.
        samples: Real samples of the run; rows of padding are not among ``rows``.
    """
    count = rows.scenario.size
    mine = None if labels is None else labels[rows.sample]
    codes = np.zeros(0, np.int8)
    if count:
        codes = classify_samples(rows.golden, rows.faulty, layouts, bound, mine, count)
    kinds = len(Outcome)
    table = np.bincount(rows.scenario * kinds + codes, minlength=scenarios * kinds)
    table = table.reshape(scenarios, kinds)
    table[:, Outcome.MASKED] += samples - table.sum(axis=1)
    right: list[int] | None = None
    clean = None if labels is None else correct_samples(rows.whole, layouts, bound, labels)
    if clean is not None and mine is not None:
        answered = correct_samples(rows.faulty, layouts, bound, mine) if count else None
        now = np.zeros(count, np.bool_) if answered is None else answered
        now = now & (codes < Outcome.DUE_NONFINITE)
        change = now.astype(np.int64) - clean[rows.sample]
        gained = np.zeros(scenarios, np.int64)
        np.add.at(gained, rows.scenario, change)
        right = (int(np.count_nonzero(clean)) + gained).tolist()
    return [
        OutcomeCounts.tallied(each, None if right is None else right[k])
        for k, each in enumerate(table.tolist())
    ]
