"""The cut engine: only what a fault reaches is run, from golden values computed once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from onnxfi.engine.cut import ArmedLate, Route, Routes
from onnxfi.engine.engines._bake import BakeEngine
from onnxfi.engine.engines._base import (
    Armed,
    Counted,
    EngineBase,
    Windows,
    bound_sites,
    in_turns,
    scenario_windows,
)
from onnxfi.engine.engines._estimate import Estimate
from onnxfi.engine.engines._front import carry_out
from onnxfi.engine.engines._kind import PREPARED, Survey
from onnxfi.engine.golden import EngineContext
from onnxfi.faults import FaultSite, Scenario
from onnxfi.inject import can_start
from onnxfi.outcome import GraphUse

# It runs the executable graph part by part: 1.02 to 1.08 of a whole run for all of it.
_IN_PARTS = 0.08


class CutEngine(EngineBase):
    """Cuts the graph where faults enter and where work begins, and runs it part by part.

    Values that cross a cut are computed once for each batch and kept. A fault changes one of them
    (or a stored tensor that a part reads) on the host; then only those parts run that it reaches
    (late start), and only for the samples in which what they read differs from golden (early
    stop). Any number of faults may act at once, in any sites. What no graph holds as it is deployed
    is baked.

    Args:
        context: Model, workload and sites.
    """

    name = "cut"
    help = "values are computed once, a fault changes one, and only what it reaches is run"
    one_sample = True
    sequences = False
    batch_outer = True
    most_together = 1024
    setup = (*PREPARED, 0)

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self.routes = Routes(context, self._watchdog)
        self._baking = BakeEngine(context)

    @classmethod
    def refuses(cls, site: FaultSite) -> str | None:
        """Why it can't fault a site, whatever the graph around it; None if it can."""
        return can_start(site)

    @classmethod
    def misses(cls, survey: Survey, sites: Sequence[FaultSite]) -> Mapping[str, str]:
        """Sites that the graph can't be cut behind, and why."""
        return survey.held(sites)

    @classmethod
    def scenario_seconds(cls, estimate: Estimate) -> float:
        """Seconds that a scenario takes, from sizes alone."""
        # Of many tensors changed at once all are lifted, those that kernels would pack among them.
        alone = estimate.scenarios.single_site
        unpacked = estimate.lifting if estimate.stored and not alone else 0.0
        sessions, runs, _ = cls.setup
        running = estimate.run_s * estimate.behind * (1 + _IN_PARTS + unpacked)
        return running + estimate.spread(sessions, runs)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        route = self._route(scenario)
        if route.opening is None:
            return self._baking.arm(scenario)
        late = self.routes.late(route)
        return ArmedLate(late, scenario), scenario_windows(self._context, scenario)

    def _carry_out(self, scenarios: Sequence[Scenario]) -> Sequence[Counted]:
        """Carry out scenarios that run side by side: of one graph, or baked."""
        together = self._armed(scenarios)
        route = self._route(scenarios[0])
        if route.opening is None:
            in_turns(together)
        else:
            carry_out(self._context, self.routes.late(route), together)
        return together

    def graph_of(self, scenario: Scenario) -> GraphUse:
        """The graph that a scenario runs in, and why that one."""
        route = self._route(scenario)
        return route.use if route.opening is not None else self._baking.in_place_of(scenario, route)

    def _shared_by(self, scenario: Scenario) -> Hashable:
        opening = self._route(scenario).opening
        # A baked one alone: each baked model has a session of its own.
        return id(scenario) if opening is None else opening.key

    def _route(self, scenario: Scenario) -> Route:
        self._check_sites(scenario)
        single = sum(len(group.index) for group in scenario.groups) == 1
        return self.routes.route(scenario.sites, bakeable=not bound_sites(scenario), single=single)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self.routes.clear()
        self._baking.close()
        self._watchdog.close()
