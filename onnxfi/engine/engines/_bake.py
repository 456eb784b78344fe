"""The bake engine: each scenario is written into a model of its own. The reference."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from onnxfi.engine.cut import Route
from onnxfi.engine.engines._base import Armed, EngineBase, Windows, scenario_windows
from onnxfi.engine.engines._estimate import Estimate
from onnxfi.engine.engines._kind import Survey
from onnxfi.engine.executable import Agreement, OwnAnswers
from onnxfi.engine.golden import EngineContext, GoldenSession, golden_room
from onnxfi.engine.runtime import Cache, ModelRefusedError, RunFailedError, Session
from onnxfi.errors import BackendError
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import Model, raise_opset
from onnxfi.inject import BatchWindow, bake, can_bake, opset_for, opset_needed, without_effect
from onnxfi.outcome import GraphUse, RunOutputs
from onnxfi.workload import Workload

# What a baked fault in a computed tensor adds to a run, as a share of it: nodes that run over the
# whole tensor. 1.25 to 1.8 of a run (ResNet-8, ResNet-20, batches of 64).
_BAKED_NODES = 0.4

_ASKED = "each scenario is a model of its own in engine bake"


class BakeEngine(EngineBase):
    """Bakes a scenario, starts a session, runs it over the workload, and drops the session.

    Golden outputs come from a model baked with the same nodes but without effect, so that the
    runtime picks the same kernels; with faults in stored tensors only, that is the model itself.

    Args:
        context: Model, workload and sites.
    """

    name = "bake"
    help = "each scenario is written into a copy of the model; the reference"
    one_step = False
    graphs = True

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._own = OwnAnswers(context, self._watchdog)
        self._agreements: dict[Hashable, Agreement] = {}
        self._raised: dict[int, Model] = {}
        self._references: Cache[GoldenSession] = Cache(context.settings.memory_limit_bytes)

    @classmethod
    def refuses(cls, site: FaultSite) -> str | None:
        """Why it can't fault a site, whatever the graph around it; None if it can."""
        return can_bake(site)

    @classmethod
    def misses(cls, survey: Survey, sites: Sequence[FaultSite]) -> Mapping[str, str]:
        """Sites whose faults need operators that the model can't be raised to, and why."""
        return survey.not_raised(sites)

    @classmethod
    def examine(cls, context: EngineContext) -> str | None:
        """Why onnxruntime does not load what it would make; None if it does."""
        return not_loaded(context)

    @classmethod
    def scenario_seconds(cls, estimate: Estimate) -> float:
        """Seconds that a scenario takes, from sizes alone."""
        nodes = 0.0 if estimate.stored else _BAKED_NODES
        return estimate.session_s + (1 + nodes) * estimate.run_s

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        reference = self._references.get(
            self._computed(scenario), lambda: self._reference(scenario)
        )
        cut = scenario_windows(self._context, scenario)
        # The reference must stand before a refusal of the faulty model can be blamed on the fault.
        reference.golden(cut[0])
        return _BakedModel(self._faulty(scenario), reference, self._context.workload), cut

    def graph_of(self, scenario: Scenario) -> GraphUse:
        """The graph that a scenario runs in, and why that one."""
        return self.in_place_of(scenario, Route(use=GraphUse(graph="baked", reason=_ASKED)))

    def in_place_of(self, scenario: Scenario, route: Route) -> GraphUse:
        """The graph of a scenario for which there is a reason not to run in another one."""
        key = self._computed(scenario)
        if not key:  # then it is the model itself
            samples = self._own.first.samples
            return replace(route.use, compared=samples, differing=0)
        found = self._agreements.get(key)
        if found is None:
            reference = self._references.get(key, lambda: self._reference(scenario))
            found = self._own.compare(reference.golden(self._own.first))
            if len(key) == 1:  # of the others there may be as many as scenarios
                self._agreements[key] = found
        return replace(route.use, compared=found.samples, differing=found.differing)

    def _computed(self, scenario: Scenario) -> tuple[Hashable, ...]:
        """What is equal for scenarios with the same fault-free model."""
        return tuple(
            (group.site, group.graph)
            for group in scenario.groups
            if not self._sites[group.site].kind.stored
        )

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._references.clear()
        self._watchdog.close()

    def _base(self, scenario: Scenario) -> Model:
        """The model at the opset that the scenario needs; raised once, since that takes longest."""
        needed = opset_for(scenario, self._sites)
        if needed not in self._raised:
            model = self._context.model
            self._raised[needed] = raise_opset(model, needed) if needed else model
        return self._raised[needed]

    def _reference(self, scenario: Scenario) -> GoldenSession:
        context = self._context
        quiet = without_effect(scenario, self._sites)
        model = bake(self._base(quiet), quiet, self._sites) if quiet.groups else context.model
        session = Session(model, context.settings, self._watchdog)
        return GoldenSession(session, context.workload, {}, golden_room(context))

    def _faulty(self, scenario: Scenario) -> Session | str:
        """A session of the faulty model, or why onnxruntime refuses that."""
        context = self._context
        model = bake(self._base(scenario), scenario, self._sites)
        try:
            return Session(model, context.settings, self._watchdog)
        except ModelRefusedError as error:
            # The same model without the fault did load: the fault is why this one does not.
            return str(error)


def not_loaded(context: EngineContext) -> str | None:
    """Why onnxruntime does not load the model at the opset that faults in its sites need.

    Some of its operators have a kernel for an older opset and none for a later one.
    """
    needed = max(
        (opset_needed(site.element) for site in context.sites if not site.kind.stored), default=0
    )
    raised = raise_opset(context.model, needed)
    if raised is context.model:
        return None
    try:
        Session(raised, context.settings)
    except BackendError as error:
        return f"faults in computed tensors need opset {needed}, in which it does not load: {error}"
    return None


class _BakedModel:
    """A baked scenario; without a session every run of it raises."""

    def __init__(
        self, session: Session | str, reference: GoldenSession, workload: Workload
    ) -> None:
        self._session = session
        self._reference = reference
        self._workload = workload

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        if isinstance(self._session, str):
            raise RunFailedError(f"the faulty model is refused: {self._session}")
        feeds = self._workload.batch(window.start, window.stop, window.size)
        return self._session.run(feeds, hurried=hurried)
