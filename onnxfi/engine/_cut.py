"""The cut engine: only what a fault reaches is run, from golden values computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from onnxfi.engine._base import EngineBase
from onnxfi.engine._cache import Cache
from onnxfi.engine._context import EngineContext
from onnxfi.engine._execute import Armed, Windows, scenario_windows
from onnxfi.engine._grouping import Together, kept_together
from onnxfi.engine._late import ArmedLate, LateStart
from onnxfi.engine._opened import Opening, open_executable, open_stored
from onnxfi.engine._proof import same_effect
from onnxfi.engine._providers import find_provider
from onnxfi.errors import BackendError, ModelError
from onnxfi.faults import FaultSite, Scenario


class CutEngine(EngineBase):
    """Cuts the graph where faults enter and where work begins, and runs it part by part.

    Values that cross a cut are computed once for each batch and kept. A fault changes one of them
    (or a stored tensor that a part reads) on the host; then only those parts run that it reaches
    (late start), and only for the samples in which what they read differs from golden (early
    stop). Any number of faults may act at once, in any sites.

    What is cut is the executable graph. Sites that can't exist in it together with the others have
    one of their own, and where there is none that can be trusted, the stored graph is cut and
    onnxruntime optimises the parts. Which graph a scenario runs in depends on its sites alone.

    Args:
        context: Model, workload and sites.
    """

    name = "cut"
    batch_outer: ClassVar[bool] = True

    def __init__(self, context: EngineContext) -> None:
        super().__init__(context)
        self._held: Cache[LateStart] = Cache(context.settings.memory_limit_bytes)

    @cached_property
    def _shared(self) -> Together:
        """The computed sites that share the main graph."""
        return kept_together(self._context)

    @cached_property
    def _main(self) -> Opening:
        """The opening of the graph that most scenarios run in."""
        index = self._context.model.index
        # What a control-flow body holds, or the model returns, can't be lifted part by part.
        stored = (site for site in self._context.sites if site.kind.stored)
        mapped = (
            s for s in stored if not (index.initializers[s.name].scope or index.returned(s.name))
        )
        return Opening(computed=self._shared.sites, mapped=tuple(mapped))

    @cached_property
    def _together(self) -> frozenset[str]:
        """Names of the sites that are open in it."""
        main = self._main
        unmapped = self._late(main).graph.unmapped if main.mapped else {}
        names = {site.name for site in (*main.computed, *main.mapped)}
        return frozenset(names.difference(unmapped))

    def arm(self, scenario: Scenario) -> tuple[Armed, Windows]:
        """A scenario ready to run, and the windows to run it in."""
        self._check_sites(scenario)
        late = self._late(self._opening(scenario.sites))
        return ArmedLate(late, scenario), scenario_windows(self._context, scenario)

    def close(self) -> None:
        """Let go of sessions and threads."""
        self._held.clear()
        self._watchdog.close()

    def _opening(self, touched: Sequence[str]) -> Opening:
        """The opening of the graph that a scenario runs in."""
        if self._together.issuperset(touched):
            return self._main
        sites: Sequence[FaultSite] = self._context.sites
        # Alone, for the rest of the model to run as deployed, as far as there is a difference.
        if len(touched) == 1 and (self._shared.delicate or self._sites[touched[0]].kind.stored):
            sites = (self._sites[touched[0]],)
        return Opening(
            computed=tuple(site for site in sites if not site.kind.stored),
            mapped=tuple(s for s in sites if s.kind.stored and s.name in self._together),
            fed=tuple(s for s in sites if s.kind.stored and s.name not in self._together),
        )

    def _late(self, opening: Opening) -> LateStart:
        key = tuple(site.name for site in (*opening.computed, *opening.fed, *opening.mapped))
        return self._held.get(key, lambda: self._started(opening))

    def _started(self, opening: Opening) -> LateStart:
        context = self._context
        if find_provider(context.settings).on_cpu:
            try:
                found = self._executable(opening)
            except (BackendError, ModelError):
                found = None
            if found is not None:
                return found
        return self._stored(opening)

    def _stored(self, opening: Opening) -> LateStart:
        context, watchdog = self._context, self._watchdog
        return LateStart(context, open_stored(context, opening, watchdog), watchdog)

    def _executable(self, opening: Opening) -> LateStart | None:
        """The executable graph; None if its places can't be trusted."""
        context, watchdog = self._context, self._watchdog
        graph = open_executable(context, opening, watchdog)
        if opening is not self._main and graph.unmapped:
            lost = tuple(site for site in opening.mapped if site.name in graph.unmapped)
            kept = tuple(site for site in opening.mapped if site.name not in graph.unmapped)
            return self._executable(replace(opening, mapped=kept, fed=(*opening.fed, *lost)))
        late = LateStart(context, graph, watchdog)
        if graph.places:
            stored = self._stored(replace(opening, mapped=()))
            trusted = same_effect(
                context,
                (stored.chain, stored.loose),
                (late.chain, late.loose),
                graph.places,
                graph.fed,
            )
            if not trusted:
                return None
        late.prove_narrow()
        return late
