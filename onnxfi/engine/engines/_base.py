"""What all engines share: the campaign's sites, golden counts, and running window by window."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property, partial
from typing import Protocol

from onnxfi.engine.engines._kind import EngineKind, names_of_able
from onnxfi.engine.golden import BatchResult, EngineContext, Injection, Tally, Watch, golden_run
from onnxfi.engine.runtime import Patience, RunFailedError, RunTimedOutError, Watchdog
from onnxfi.engine.study import singles, windows
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import Scenario, check_graph
from onnxfi.inject import BatchWindow
from onnxfi.outcome import GraphUse, Outcome, OutcomeCounts, RunOutputs

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

    @property
    def hurried(self) -> bool:
        """Whether a run has hung."""
        return self._patience.hurried

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
        self.armed, self.windows = arm()
        self._ongoing = Ongoing(self.armed, fixed_batch)
        self._run_s = time.perf_counter() - start

    def advance(self, window: BatchWindow) -> None:
        """Run the next window and count its outcomes."""
        start = time.perf_counter()
        for result in self._ongoing.advance(window):
            self._tally.add(result)
        self._run_s += time.perf_counter() - start

    @property
    def hurried(self) -> bool:
        """Whether a run of it has hung."""
        return self._ongoing.hurried

    def add(self, found: BatchResult | OutcomeCounts, seconds: float) -> None:
        """Count what came of a window that it shared with others, and its share of the time."""
        if isinstance(found, OutcomeCounts):
            self._tally.add_counts(found)
        else:
            self._tally.add(found)
        self._run_s += seconds

    @property
    def injection(self) -> Injection:
        """What has been counted so far."""
        return Injection(
            counts=self._tally.counts, run_s=self._run_s, monitors=self._tally.monitors
        )


def in_turns(scenarios: Sequence[Counted]) -> None:
    """Carry out scenarios side by side: a window of all that have it, then the next window."""
    for group in same_windows(scenarios):
        for window in group[0].windows:
            for scenario in group:
                scenario.advance(window)


def same_windows(scenarios: Sequence[Counted]) -> list[list[Counted]]:
    """Scenarios by the windows that they run in."""
    alike: list[list[Counted]] = []
    for scenario in scenarios:
        # Two kinds of windows at most: whole batches, and samples singly.
        same = next((each for each in alike if each[0].windows == scenario.windows), None)
        if same is None:
            alike.append([scenario])
        else:
            same.append(scenario)
    return alike


class EngineBase(EngineKind):
    """An engine but for how it makes a scenario ready to run.

    Args:
        context: Model, workload and sites.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._sites = {site.name: site for site in context.sites}
        self._watchdog = Watchdog()
        self._watch = Watch(context)

    @cached_property
    def golden_counts(self) -> OutcomeCounts:
        """Counts of the fault-free run of the untouched model."""
        context = self._context
        golden = golden_run(context.model, context.workload, context.profile, context.settings)
        return golden.counts(context.criterion, context.workload.labels)

    def run(self, scenario: Scenario) -> Injection:
        """Carry out a scenario over the workload."""
        (injection,) = self.run_many((scenario,))
        return injection

    def run_many(self, scenarios: Sequence[Scenario]) -> Iterator[Injection]:
        """Carry out scenarios over the workload; what they give comes in the order given."""
        step = self.most_together if self.batch_outer else 1
        for start in range(0, len(scenarios), step):
            portion = scenarios[start : start + step]
            alike: dict[Hashable, list[int]] = {}
            for position, scenario in enumerate(portion):
                alike.setdefault(self._shared_by(scenario), []).append(position)
            found: dict[int, Injection] = {}
            for positions in alike.values():
                together = self._carry_out([portion[position] for position in positions])
                for position, each in zip(positions, together, strict=True):
                    use = self.graph_of(portion[position])
                    found[position] = each.injection._replace(graph=use)
            yield from (found[position] for position in range(len(portion)))

    def _carry_out(self, scenarios: Sequence[Scenario]) -> Sequence[Counted]:
        """Carry out scenarios that run side by side."""
        together = self._armed(scenarios)
        in_turns(together)
        return together

    def _armed(self, scenarios: Sequence[Scenario]) -> list[Counted]:
        """Scenarios ready to run and to be counted."""
        fixed = self._context.profile.fixed_batch
        arms = [partial(self.arm, scenario) for scenario in scenarios]
        return [Counted(Tally(self._context, self._watch), fixed, arm) for arm in arms]

    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """Carry out a scenario run by run."""
        armed, windows = self.arm(scenario)
        return results(armed, windows, self._context.profile.fixed_batch)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._watchdog.close()

    @abstractmethod
    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in.

        Scenarios armed at the same time must not disturb each other, in whatever order their
        windows run. Errors as :meth:`Engine.run`.
        """

    @abstractmethod
    def graph_of(self, scenario: Scenario) -> GraphUse:
        """The graph that a scenario runs in, and why that one; errors as :meth:`Engine.run`."""

    def _shared_by(self, scenario: Scenario) -> Hashable:
        """What is equal for scenarios that run side by side: what they share may be large."""
        del scenario
        return None

    def _check_sites(self, scenario: Scenario) -> None:
        """Refuse a scenario that touches what is no site of the campaign, or can't be run here."""
        if scenario.graphs and not self.graphs:
            raise FaultError(
                f"scenario {scenario.number} has faults that are graphs, which have to be part of"
                f" the model that runs; use engine {names_of_able('graphs')}"
            )
        for group in scenario.groups:
            site = self._sites.get(group.site)
            if site is None:
                raise ConfigError(f"site {group.site!r} is not a site of this campaign")
            check_graph(group, site)
