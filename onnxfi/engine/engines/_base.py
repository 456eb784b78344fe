"""What all engines share: the campaign's sites, the golden counts, and running with the clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property, partial
from typing import ClassVar

from onnxfi.engine.engines._execute import Armed, Counted, Windows, in_turns, results
from onnxfi.engine.golden import BatchResult, EngineContext, Injection, Tally, Watch, golden_run
from onnxfi.engine.runtime import Watchdog
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import Scenario, check_graph
from onnxfi.outcome import GraphUse, OutcomeCounts


class EngineBase(ABC):
    """An engine but for how it makes a scenario ready to run.

    Args:
        context: Model, workload and sites.

    Attributes:
        batch_outer: Whether scenarios asked for together run side by side, one window of all of
            them before the next window: what is computed for a window alone is then shared.
        most_together: How many scenarios run side by side, since what each holds adds up.
        graphs: Whether it can carry out faults that are graphs.
    """

    batch_outer: ClassVar[bool] = False
    most_together: ClassVar[int] = 256
    graphs: ClassVar[bool] = False

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
        fixed = self._context.profile.fixed_batch
        step = self.most_together if self.batch_outer else 1
        for start in range(0, len(scenarios), step):
            portion = scenarios[start : start + step]
            alike: dict[Hashable, list[int]] = {}
            for position, scenario in enumerate(portion):
                alike.setdefault(self._shared_by(scenario), []).append(position)
            found: dict[int, Injection] = {}
            for positions in alike.values():
                arms = [partial(self.arm, portion[position]) for position in positions]
                together = [Counted(Tally(self._context, self._watch), fixed, arm) for arm in arms]
                in_turns(together)
                for position, each in zip(positions, together, strict=True):
                    use = self.graph_of(portion[position])
                    found[position] = each.injection._replace(graph=use)
            yield from (found[position] for position in range(len(portion)))

    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """Carry out a scenario run by run."""
        armed, windows = self.arm(scenario)
        return results(armed, windows, self._context.profile.fixed_batch)

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
                " the model that runs; use engine bake or ports"
            )
        for group in scenario.groups:
            site = self._sites.get(group.site)
            if site is None:
                raise ConfigError(f"site {group.site!r} is not a site of this campaign")
            check_graph(group, site)
