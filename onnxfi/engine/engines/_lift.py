"""The lift engine: stored tensors are inputs of the executable graph, changed between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.engines._base import Armed, EngineBase, Windows, scenario_windows
from onnxfi.engine.engines._kind import PREPARED
from onnxfi.engine.executable import (
    Agreement,
    LiftedTensors,
    OpenGraph,
    Opening,
    OwnAnswers,
    TensorChange,
    changes_of,
    integer_kernels,
    open_executable,
    packed_for,
    replay_differs,
)
from onnxfi.engine.golden import EngineContext, GoldenSession, golden_room
from onnxfi.engine.runtime import Cache, Session, Watchdog
from onnxfi.errors import BackendError, ConfigError, ModelError
from onnxfi.faults import FaultSite, Scenario
from onnxfi.graph import initializer_words, lift_initializers
from onnxfi.inject import BatchWindow, can_lift
from onnxfi.outcome import GraphUse, RunOutputs
from onnxfi.workload import Workload

_ONLY = "engine lift has no other"


class LiftEngine(EngineBase):
    """Keeps sessions of the executable graph with stored tensors lifted to inputs.

    Tensors that no operator packs are all lifted in one session. A scenario that changes a single
    packed one runs in a session where that is lifted too; one that changes several, in a session
    with everything lifted. So the session, and with it the result, depends on the scenario alone.

    Args:
        context: Model, workload and sites.

    Raises:
        ConfigError: The executable graph does not replay, or a site has no map into it.
        BackendError: onnxruntime can't write or run its optimised graph.
    """

    name = "lift"
    help = "stored tensors are inputs of the optimised graph, changed between runs"
    traces = False
    setup = (*PREPARED, 0)

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self.graph = _prepare(context, self._watchdog)
        self._own = OwnAnswers(context, self._watchdog)
        self._agreements: dict[tuple[str, ...], Agreement] = {}
        self._stored = {name: initializer_words(context.model, name) for name in self._sites}
        images = self.graph.images.values()
        traced = sorted({image.initializer for each in images for image in each})
        self._loose = [name for name in traced if name not in self.graph.packed]
        self._tensors = LiftedTensors(self.graph.model, traced)
        self._sessions: Cache[LiftedModel] = Cache(context.settings.memory_limit_bytes)

    @classmethod
    def refuses(cls, site: FaultSite) -> str | None:
        """Why it can't fault a site, whatever the graph around it; None if it can."""
        return can_lift(site)

    @classmethod
    def examine(cls, context: EngineContext) -> str | None:
        """Why it can't run a campaign; None if the lifted graph answers as the file's session."""
        return _why_not(context)

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        changes = changes_of(scenario, self._sites, self._stored, self.graph.images)
        armed = _ArmedLift(self._model(scenario), changes, self._context.workload)
        return armed, scenario_windows(self._context, scenario)

    def graph_of(self, scenario: Scenario) -> GraphUse:
        """The graph that a scenario runs in, and why that one."""
        names = self._names(scenario)
        if names not in self._agreements:
            golden = self._model(scenario).reference.golden(self._own.first)
            self._agreements[names] = self._own.compare(golden)
        found = self._agreements[names]
        return GraphUse(
            graph="executable",
            reason=_ONLY,
            compared=found.samples,
            differing=found.differing,
        )

    def _model(self, scenario: Scenario) -> LiftedModel:
        names = self._names(scenario)
        return self._sessions.get(names, lambda: self._lift(names))

    def _names(self, scenario: Scenario) -> tuple[str, ...]:
        """Initializers that are inputs for a scenario."""
        images = (image for name in scenario.sites for image in self.graph.images[name])
        packed = packed_for(self.graph, {image.initializer for image in images})
        return (*self._loose, *packed)

    @property
    def lifted(self) -> tuple[LiftedModel, ...]:
        """The sessions that are open, the one used last at the end."""
        return self._sessions.items

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._sessions.clear()
        self._watchdog.close()

    def _lift(self, names: Sequence[str]) -> LiftedModel:
        return LiftedModel(self._context, self.graph, names, self._tensors, self._watchdog)


def _why_not(context: EngineContext) -> str | None:
    """Why the lift engine can't run a campaign, None if it can."""
    watchdog = Watchdog()
    try:
        graph = _prepare(context, watchdog)
        found = _agreement(context, graph, watchdog)
    except (ConfigError, BackendError, ModelError) as error:
        return str(error)
    finally:
        watchdog.close()
    if found.holds(exact=integer_kernels(graph.model) > 0):
        return None
    return f"with its stored tensors as inputs, {found}"


def _agreement(context: EngineContext, graph: OpenGraph, watchdog: Watchdog) -> Agreement:
    """How the graph agrees with the file's session when all that may be lifted is."""
    images = {image.initializer for each in graph.images.values() for image in each}
    names = sorted(images | graph.matrices if len(images & graph.packed) > 1 else images)
    lifted = LiftedModel(context, graph, names, LiftedTensors(graph.model, names), watchdog)
    own = OwnAnswers(context, watchdog)
    return own.compare(lifted.reference.golden(own.first))


def _prepare(context: EngineContext, watchdog: Watchdog) -> OpenGraph:
    """The executable graph, proven to replay bit for bit, with a map for every site."""
    model, settings = context.model, context.settings
    graph = open_executable(context, Opening(mapped=context.sites), watchdog)
    differs = replay_differs(model, graph.model, context.workload, context.profile, settings)
    if differs is not None:
        raise ConfigError(f"{model.source} can't be replayed: {differs}")
    if graph.unmapped:
        name, reason = next(iter(graph.unmapped.items()))
        raise ConfigError(f"site {name!r} can't be lifted: {reason}")
    for name, images in graph.images.items():
        if any(image.initializer in graph.constant for image in images):
            raise ConfigError(
                f"site {name!r} can't be lifted: the kernel that reads it rounds its activations"
                " only while it is a constant"
            )
    return graph


class LiftedModel:
    """The executable graph in a session, its lifted inputs, and its golden outputs.

    Args:
        context: Workload and settings.
        graph: The graph.
        names: Initializers to lift.
        tensors: Their arrays.
        watchdog: Ends runs that take too long.
    """

    def __init__(
        self,
        context: EngineContext,
        graph: OpenGraph,
        names: Sequence[str],
        tensors: LiftedTensors,
        watchdog: Watchdog,
    ) -> None:
        model = lift_initializers(graph.model, names)
        self.session = Session(model, context.settings, watchdog, replay=True)
        self.tensors = tensors
        self.feeds: Mapping[str, NDArray[Any]] = {name: tensors.array(name) for name in names}
        self.reference = GoldenSession(
            self.session, context.workload, self.feeds, golden_room(context)
        )

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return self.reference.nbytes


class _ArmedLift:
    """A scenario in a lifted model."""

    def __init__(
        self, lifted: LiftedModel, changes: Sequence[TensorChange], workload: Workload
    ) -> None:
        self._lifted = lifted
        self._changes = changes
        self._workload = workload

    def golden(self, window: BatchWindow) -> RunOutputs:
        return self._lifted.reference.golden(window)

    def faulty(self, window: BatchWindow, hurried: bool) -> RunOutputs:
        lifted = self._lifted
        feeds = self._workload.batch(window.start, window.stop, window.size)
        # Only for the length of a run: a caller may take the results of two scenarios in turns.
        with lifted.tensors.armed(self._changes):
            return lifted.session.run({**feeds, **lifted.feeds}, hurried=hurried)
