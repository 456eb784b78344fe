"""Replaying: one injection of a campaign again, with its outcomes sample by sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._worker import Worker, WorkerKey, run_unit
from onnxfi.campaign.executors import ProcessesExecutor
from onnxfi.engine import (
    BatchResult,
    EngineContext,
    Tally,
    Trace,
    joined,
    layouts_of,
    sample_outcomes,
    trace,
)
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite, Scenario
from onnxfi.outcome import (
    COUNT_COLUMNS,
    InjectionRecord,
    Outcome,
    OutcomeCounts,
    RunOutputs,
    ValueStatistics,
    answered,
    blank,
)
from onnxfi.workload import Labels

OnTrace = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What a replay does beside counting.

    Attributes:
        outputs: Keep all outputs, golden and faulty.
        trace: Follow the fault through the graph, value by value.
        on_trace: Told how far the trace is: samples done, samples in all.
    """

    outputs: bool = False
    trace: bool = False
    on_trace: OnTrace | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """One injection, carried out again.

    Attributes:
        scenario: Its faults.
        sites: The sites that they are in, by name.
        engine: The engine that ran it.
        counts: Outcomes of the samples.
        outcomes: Outcome of every sample, int8 (samples,) of :class:`Outcome`.
        stored: The campaign's own record; None if the scenario is pending.
        labels: Labels of the workload, int64 (samples,), or None.
        monitors: Statistics of monitored values.
        answers: Classes with the highest score without and with the faults, int64 (samples,) each,
            -1 where a run gave no outputs; None if the criterion's output is no scores of classes.
        golden: Outputs and monitored values of the fault-free run of the same sessions, samples
            along the first axis; empty unless asked for.
        faulty: The same with the faults; zeros for samples whose run gave none.
        trace: How the faults spread; None unless asked for.
        reasons: Why samples have no outputs, in words, and how many there are of each.
    """

    scenario: Scenario
    sites: Mapping[str, FaultSite]
    engine: str
    counts: OutcomeCounts
    outcomes: NDArray[np.int8]
    stored: InjectionRecord | None
    labels: Labels | None
    monitors: Mapping[str, ValueStatistics] = field(default_factory=dict)
    answers: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    golden: RunOutputs = field(default_factory=dict)
    faulty: RunOutputs = field(default_factory=dict)
    trace: Trace | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def differences(self) -> tuple[str, ...]:
        """Counts, monitored values and metrics in which the stored record is another one."""
        if self.stored is None:
            return ()
        before = self.stored.counts
        counts = [n for n in COUNT_COLUMNS if getattr(before, n) != getattr(self.counts, n)]
        values = [n for n, seen in self.stored.monitors.items() if self.monitors.get(n) != seen]
        metrics = [n for n, sum_ in before.metrics.items() if self.counts.metrics.get(n) != sum_]
        return (*counts, *values, *metrics)

    @property
    def same(self) -> bool | None:
        """Whether the stored record came out again; None if there is none."""
        return None if self.stored is None else not self.differences


