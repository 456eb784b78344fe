"""The ports engine: faults enter instrumented sessions through inputs; no rebuild per scenario."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from weakref import WeakKeyDictionary

from onnxfi.engine.cut import Route, Routes
from onnxfi.engine.engines._bake import BakeEngine, not_loaded
from onnxfi.engine.engines._base import Armed, EngineBase, Windows, bound_sites, scenario_windows
from onnxfi.engine.engines._kind import PREPARED, Survey
from onnxfi.engine.engines.ports._inputs import Kept, open_inputs
from onnxfi.engine.engines.ports._replayed import ArmedReplay, ReplayedModel, can_replay
from onnxfi.engine.engines.ports._stepped import SteppedInputs, whole_sites
from onnxfi.engine.executable import (
    OVERLOOKED,
    Agreement,
    Deployed,
    FedSites,
    OwnAnswers,
    changes_of,
    packed_for,
    stored_sites,
)
from onnxfi.engine.golden import EngineContext, Feeds, GoldenSession, golden_room
from onnxfi.engine.runtime import Cache, MemoryOf, Session, Watchdog, device_memory, find_provider
from onnxfi.errors import BackendError, ModelError
from onnxfi.faults import FaultGraph, FaultSite, Scenario
from onnxfi.graph import initializer_words
from onnxfi.inject import BatchWindow, Instrumented, can_bake, can_open, instrument
from onnxfi.outcome import GraphUse, RunOutputs

_INDEXABLE = 2**31

_FILE = "devices and sequences run the file's graph, with ports in it"
_BODY = "what is in a control-flow body, or can't be cut behind, is reached in the file's graph"
_GRAPHS = "graphs that are faults become part of the file's graph"
_RAISED = "an operator of the executable graph can't be raised to the opset of ports"

_log = logging.getLogger(__name__)


class PortsEngine(EngineBase):
    """Keeps a session for each set of open sites.

    A scenario that touches one site runs in a session where only that site is open, since open
    sites cost time and move kernels; any other scenario in one with more sites open, which follow
    from the scenario and the model. So the result depends on the scenario alone.

    On the CPU that is a session of the executable graph, in the same graph as engine `cut`'s; the
    stored graph is instrumented where there is none that can be trusted, for other providers, and
    for sequences. What would cost integer operators as an input is baked, as is what the stored
    graph with ports answers otherwise than the file's session does.

    Args:
        context: Model, workload and sites.
        place: Says where batches and lifted tensors are kept: by default in the provider's
            memory, which on the CPU is the host's. Checks compare other places with it.
    """

    name = "ports"
    help = "faults enter through extra inputs of the model; no rebuild per scenario"
    one_sample = True
    graphs = True
    setup = (*PREPARED, 1)

    def __init__(self, context: EngineContext, *, place: MemoryOf = device_memory) -> None:
        super().__init__(context)
        # Of a sequence each step is fed by itself, so whole batches are of no use on a device.
        streams = context.workload.stream is not None
        memory = None if streams else place(context.model, context.settings)
        self.kept = None if memory is None else Kept(context, memory)
        held = 0 if self.kept is None else self.kept.batches.nbytes
        self._models: Cache[OpenModel | ReplayedModel] = Cache(
            context.settings.memory_limit_bytes - held
        )
        # Other places are compared on the stored graph, which is the one for devices.
        on_cpu = find_provider(context.settings).on_cpu
        executable = place is device_memory and on_cpu and not streams
        # What lies in a control-flow body has no place of its own in the optimised graph; nor has
        # what that can't be cut behind.
        self._inside = frozenset(site.name for site in context.sites if site.body)
        self._whole = self._inside.union(Survey(context.model).held(context.sites))
        reached = tuple(site for site in context.sites if site.name not in self._whole)
        opened = replace(context, sites=reached)
        self._routes = Routes(opened, self._watchdog) if executable else None
        self._baking = BakeEngine(context)
        # Found once, by whoever asks first.
        routes = self._routes
        self._deployed = Deployed(context) if routes is None else routes.deployed
        self.own = OwnAnswers(context, self._watchdog) if routes is None else routes.own
        self._fed = FedSites(context, self._deployed)
        # By what is open, for as long as that is: sessions come and go.
        self._agreements: WeakKeyDictionary[OpenModel, Agreement] = WeakKeyDictionary()
        self._objections: WeakKeyDictionary[OpenModel, str | None] = WeakKeyDictionary()

    @classmethod
    def refuses(cls, site: FaultSite) -> str | None:
        """Why it can't fault a site, whatever the graph around it; None if it can."""
        return can_open(site)

    @classmethod
    def misses(cls, survey: Survey, sites: Sequence[FaultSite]) -> Mapping[str, str]:
        """Sites whose faults need operators that the model can't be raised to, and why."""
        return survey.not_raised(sites)

    @classmethod
    def examine(cls, context: EngineContext) -> str | None:
        """Why onnxruntime does not load what it would make; None if it does."""
        return not_loaded(context)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        windows = scenario_windows(self._context, scenario)
        if scenario.graphs:
            return _ArmedPorts(self._with_graphs(scenario), scenario), windows
        if self._in_executable(scenario):
            route = self._route(scenario)
            if route.opening is None:
                return self._baking.arm(scenario)
            replayed = self._replayed(scenario, route)
            if replayed is not None:
                return replayed, windows
        opened = self._instrumented(scenario)
        if isinstance(opened, str):
            return self._baking.arm(scenario)
        return _ArmedPorts(opened, scenario), windows

    def graph_of(self, scenario: Scenario) -> GraphUse:
        """The graph that a scenario runs in, and why that one."""
        reason = _FILE if self._routes is None else _BODY
        opened: OpenModel | str
        if scenario.graphs:
            opened, reason = self._with_graphs(scenario), _GRAPHS
        elif self._in_executable(scenario):
            route = self._route(scenario)
            if route.opening is None:
                return self._baking.in_place_of(scenario, route)
            if self._model(scenario, route) is not None:
                return route.use
            opened = self._instrumented(scenario)
            reason = _RAISED if route.use.graph != "stored" else route.use.reason
        else:
            opened = self._instrumented(scenario)
        if isinstance(opened, str):
            route = Route(use=GraphUse(graph="baked", reason=opened))
            return self._baking.in_place_of(scenario, route)
        found = self._agreement(opened)
        compared, differing = found.samples, found.differing
        return GraphUse(graph="stored", reason=reason, compared=compared, differing=differing)

    def _route(self, scenario: Scenario) -> Route:
        assert self._routes is not None
        return self._routes.route(scenario.sites, bakeable=not bound_sites(scenario))

    def _in_executable(self, scenario: Scenario) -> bool:
        return self._routes is not None and self._whole.isdisjoint(scenario.sites)

    def _instrumented(self, scenario: Scenario) -> OpenModel | str:
        """The stored graph with ports; why its scenario is baked where that graph does not do."""
        touched = scenario.sites
        sites = self._open_with(touched)
        settled = self._fed.settle([site for site in sites if site.kind.stored])
        lost = {site.name for site in settled.lost}
        if not self._inside.isdisjoint(touched):
            lost.difference_update(touched)
        if not lost.isdisjoint(touched):
            return OVERLOOKED
        key = (*(site.name for site in sites), *sorted(lost))
        opened = self._models.get(key, lambda: self._opened(sites, lost))
        assert isinstance(opened, OpenModel)
        objection = self._objection(opened, sites) if self._can_bake(scenario) else None
        return opened if objection is None else objection

    def _objection(self, opened: OpenModel, sites: Sequence[FaultSite]) -> str | None:
        """Why the stored graph with ports at some sites may not stand for the file's."""
        if opened not in self._objections:
            # What lies in a control-flow body is seen by nothing that fuses what is around it.
            lifted = [lift.site for lift in opened.instrumented.lifts if not lift.site.body]
            reason = self._fed.against(lifted) if lifted and self._deployed.kernels else None
            if reason is None:
                found = self._agreement(opened)
                stands = found.stands(self._deployed, shared=len(sites) > 1)
                reason = None if stands else str(found)
            self._objections[opened] = reason
        return self._objections[opened]

    def _agreement(self, opened: OpenModel) -> Agreement:
        """How the stored graph with ports answers without faults beside the file's session."""
        if opened not in self._agreements:
            golden = opened.reference.golden(self.own.first)
            self._agreements[opened] = self.own.compare(golden)
        return self._agreements[opened]

    def _can_bake(self, scenario: Scenario) -> bool:
        """Whether a scenario of the CPU's can be baked where no other graph does."""
        sites = (self._sites[name] for name in scenario.sites)
        free = not bound_sites(scenario) and all(can_bake(site) is None for site in sites)
        return self._routes is not None and free

    def _open_with(self, touched: Sequence[str]) -> tuple[FaultSite, ...]:
        """Sites that are open in the stored graph together with those that a scenario touches.

        These alone; where several stored tensors are touched, all of their kinds, lest each
        scenario have a session of its own.
        """
        tensors = {self._sites[name].tensor for name in touched}
        sites = tuple(site for site in self._context.sites if site.tensor in tensors)
        if len(tensors) == 1 or not all(site.kind.stored for site in sites):
            return sites
        every = stored_sites(self._context.model, {site.kind for site in sites})
        return tuple(site for site in every if can_open(site) is None)

    def _replayed(self, scenario: Scenario, route: Route) -> ArmedReplay | None:
        """The executable graph with ports, armed; None if there is none."""
        found = self._model(scenario, route)
        if found is None:
            return None
        late = found.late
        changes = changes_of(scenario, late.sites, late.stored, late.graph.images)
        return ArmedReplay(found, scenario, changes)

    def _model(self, scenario: Scenario, route: Route) -> ReplayedModel | None:
        """The executable graph with ports; None if it is none, or can't be raised to the opset."""
        assert self._routes is not None
        late = self._routes.late(route)
        if not can_replay(self._context, late):
            return None
        late.clean.clear()  # this engine has golden outputs of its own
        places, images = late.graph.places, late.graph.images
        changed = {i.initializer for name in scenario.sites for i in images.get(name, ())}
        packed = packed_for(late.graph, changed)
        computed = tuple(places)
        if len(scenario.sites) == 1:
            computed = tuple(name for name in scenario.sites if name in places)
        try:
            found = self._models.get(
                (late, computed, packed),
                lambda: ReplayedModel(self._context, late, computed, packed, self._watchdog),
            )
        except (BackendError, ModelError) as error:
            _log.info("no ports in the %s graph: %s", route.use.graph, error)
            return None
        assert isinstance(found, ReplayedModel)
        return found

    @property
    def models(self) -> tuple[OpenModel | ReplayedModel, ...]:
        """The models that are open, the one used last at the end."""
        return self._models.items

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._models.clear()
        self._baking.close()
        if self._routes is not None:
            self._routes.clear()
        if self.kept is not None:
            self.kept.batches.clear()
        self._watchdog.close()

    def _with_graphs(self, scenario: Scenario) -> OpenModel:
        """The stored graph with fault graphs in it, open at the sites of a scenario alone."""
        graphs = {group.site: group.graph for group in scenario.groups if group.graph is not None}
        sites = tuple(self._sites[name] for name in scenario.sites)
        key = tuple((site.name, graphs.get(site.name)) for site in sites)
        opened = self._models.get(
            key, lambda: OpenModel(self._context, sites, self._watchdog, graphs=graphs)
        )
        assert isinstance(opened, OpenModel)
        return opened

    def _opened(self, sites: Sequence[FaultSite], lost: Set[str]) -> OpenModel:
        """A session with some sites open, but for those that would be overlooked."""
        kept = tuple(site for site in sites if site.name not in lost)
        return OpenModel(self._context, kept, self._watchdog, self.kept)


