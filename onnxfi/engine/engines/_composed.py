"""Engines made of others: gates are faulted in whole tensors, sites out of reach are baked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from onnxfi.engine.engines._bake import BakeEngine
from onnxfi.engine.golden import BatchResult, Engine, EngineContext, Injection
from onnxfi.faults import FaultSite, Scenario, whole_scenario, whole_tensors
from onnxfi.outcome import OutcomeCounts


def whole_context(context: EngineContext) -> EngineContext:
    """A context with sites of whole tensors; itself if it has no others."""
    if not any(site.gate for site in context.sites):
        return context
    return replace(context, sites=whole_tensors(context.sites))


class GateEngine:
    """Hands the faults of a campaign on to an engine that knows whole tensors only.

    Args:
        inner: That engine.
        sites: The campaign's sites.
    """

    def __init__(self, inner: Engine, sites: Sequence[FaultSite]) -> None:
        self._inner = inner
        self._sites = {site.name: site for site in sites}

    @property
    def name(self) -> str:
        """The engine's."""
        return self._inner.name

    @property
    def golden_counts(self) -> OutcomeCounts:
        """Counts of the fault-free run of the untouched model."""
        return self._inner.golden_counts

    def run(self, scenario: Scenario) -> Injection:
        """As :meth:`Engine.run`."""
        return self._inner.run(whole_scenario(scenario, self._sites))

    def run_many(self, scenarios: Sequence[Scenario]) -> Iterator[Injection]:
        """As :meth:`Engine.run_many`."""
        return self._inner.run_many([whole_scenario(each, self._sites) for each in scenarios])

    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """As :meth:`Engine.results`."""
        return self._inner.results(whole_scenario(scenario, self._sites))

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._inner.close()


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
