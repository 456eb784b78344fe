"""Carrying out one scenario window by window, and counting its outcomes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from onnxfi.engine._context import BatchResult, EngineContext, Injection
from onnxfi.engine._patience import Patience
from onnxfi.engine._session import RunFailedError, RunTimedOutError
from onnxfi.engine._windows import singles, windows
from onnxfi.faults import Scenario
from onnxfi.inject import BatchWindow
from onnxfi.outcome import Outcome, OutcomeCounts, RunOutputs, classify, correct_samples


class Armed(Protocol):
    """A scenario ready to run."""

    def golden(self, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window.

        Raises:
            GoldenError: The run failed.
        """
        ...

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        """Faulty outputs of a window; ``hurried`` after another run of the scenario has hung.

        Raises:
            RunFailedError: The run gave none.
        """
        ...


def scenario_windows(context: EngineContext, scenario: Scenario) -> tuple[BatchWindow, ...]:
    """Windows that a scenario runs in.

    A fault bound to one sample, in a tensor that exists once per run, would hit the sample's
    neighbours as well: such a scenario runs its samples singly.
    """
    profile, samples = context.profile, context.workload.samples
    per_run = {
        site.name
        for site in context.sites
        if site.layout is not None and site.layout.batch_axis is None
    }
    bound = any(
        group.sample is not None and (group.sample >= 0).any() and group.site in per_run
        for group in scenario.groups
    )
    return windows(samples, 1 if bound else profile.batch_size, profile.fixed_batch)


def results(
    armed: Armed, cut: Sequence[BatchWindow], fixed_batch: int | None
) -> Iterator[BatchResult]:
    """Run all windows. The samples of a run that gives no outputs run singly.

    The exception is a run that hangs after a whole window has hung sample by sample.
    """
    patience = Patience()
    for window in cut:
        result = _attempt(armed, window, patience)
        hung = result.failure is Outcome.DUE_TIMEOUT
        if result.failure is None or window.samples == 1 or (hung and patience.hopeless):
            yield result
            continue
        timed_out = []
        for single in singles(window, fixed_batch):
            alone = _attempt(armed, single, patience)
            timed_out.append(alone.failure is Outcome.DUE_TIMEOUT)
            yield alone
        if hung:
            patience.saw_singles(timed_out)


def count(context: EngineContext, found: Iterable[BatchResult]) -> OutcomeCounts:
    """Outcome counts of the runs of one scenario."""
    labels, layouts = context.workload.labels, context.profile.outputs
    total = OutcomeCounts(samples=0)
    for result in found:
        window = result.window
        mine = None if labels is None else labels[window.start : window.stop]
        if result.faulty is None:
            judged = (
                mine is not None
                and correct_samples(result.golden, layouts, context.criterion, mine) is not None
            )
            failure = result.failure or Outcome.DUE_EXCEPTION
            total += OutcomeCounts.whole(failure, window.samples, labelled=judged)
            continue
        total += classify(
            result.golden, result.faulty, layouts, context.criterion, mine, samples=window.samples
        )
    return total


def timed(context: EngineContext, found: Iterable[BatchResult], start: float) -> Injection:
    """Counts of a scenario's runs with the time since ``start`` (``time.perf_counter``)."""
    counts = count(context, found)
    return Injection(counts=counts, run_s=time.perf_counter() - start)


def _attempt(armed: Armed, window: BatchWindow, patience: Patience) -> BatchResult:
    golden = armed.golden(window)
    try:
        faulty = armed.faulty(window, patience.hurried)
        return BatchResult(window=window, golden=golden, faulty=faulty, failure=None)
    except RunTimedOutError:
        patience.hurry()
        failure = Outcome.DUE_TIMEOUT
    except RunFailedError:
        failure = Outcome.DUE_EXCEPTION
    return BatchResult(window=window, golden=golden, faulty=None, failure=failure)
