"""Two engines in one: scenarios that touch what the main engine can't reach are baked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onnxfi.engine.engines._bake import BakeEngine
from onnxfi.engine.golden import BatchResult, Engine, EngineContext, Injection
from onnxfi.faults import Scenario
from onnxfi.outcome import OutcomeCounts


class MixedEngine:
    """An engine for most sites, and the bake engine for scenarios that touch one of the others.

    Each has its own golden outputs, so outcomes are what the two give alone.

    Args:
        main: The engine of the other scenarios.
        baked: The sites that it can't reach.
        context: Model, workload and all the sites.
    """

    def __init__(self, main: Engine, baked: Iterable[str], context: EngineContext) -> None:
        self._main = main
        self._bake = BakeEngine(context)
        self._baked = frozenset(baked)

    @property
    def name(self) -> str:
        """The name of the main engine."""
        return self._main.name

    @property
    def golden_counts(self) -> OutcomeCounts:
        """Counts of the fault-free run of the untouched model."""
        return self._main.golden_counts

    def run(self, scenario: Scenario) -> Injection:
        """Carry out a scenario over the workload."""
        return self._for(scenario).run(scenario)

    def run_many(self, scenarios: Sequence[Scenario]) -> Iterator[Injection]:
        """Carry out scenarios over the workload; what they give comes in the order given."""
        mine = [self._for(scenario) for scenario in scenarios]
        found = {}
        for engine in (self._main, self._bake):
            share = [s for s, each in zip(scenarios, mine, strict=True) if each is engine]
            found[id(engine)] = engine.run_many(share)
        for engine in mine:
            yield next(found[id(engine)])

    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """Carry out a scenario run by run."""
        return self._for(scenario).results(scenario)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._main.close()
        self._bake.close()

    def _for(self, scenario: Scenario) -> Engine:
        return self._main if self._baked.isdisjoint(scenario.sites) else self._bake
