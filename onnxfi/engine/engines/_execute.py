"""Carrying out scenarios window by window, alone or in turns, and counting their outcomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from onnxfi.engine.golden import BatchResult, EngineContext, Injection, Tally
from onnxfi.engine.runtime import Patience, RunFailedError, RunTimedOutError, singles, windows
from onnxfi.faults import Scenario
from onnxfi.inject import BatchWindow
from onnxfi.outcome import Outcome, RunOutputs

Windows = tuple[BatchWindow, ...]


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


def bound_sites(scenario: Scenario) -> frozenset[str]:
    """Names of the sites in which a scenario has faults that are bound to one sample."""
    return frozenset(
        group.site
        for group in scenario.groups
        if group.sample is not None and group.sample.max(initial=-1) >= 0
    )


def scenario_windows(context: EngineContext, scenario: Scenario) -> Windows:
    """Windows that a scenario runs in.

    A fault bound to one sample, in a tensor that exists once per run, would hit the sample's
    neighbours as well: such a scenario runs its samples singly.
    """
    profile, samples = context.profile, context.workload.samples
    bound = bound_sites(scenario)
    per_run = bound and any(
        site.name in bound and site.layout is not None and site.layout.batch_axis is None
        for site in context.sites
    )
    return windows(samples, 1 if per_run else profile.batch_size, profile.fixed_batch)


class Ongoing:
    """A scenario on its way through its windows, with what its runs have shown about hanging.

    Args:
        armed: The scenario.
        fixed_batch: Rows that the model insists on, None for any number.
    """

    def __init__(self, armed: Armed, fixed_batch: int | None) -> None:
        self._armed = armed
        self._fixed_batch = fixed_batch
        self._patience = Patience()

    def advance(self, window: BatchWindow) -> list[BatchResult]:
        """Run the next window. The samples of a run that gives no outputs run singly.

        The exception is a run that hangs after a whole window has hung sample by sample.
        """
        result, patience = self._attempt(window), self._patience
        hung = result.failure is Outcome.DUE_TIMEOUT
        if result.failure is None or window.samples == 1 or (hung and patience.hopeless):
            return [result]
        alone = [self._attempt(single) for single in singles(window, self._fixed_batch)]
        if hung:
            patience.saw_singles([each.failure is Outcome.DUE_TIMEOUT for each in alone])
        return alone

    def _attempt(self, window: BatchWindow) -> BatchResult:
        golden = self._armed.golden(window)
        try:
            faulty = self._armed.faulty(window, self._patience.hurried)
            return BatchResult(window=window, golden=golden, faulty=faulty, failure=None)
        except RunTimedOutError as error:
            self._patience.hurry()
            failure, reason = Outcome.DUE_TIMEOUT, str(error)
        except RunFailedError as error:
            failure, reason = Outcome.DUE_EXCEPTION, str(error)
        return BatchResult(
            window=window, golden=golden, faulty=None, failure=failure, reason=reason
        )


def results(
    armed: Armed, cut: Sequence[BatchWindow], fixed_batch: int | None
) -> Iterator[BatchResult]:
    """All runs of a scenario, window by window."""
    ongoing = Ongoing(armed, fixed_batch)
    for window in cut:
        yield from ongoing.advance(window)


class Counted:
    """A scenario on its way, counted, with a clock that runs only while it is its turn.

    Args:
        tally: Counts its runs.
        fixed_batch: Rows that the model insists on, None for any number.
        arm: Makes the scenario ready to run and says in which windows.
    """

    def __init__(
        self, tally: Tally, fixed_batch: int | None, arm: Callable[[], tuple[Armed, Windows]]
    ) -> None:
        start = time.perf_counter()
        self._tally = tally
        armed, self.windows = arm()
        self._ongoing = Ongoing(armed, fixed_batch)
        self._run_s = time.perf_counter() - start

    def advance(self, window: BatchWindow) -> None:
        """Run the next window and count its outcomes."""
        start = time.perf_counter()
        for result in self._ongoing.advance(window):
            self._tally.add(result)
        self._run_s += time.perf_counter() - start

    @property
    def injection(self) -> Injection:
        """What has been counted so far."""
        return Injection(
            counts=self._tally.counts, run_s=self._run_s, monitors=self._tally.monitors
        )


def in_turns(scenarios: Sequence[Counted]) -> None:
    """Carry out scenarios side by side: a window of all that have it, then the next window."""
    alike: list[list[Counted]] = []
    for scenario in scenarios:
        # Two kinds of windows at most: whole batches, and samples singly.
        same = next((each for each in alike if each[0].windows == scenario.windows), None)
        if same is None:
            alike.append([scenario])
        else:
            same.append(scenario)
    for group in alike:
        for window in group[0].windows:
            for scenario in group:
                scenario.advance(window)
