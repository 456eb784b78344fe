"""Engines on sites of single gates: they see faults where these lie in the whole tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