def replay(campaign: OpenCampaign, scenario: int, options: ReplayOptions | None = None) -> Replay:
    """Carry out one injection of a campaign again; nothing is stored.

    A scenario that took its process down is tried in a process of its own first; if it does so
    again, there are no outputs and no trace.

    Args:
        campaign: The campaign.
        scenario: Number of the scenario.
        options: What else is wanted.

    Raises:
        ConfigError: The campaign has no such scenario.
        CampaignMismatchError: Runtime, machine, model, inputs or golden decisions differ.
        OnnxFIError: A trace of this scenario is not possible.
    """
    options = options or ReplayOptions()
    if not 0 <= scenario < campaign.total:
        raise ConfigError(
            f"scenario {scenario} does not exist; {campaign.folder.path} has 0 to"
            f" {campaign.total - 1}"
        )
    with campaign.open_store() as store:
        stored = store.record(scenario)
    key = WorkerKey(
        folder=str(campaign.folder.path.absolute()),
        identity=campaign.document.identity,
        custom=campaign.custom,
    )
    if stored is not None and stored.counts.due_crash and _dies(key, scenario):
        return _crashed(campaign, stored)
    worker = Worker(key)
    (faults,) = worker.experiment.source.scenarios((scenario,))
    seen = _Seen(worker, options)
    try:
        for result in worker.engine.results(faults):
            seen.add(result)
    finally:
        worker.engine.close()
    followed = trace(worker.context, faults, options.on_trace) if options.trace else None
    return Replay(
        scenario=faults,
        sites={name: worker.experiment.sites[name] for name in faults.sites},
        engine=campaign.plan.engine,
        counts=seen.tally.counts,
        outcomes=seen.outcomes,
        stored=stored,
        labels=worker.context.workload.labels,
        monitors=seen.tally.monitors,
        answers=seen.answers,
        golden=seen.joined(faulty=False),
        faulty=seen.joined(faulty=True),
        trace=followed,
        reasons=dict(seen.reasons),
    )


class _Seen:
    """What the runs of a scenario gave."""

    def __init__(self, worker: Worker, options: ReplayOptions) -> None:
        context = worker.context
        self._context = context
        self._keep = options.outputs
        self._kept: list[BatchResult] = []
        self.tally = Tally(context)
        self.outcomes = np.zeros(context.workload.samples, np.int8)
        self._answers = np.full((2, context.workload.samples), -1, np.int64)
        self._scores = True
        self.reasons: Counter[str] = Counter()

    def add(self, result: BatchResult) -> None:
        window = result.window
        self.tally.add(result)
        if result.reason:
            self.reasons[result.reason] += window.samples
        self.outcomes[window.start : window.stop] = sample_outcomes(self._context, result)
        for row, outputs in enumerate((result.golden, result.faulty)):
            found = None if outputs is None else _answers(self._context, outputs, window.samples)
            if found is not None:
                self._answers[row, window.start : window.stop] = found
            elif outputs is not None:
                self._scores = False
        if self._keep:
            self._kept.append(result)

    @property
    def answers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        return (self._answers[0], self._answers[1]) if self._scores else None

    def joined(self, *, faulty: bool) -> dict[str, NDArray[Any]]:
        context = self._context
        layouts = {
            **context.profile.outputs,
            **layouts_of(context.profile, context.monitors),
        }
        if not self._kept:
            return {}
        windows = [result.window for result in self._kept]
        return {
            name: joined(name, windows, [_array(r, name, faulty) for r in self._kept], layout)
            for name, layout in layouts.items()
        }


def _answers(context: EngineContext, outputs: RunOutputs, samples: int) -> NDArray[np.int64] | None:
    return answered(outputs, context.profile.outputs, context.criterion, samples)


def _array(result: BatchResult, name: str, faulty: bool) -> NDArray[Any]:
    if not faulty:
        return result.golden[name]
    if result.faulty is not None:
        return result.faulty[name]
    golden = result.golden[name]
    return blank(golden.shape, golden.dtype)


def _dies(key: WorkerKey, scenario: int) -> bool:
    """Whether a scenario takes its process down again."""
    with ProcessesExecutor()(1) as executor:
        try:
            executor.submit(run_unit, key, (scenario,)).result()
        except BrokenExecutor:
            return True
    return False


def _crashed(campaign: OpenCampaign, stored: InjectionRecord) -> Replay:
    experiment = campaign.experiment()
    (faults,) = experiment.source.scenarios((stored.scenario,))
    return Replay(
        scenario=faults,
        sites={name: experiment.sites[name] for name in faults.sites},
        engine=campaign.plan.engine,
        counts=stored.counts,
        outcomes=np.full(stored.counts.samples, Outcome.DUE_CRASH, np.int8),
        stored=stored,
        labels=experiment.subject.workload.labels,
    )
