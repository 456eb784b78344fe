"""The graphs that a scenario may run in: the best first, and why one is passed over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from onnxfi.engine.cut._late import LateStart
from onnxfi.engine.cut._proof import same_effect
from onnxfi.engine.executable import (
    Opening,
    open_executable,
    open_stored,
    replay_differs,
    with_inputs,
)
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import Watchdog, find_provider
from onnxfi.errors import BackendError, ModelError, RewriteError
from onnxfi.graph import expose
from onnxfi.outcome import GraphKind, GraphUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a scenario is carried out.

    Attributes:
        use: The graph, and why that one.
        opening: What it is opened for; None if the scenario is baked.
    """

    use: GraphUse
    opening: Opening | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of opening a graph.

    Attributes:
        kind: What kind of graph it is; None if there is none.
        against: Why better kinds of it were passed over, or why there is none.
        untrusted: Computed sites whose places in it are not the stored tensors.
    """

    kind: GraphKind | None
    against: tuple[str, ...] = ()
    untrusted: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedGraph:
    """A graph that is open, and what came of opening it."""

    late: LateStart | None
    tried: Tried

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        return 0 if self.late is None else self.late.nbytes


_log = logging.getLogger(__name__)


class _PassedOver(Exception):  # noqa: N818  (no error: the next kind of graph is tried)
    """A graph is not used, and why."""


class Openings:
    """Opens graphs, and proves that faults in them are faults in the model.

    Args:
        context: Model, workload and sites.
        watchdog: Ends runs that take too long.
    """

    def __init__(self, context: EngineContext, watchdog: Watchdog) -> None:
        self._context = context
        self._watchdog = watchdog
        self._on_cpu = find_provider(context.settings).on_cpu

    def open(self, opening: Opening) -> OpenedGraph:
        """The executable graph with an opening; where there is none, the stored graph.

        Of a graph that many scenarios share only the executable one will do: the stored graph is
        cut where a scenario touches it, and nowhere else.

        Raises:
            BackendError, GoldenError: The stored graph does not run.
            RewriteError: A graph can't be edited: a fault of ours.
        """
        against: list[str] = []
        if not self._on_cpu:
            against.append("only graphs optimised for the CPU provider can be run as they are")
        # Without computed sites there is nothing to take a graph apart at.
        kinds = (False, True) if opening.computed else (False,)
        for apart in kinds if self._on_cpu else ():
            kind: GraphKind = "apart" if apart else "executable"
            try:
                late, untrusted = self._executable(opening, apart=apart)
            except (BackendError, ModelError, _PassedOver) as error:
                _log.debug("%s graph of %s: %s", kind, _shown(opening), error)
                against.append(f"{'taken apart, ' if apart else ''}{error}")
                continue
            except RewriteError as error:
                raise RewriteError(
                    f"the {kind} graph for faults in {_shown(opening)} can't be made: {error}; this"
                    " is a fault of onnxfi, please report it; --engine bake does without that graph"
                ) from error
            return OpenedGraph(
                late=late, tried=Tried(kind=kind, against=tuple(against), untrusted=untrusted)
            )
        if opening.shared:
            return OpenedGraph(late=None, tried=Tried(kind=None, against=tuple(against)))
        return OpenedGraph(
            late=self._stored(opening), tried=Tried(kind="stored", against=tuple(against))
        )

    def _stored(self, opening: Opening) -> LateStart:
        context, watchdog = self._context, self._watchdog
        return LateStart(context, open_stored(context, opening, watchdog), watchdog)

    def _executable(self, opening: Opening, *, apart: bool) -> tuple[LateStart, frozenset[str]]:
        """The executable graph, and the sites whose places can't be trusted."""
        context, watchdog = self._context, self._watchdog
        graph = open_executable(context, opening, watchdog, apart=apart)
        if graph.unmapped and not opening.shared:
            raise _PassedOver(f"the tensor has no map: {next(iter(graph.unmapped.values()))}")
        if not apart:
            # A graph that was taken apart has no session of its own to be compared with.
            model = expose(with_inputs(context.model, opening.fed), opening.kept)
            study = context.workload, context.profile, context.settings
            differs = replay_differs(model, graph.model, *study, graph.fed)
            if differs is not None:
                raise _PassedOver(differs)
        late = LateStart(context, graph, watchdog)
        untrusted = self._untrusted(opening, late, tuple(graph.places))
        if untrusted and (not opening.shared or len(untrusted) == len(graph.places)):
            raise _PassedOver("faults in its place would miss some of those who read the value")
        return late, untrusted

    def _untrusted(self, opening: Opening, late: LateStart, names: Sequence[str]) -> frozenset[str]:
        """Those of some places where faults have not the effect that they have in the stored graph.

        What holds for all of them at once holds for each; else they are tried in halves, so that
        the answer for one does not depend on the others.
        """
        if not names:
            return frozenset()
        context, places = self._context, {name: late.graph.places[name] for name in names}
        computed = tuple(site for site in opening.computed if site.name in places)
        stored = self._stored(replace(opening, computed=computed, mapped=()))
        lifted = (stored.chain, stored.loose), (late.chain, late.loose)
        if same_effect(context, *lifted, places, late.graph.fed):
            return frozenset()
        if len(names) == 1:
            return frozenset(names)
        half = len(names) // 2
        first, second = names[:half], names[half:]
        return self._untrusted(opening, late, first) | self._untrusted(opening, late, second)


def _shown(opening: Opening) -> str:
    """The sites of an opening, in a few words."""
    sites = (*opening.computed, *opening.fed, *opening.mapped)
    names = ", ".join(repr(site.name) for site in sites[:2])
    return f"{names}, …" if len(sites) > 2 else names
