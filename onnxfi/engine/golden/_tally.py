"""Counting: outcomes of runs, and statistics of monitored values, put together run by run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.golden._context import BatchResult, EngineContext
from onnxfi.engine.golden._monitors import Partial, Watch, added, judged, whole
from onnxfi.outcome import (
    Outcome,
    OutcomeCounts,
    ValueStatistics,
    classify,
    classify_samples,
    correct_samples,
)
from onnxfi.workload import Labels


class Tally:
    """What the runs of one scenario come to.

    Args:
        context: Labels, layouts, criterion, monitors.
        watch: Takes statistics of the monitored values; scenarios may share it.
    """

    def __init__(self, context: EngineContext, watch: Watch | None = None) -> None:
        self._context = context
        self._watch = watch or Watch(context)
        self._counts: OutcomeCounts | None = None
        self._seen: Partial = {}

    def add(self, result: BatchResult) -> None:
        """Take up a run."""
        self.add_counts(_counts(self._context, result))
        self._seen = added(self._seen, self._watch.of(result))

    def add_counts(self, found: OutcomeCounts) -> None:
        """Take up the outcomes of a run of which no value is monitored."""
        self._counts = found if self._counts is None else self._counts + found

    @property
    def counts(self) -> OutcomeCounts:
        """Outcomes of the samples of all runs so far."""
        return OutcomeCounts(samples=0) if self._counts is None else self._counts

    @property
    def monitors(self) -> Mapping[str, ValueStatistics]:
        """Statistics of the monitored values, likewise."""
        return whole(self._seen, self._context.monitors)


def sample_outcomes(context: EngineContext, result: BatchResult) -> NDArray[np.int8]:
    """Outcome of every real sample of a run, int8 of :class:`Outcome`."""
    if result.faulty is None:
        return np.full(result.window.samples, _failure(result), np.int8)
    return classify_samples(
        judged(context, result.golden),
        judged(context, result.faulty),
        context.profile.outputs,
        context.criterion,
        _labels(context, result),
        result.window.samples,
    )


def _counts(context: EngineContext, result: BatchResult) -> OutcomeCounts:
    """Outcome counts of one run."""
    layouts, window, labels = context.profile.outputs, result.window, _labels(context, result)
    golden = judged(context, result.golden)
    if result.faulty is not None:
        faulty = judged(context, result.faulty)
        return classify(golden, faulty, layouts, context.criterion, labels, samples=window.samples)
    labelled = (
        labels is not None
        and correct_samples(golden, layouts, context.criterion, labels) is not None
    )
    return OutcomeCounts.whole(_failure(result), window.samples, labelled=labelled)


def _labels(context: EngineContext, result: BatchResult) -> Labels | None:
    labels, window = context.workload.labels, result.window
    return None if labels is None else labels[window.start : window.stop]


def _failure(result: BatchResult) -> Outcome:
    return result.failure or Outcome.DUE_EXCEPTION