class OpenModel:
    """An instrumented model in a session, with its golden outputs.

    Args:
        context: Model and workload.
        sites: Sites to open.
        watchdog: Ends runs that take too long.
        kept: What is kept on a device; None to feed everything from the host.
        graphs: Fault graphs by site.
    """

    def __init__(
        self,
        context: EngineContext,
        sites: tuple[FaultSite, ...],
        watchdog: Watchdog,
        kept: Kept | None = None,
        graphs: Mapping[str, FaultGraph] | None = None,
    ) -> None:
        settings = context.settings
        on_cpu = find_provider(settings).on_cpu
        if not on_cpu:
            check_sizes(sites, context.profile.fixed_batch or context.profile.batch_size)
        # In a sequence its steps are what is counted, run by run, and not iterations in a run.
        opened = sites if context.workload.stream is None else whole_sites(sites)
        self.instrumented: Instrumented = instrument(
            context.model,
            opened,
            scatter="elements" if on_cpu else "nd",
            graphs=graphs,
        )
        try:
            self.session = Session(self.instrumented.model, settings, watchdog)
        except BackendError as error:
            names = ", ".join(repr(site.name) for site in sites[:3])
            raise BackendError(
                f"the model with {names}{', …' if len(sites) > 3 else ''} open for faults does not"
                f" load (--engine bake may run it): {error}"
            ) from error
        self.words = {
            lift.site.name: initializer_words(context.model, lift.site.name)
            for lift in self.instrumented.lifts
        }
        self.batches: Feeds = context.workload if kept is None else kept.batches
        self.inputs = open_inputs(self.instrumented, self.words, kept)
        if context.workload.stream is not None:
            self.inputs = SteppedInputs(self.inputs, {site.name: site for site in sites})
        self.reference = GoldenSession(
            self.session, self.batches, self.inputs.disarmed, golden_room(context)
        )

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self.reference.nbytes + sum(words.nbytes for words in self.words.values())


def check_sizes(sites: Sequence[FaultSite], samples: int) -> None:
    """Refuse tensors that CUDA's Gather and Scatter can't index: they count in 32 bits."""
    for site in sites:
        if site.kind.stored or site.layout is None:
            continue
        elements = math.prod(site.layout.run_shape(samples))
        if elements >= _INDEXABLE:
            raise BackendError(
                f"site {site.name!r} has {elements} elements in a run of {samples} samples, the"
                f" provider's kernels index below 2^31; use a smaller --batch-size"
            )


class _ArmedPorts:
    """A scenario in an open model."""

    def __init__(self, opened: OpenModel, scenario: Scenario) -> None:
        self._opened = opened
        self._inputs = opened.inputs.arm(scenario)

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._opened.reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        opened = self._opened
        batch = opened.batches.batch(window.start, window.stop, window.size)
        # Only for the length of a run: a caller may take the results of two scenarios in turns.
        with self._inputs.fed(window) as extra:
            return opened.session.run({**batch, **extra}, hurried=hurried)
