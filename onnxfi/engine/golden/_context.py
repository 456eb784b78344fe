"""What an engine is, what it is given, and what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple, Protocol

from onnxfi.engine.runtime import EngineSettings
from onnxfi.engine.study import Profile
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import Model
from onnxfi.inject import BatchWindow
from onnxfi.outcome import (
    BoundCriterion,
    GraphUse,
    Outcome,
    OutcomeCounts,
    RunOutputs,
    ValueStatistics,
)
from onnxfi.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EngineContext:
    """All that engines need to carry out scenarios.

    Attributes:
        model: The model, untouched.
        workload: The samples.
        profile: Batch size and layouts.
        settings: How models are run.
        sites: Sites of the campaign, all that scenarios may touch.
        criterion: What a changed decision is.
        monitors: Values of the model whose statistics are taken in every run. They are returned
            beside the outputs and never judged.
        answers: What the session of the user's file gives for the first batch, if it has run.
    """

    model: Model
    workload: Workload
    profile: Profile
    settings: EngineSettings
    sites: tuple[FaultSite, ...]
    criterion: BoundCriterion
    monitors: tuple[str, ...] = ()
    answers: RunOutputs | None = None

    def first_step(self) -> EngineContext:
        """The same for single runs: of sequences, for their first steps."""
        if self.workload.stream is None:
            return self
        settings = replace(self.settings, stream=None)
        workload = self.workload.first_step()
        return replace(self, workload=workload, settings=settings, answers=None)


class Injection(NamedTuple):
    """One scenario carried out over the workload.

    Attributes:
        counts: Outcomes of all samples.
        run_s: Wall time in seconds.
        monitors: Statistics of the monitored values, by name.
        graph: The graph that it ran in, and why that one.
    """

    counts: OutcomeCounts
    run_s: float
    monitors: Mapping[str, ValueStatistics] = MappingProxyType({})
    graph: GraphUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchResult:
    """One run of a scenario.

    Attributes:
        window: Its samples.
        golden: Fault-free outputs of the same sub-model, padding included; monitored values are
            among them.
        faulty: Faulty outputs; None if the run gave none.
        failure: Why there are none: an exception or a timeout.
        reason: The same in words, as onnxruntime puts it; empty if there are outputs.
    """

    window: BatchWindow
    golden: RunOutputs
    faulty: RunOutputs | None
    failure: Outcome | None
    reason: str = ""


class Engine(Protocol):
    """A way to carry out scenarios. What a scenario gives never depends on the ones before it."""

    @property
    def name(self) -> str:
        """Its name in settings and plans."""
        ...

    @property
    def golden_counts(self) -> OutcomeCounts:
        """Counts of the fault-free run of the untouched model."""
        ...

    def run(self, scenario: Scenario) -> Injection:
        """Carry out a scenario over the workload.

        Raises:
            FaultError: The scenario can't be carried out by this engine.
            BackendError: onnxruntime refuses the fault-free model of the scenario.
            GoldenError: The fault-free run of that model is unusable.
        """
        ...

    def run_many(self, scenarios: Sequence[Scenario]) -> Iterator[Injection]:
        """Carry out scenarios, which may share work; results in the order given.

        Each gives what it gives alone. Errors as :meth:`run`; then nothing more comes.
        """
        ...

    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """One scenario run by run, with all outputs; errors as :meth:`run`."""
        ...

    def close(self) -> None:
        """Let go of sessions and threads."""
        ...
