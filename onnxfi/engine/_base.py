"""What all engines share: the campaign's sites, the golden counts, and running with the clock."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

from onnxfi.engine._context import BatchResult, EngineContext, Injection
from onnxfi.engine._execute import timed
from onnxfi.engine._golden import golden_run
from onnxfi.engine._watchdog import Watchdog
from onnxfi.errors import ConfigError
from onnxfi.faults import Scenario
from onnxfi.outcome import OutcomeCounts


class EngineBase(ABC):
    """An engine but for how it carries out a scenario.

    Args:
        context: Model, workload and sites.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._sites = {site.name: site for site in context.sites}
        self._watchdog = Watchdog()

    @cached_property
    def golden_counts(self) -> OutcomeCounts:
        """Counts of the fault-free run of the untouched model."""
        context = self._context
        golden = golden_run(context.model, context.workload, context.profile, context.settings)
        return golden.counts(context.criterion, context.workload.labels)

    def run(self, scenario: Scenario) -> Injection:
        """Carry out a scenario over the workload."""
        start = time.perf_counter()
        return timed(self._context, self.results(scenario), start)

    @abstractmethod
    def results(self, scenario: Scenario) -> Iterator[BatchResult]:
        """Carry out a scenario run by run."""

    def _check_sites(self, scenario: Scenario) -> None:
        """Refuse a scenario that touches what is no site of the campaign."""
        for name in scenario.sites:
            if name not in self._sites:
                raise ConfigError(f"site {name!r} is not a site of this campaign")
