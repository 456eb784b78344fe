"""Openings: which graph the scenarios of a campaign run in, by the sites that they touch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cached_property

from onnxfi.engine._cache import Cache
from onnxfi.engine._context import EngineContext
from onnxfi.engine._fed import FedSites
from onnxfi.engine._grouping import (
    Together,
    integer_kernels,
    kept_together,
    optimized_with,
)
from onnxfi.engine._late import LateStart
from onnxfi.engine._opened import Opening, open_executable, open_stored, with_inputs
from onnxfi.engine._optimize import replay_differs
from onnxfi.engine._proof import same_effect
from onnxfi.engine._providers import find_provider
from onnxfi.engine._trim import trim
from onnxfi.engine._watchdog import Watchdog
from onnxfi.errors import BackendError, ModelError, RewriteError
from onnxfi.faults import FaultSite
from onnxfi.graph import expose
from onnxfi.inject import can_bake


class Openings:
    """The graphs of a campaign, opened when a scenario first needs them, and kept.

    Most sites share the executable graph. Those that can't exist in it together with the others
    have one of their own, and where there is none that can be trusted, the stored graph is taken.

    Args:
        context: Model, workload and sites.
        watchdog: Ends runs that take too long.
    """

    def __init__(self, context: EngineContext, watchdog: Watchdog) -> None:
        self._context = context
        self._watchdog = watchdog
        # What lies in a control-flow body can't exist on its own in a graph like these.
        self._sites = {site.name: site for site in context.sites if not site.body}
        self._held: Cache[LateStart] = Cache(context.settings.memory_limit_bytes)
        self._used: Hashable = None
        self._fed = FedSites(context)
        self._loses: dict[tuple[str, ...], bool] = {}

    def baked(self, touched: Sequence[str]) -> bool:
        """Whether scenarios that touch some sites have to be baked.

        Fed, some faults would reach nothing; others would cost the model integer operators.
        """
        return not self._lost(touched).isdisjoint(touched) or self._costs_kernels(touched)

    def late(self, touched: Sequence[str]) -> LateStart:
        """The graph of the scenarios that touch some sites.

        Raises:
            BackendError: onnxruntime refuses the model.
            GoldenError: The fault-free run fails, or is not reproducible.
        """
        return self._kept(self._opening(touched))

    def shared_by(self, touched: Sequence[str]) -> Hashable:
        """What is equal for scenarios that run in the same graph, by the sites that they touch."""
        opening = self._opening(touched)
        return None if opening is self._main else opening.key

    def _costs_kernels(self, touched: Sequence[str]) -> bool:
        """Whether a graph with inputs in place of stored tensors lacks integer operators.

        A stored tensor without a map is an input before the graph is optimised. Where that costs
        integer operators, as most scales of QDQ models do, the model would run otherwise than
        deployed: as a constant, faulty or not, the tensor leaves them.
        """
        sites = [self._sites[name] for name in touched if name in self._sites]
        if len(sites) < len(touched) or not all(site.kind.stored for site in sites):
            return False
        if any(can_bake(site) is not None for site in sites) or not self._integer_kernels:
            return False
        lost = tuple(sorted(set(touched) - self._together))
        if lost not in self._loses:
            self._loses[lost] = bool(lost) and self._loses_kernels(lost)
        return self._loses[lost]

    def _loses_kernels(self, names: Sequence[str]) -> bool:
        context = self._context
        opened = with_inputs(context.model, [self._sites[name] for name in names])
        found = integer_kernels(optimized_with(opened, (), context.settings))
        return found < self._integer_kernels

    @cached_property
    def _integer_kernels(self) -> int:
        """Integer operators that the model is deployed with; 0 where nothing is known."""
        context = self._context
        if not find_provider(context.settings).on_cpu:
            return 0
        return max(0, integer_kernels(optimized_with(context.model, (), context.settings)))

    def clear(self) -> None:
        """Let go of all graphs."""
        self._held.clear()

    @cached_property
    def _shared(self) -> Together:
        return kept_together(self._context)

    @cached_property
    def _main(self) -> Opening:
        """The opening of the graph that most scenarios run in."""
        index = self._context.model.index
        # What a control-flow body holds, or the model returns, can't be lifted part by part.
        mapped = (
            site
            for site in self._context.sites
            if site.kind.stored
            and not (index.initializers[site.name].scope or index.returned(site.name))
        )
        return Opening(computed=self._shared.sites, mapped=tuple(mapped))

    @cached_property
    def _together(self) -> frozenset[str]:
        """Names of the sites that are open in it."""
        main = self._main
        unmapped = self._kept(main).graph.unmapped if main.mapped else {}
        names = {site.name for site in (*main.computed, *main.mapped)}
        return frozenset(names.difference(unmapped))

    def _opening(self, touched: Sequence[str]) -> Opening:
        if self._together.issuperset(touched):
            return self._main
        # What is opened runs otherwise than deployed: integer operators that a float comes between,
        # and half-precision values, which are rounded to where they have to exist. So no more of
        # it than need be; but a graph for every set of sites would be too many.
        sites = self._beside(touched)
        return Opening(
            computed=tuple(site for site in sites if not site.kind.stored),
            mapped=tuple(s for s in sites if s.kind.stored and s.name in self._together),
            fed=self._fed.settle(self._to_feed(sites)).kept,
        )

    def _beside(self, touched: Sequence[str]) -> Sequence[FaultSite]:
        """The sites that are open together with some that are not in the main graph."""
        shared, one = self._shared, len(touched) == 1
        if shared.halves or (one and (shared.quantized or self._sites[touched[0]].kind.stored)):
            return [self._sites[name] for name in sorted(touched)]
        return tuple(self._sites.values())

    def _lost(self, touched: Sequence[str]) -> frozenset[str]:
        """Names of the sites that would have to be fed, and can't be."""
        if self._together.issuperset(touched):
            return frozenset()
        lost = self._fed.settle(self._to_feed(self._beside(touched))).lost
        return frozenset(site.name for site in lost)

    def _to_feed(self, sites: Sequence[FaultSite]) -> list[FaultSite]:
        return [site for site in sites if site.kind.stored and site.name not in self._together]

    def _kept(self, opening: Opening) -> LateStart:
        key = opening.key
        if key != self._used:
            # Golden values of one graph at a time: they may fill the memory limit.
            for late in self._held.items:
                late.clean.clear()
            self._used = key
        return self._held.get(key, lambda: self._started(opening))

    def _started(self, opening: Opening) -> LateStart:
        late = self._opened(opening)
        trim()
        return late

    def _opened(self, opening: Opening) -> LateStart:
        if find_provider(self._context.settings).on_cpu:
            for apart in (False, True):
                try:
                    found = self._executable(opening, apart=apart)
                except (BackendError, ModelError, RewriteError):
                    continue
                if found is not None:
                    return found
        return self._stored(opening)

    def _stored(self, opening: Opening) -> LateStart:
        context, watchdog = self._context, self._watchdog
        return LateStart(context, open_stored(context, opening, watchdog), watchdog)

    def _executable(self, opening: Opening, *, apart: bool) -> LateStart | None:
        """The executable graph; None if its places can't be trusted."""
        context, watchdog = self._context, self._watchdog
        graph = open_executable(context, opening, watchdog, apart=apart)
        if opening is not self._main and graph.unmapped:
            lost = tuple(site for site in opening.mapped if site.name in graph.unmapped)
            kept = tuple(site for site in opening.mapped if site.name not in graph.unmapped)
            more = replace(opening, mapped=kept, fed=(*opening.fed, *lost))
            return self._executable(more, apart=apart)
        late = LateStart(context, graph, watchdog)
        if not self._trusted(opening, late, apart=apart):
            return None
        late.prove()
        return late

    def _trusted(self, opening: Opening, late: LateStart, *, apart: bool) -> bool:
        """Whether a graph is what its own session runs, and faults in it are those of the stored.

        A graph that was taken apart has no session of its own to be compared with.
        """
        graph, context = late.graph, self._context
        if not apart:
            model = with_inputs(context.model, opening.fed)
            model = expose(model, [site.name for site in opening.computed])
            study = context.workload, context.profile, context.settings
            if replay_differs(model, graph.model, *study, graph.fed) is not None:
                return False
        if not graph.places:
            return True
        stored = self._stored(replace(opening, mapped=()))
        lifted = (stored.chain, stored.loose), (late.chain, late.loose)
        return same_effect(context, *lifted, graph.places, graph.fed)
