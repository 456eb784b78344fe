"""Routes: which graph a scenario runs in, by the sites that it touches and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property

from onnxfi.engine.cut._candidates import OpenedGraph, Openings, Route
from onnxfi.engine.cut._late import LateStart
from onnxfi.engine.executable import (
    Agreement,
    Deployed,
    FedSites,
    Opening,
    OwnAnswers,
    kept_together,
    stored_sites,
)
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import Cache, Watchdog, find_provider, trim
from onnxfi.faults import FaultSite
from onnxfi.inject import can_bake, can_open
from onnxfi.outcome import GraphUse

_log = logging.getLogger(__name__)

_SHARED = "the graph that all scenarios of the kind share"
_ROUNDED = "the value is rounded to half precision wherever it exists"
_OTHER_KERNELS = "where the value exists, other kernels run than the model is deployed with"
_ONE_ONLY = "a graph of its own would serve this scenario alone"


class Routes:
    """The graphs of a campaign, opened when a scenario first needs them, and kept.

    Scenarios in stored tensors share the graph that onnxruntime makes of the file; those in
    computed ones a graph in which all values of the model exist that can. What neither of them
    holds has a graph with what the scenario touches and nothing else, or is baked. A graph is used
    if faults in it are proven to be faults in the model, and if without faults it answers as the
    file's own session does. So it depends on the scenario alone, never on the campaign.

    Args:
        context: Model, workload and sites.
        watchdog: Ends runs that take too long.

    Attributes:
        own: What the file's own session answers.
        deployed: What onnxruntime makes of the file.
    """

    def __init__(self, context: EngineContext, watchdog: Watchdog) -> None:
        self._context = context
        # What lies in a control-flow body can't exist on its own in a graph like these.
        self._sites = {site.name: site for site in context.sites if not site.body}
        self._openings = Openings(context, watchdog)
        self.own = OwnAnswers(context, watchdog)
        self.deployed = Deployed(context)
        self._fed = FedSites(context, self.deployed)
        self._held: Cache[OpenedGraph] = Cache(context.settings.memory_limit_bytes)
        self._used: Hashable = None
        self._routes: dict[Hashable, Route] = {}
        self._kinds: dict[tuple[bool, bool], Opening] = {}
        self._agreements: dict[Hashable, Agreement] = {}

    def route(
        self, touched: Sequence[str], *, bakeable: bool = True, single: bool = False
    ) -> Route:
        """How scenarios that touch some sites are carried out.

        Args:
            touched: Names of the sites.
            bakeable: Whether their faults can be baked: those bound to one sample can't.
            single: Whether a single element is all that they change.

        Raises:
            BackendError: onnxruntime refuses the model.
            GoldenError: The fault-free run fails, or is not reproducible.
            RewriteError: A graph can't be edited: a fault of ours.
        """
        sites = [self._sites[name] for name in sorted(touched)]
        bakeable = bakeable and all(can_bake(site) is None for site in sites)
        names = tuple(site.name for site in sites)
        key = names, single
        found = self._routes.get(key)
        if found is None or (found.opening is None and not bakeable):
            found = self._found(sites, bakeable=bakeable, single=single)
            if len(sites) == 1:  # of the others there may be as many as scenarios
                self._routes[key] = found
            _log.debug(
                "faults in %s: graph %s: %s", ", ".join(names), found.use.graph, found.use.reason
            )
        return found

    def late(self, route: Route) -> LateStart:
        """The graph of a route that is not baked; errors as :meth:`route`."""
        assert route.opening is not None
        late = self._open(route.opening).late
        assert late is not None
        return late

    @property
    def opened(self) -> tuple[OpenedGraph, ...]:
        """The graphs that are open."""
        return self._held.items

    def clear(self) -> None:
        """Let go of all graphs."""
        self._held.clear()

    def _found(self, sites: Sequence[FaultSite], *, bakeable: bool, single: bool) -> Route:
        against: list[str] = []
        last: Route | None = None
        for opening in self._candidates(sites, against, bakeable=bakeable):
            held = self._open(opening)
            objection, agreement = self._objection(opening, held, sites, single=single)
            against += held.tried.against
            if held.late is None or held.tried.kind is None:
                continue
            use = GraphUse(
                graph=held.tried.kind,
                reason="; ".join(dict.fromkeys(against)) or _SHARED,
                compared=0 if agreement is None else agreement.samples,
                differing=0 if agreement is None else agreement.differing,
            )
            last = Route(use=use, opening=opening)
            if objection is None:
                return last
            against.append(objection)
        if bakeable or last is None:
            reason = "; ".join(dict.fromkeys(against))
            return Route(use=GraphUse(graph="baked", reason=reason))
        return last

    def _candidates(
        self, sites: Sequence[FaultSite], against: list[str], *, bakeable: bool
    ) -> Iterator[Opening]:
        """Openings that may do, the best first; why one is left out is added to ``against``."""
        computed = tuple(site for site in sites if not site.kind.stored)
        stored = tuple(site for site in sites if site.kind.stored)
        if self._on_cpu:
            if all(site.name in self._names for site in computed):
                yield self._shared(computed=bool(computed), stored=bool(stored))
            else:
                against.append(_ROUNDED if self.deployed.halves else _OTHER_KERNELS)
        if not computed:
            yield from self._alone(stored, against, bakeable=bakeable)
        elif len(sites) == 1 or not bakeable:
            yield Opening(computed=computed, mapped=stored)
        else:
            against.append(_ONE_ONLY)

    def _alone(
        self, sites: tuple[FaultSite, ...], against: list[str], *, bakeable: bool
    ) -> Iterator[Opening]:
        """Openings of stored tensors that the graph shared by all does not hold."""
        shared = (
            self._open(self._shared(computed=False, stored=True)).late if self._on_cpu else None
        )
        if shared is None:
            every = stored_sites(self._context.model, {site.kind for site in sites})
            lifted = tuple(site for site in every if self._can_lift(site))
            fed = tuple(site for site in sites if not self._can_lift(site))
            yield Opening(mapped=lifted, fed=fed)
            return
        mapped = tuple(site for site in sites if site.name in shared.graph.images)
        fed = tuple(site for site in sites if site not in mapped)
        if bakeable and (mapped or len(fed) > 1):
            if fed:
                against.append(_ONE_ONLY)
            return
        reason = self._fed.against(fed) if fed else None
        if reason is not None:
            against.append(reason)
        if reason is None or not bakeable:
            yield Opening(mapped=mapped, fed=fed)

    def _shared(self, *, computed: bool, stored: bool) -> Opening:
        """The opening that scenarios of a kind share."""
        if (computed, stored) not in self._kinds:
            self._kinds[computed, stored] = self._of_kind(computed=computed, stored=stored)
        return self._kinds[computed, stored]

    def _of_kind(self, *, computed: bool, stored: bool) -> Opening:
        names = self._names if computed else {}
        return Opening(
            computed=tuple(site for site in self._sites.values() if site.name in names),
            mapped=self._mapped if stored else (),
            exposed=tuple(names),
            shared=True,
        )

    def _objection(
        self, opening: Opening, held: OpenedGraph, sites: Sequence[FaultSite], *, single: bool
    ) -> tuple[str | None, Agreement | None]:
        """Why a graph does not do for some sites, and how it agrees with the file's session."""
        late = held.late
        if late is None:
            return None, None
        graph, changed = late.graph, set[str]()
        for site in sites:
            if site.name in held.tried.untrusted:
                return "faults in its place would miss some of those who read the value", None
            if not site.kind.stored or site.name in graph.fed:
                continue
            if site.name not in graph.images:
                reason = graph.unmapped.get(site.name, "it can't be an input of a part")
                return f"the tensor has no map: {reason}", None
            changed |= {image.initializer for image in graph.images[site.name]}
        if changed & graph.constant:
            return "its kernel rounds what it reads only while the tensor is a constant", None
        found = self._agreement(opening, late, late.packed(changed, single=single))
        agrees = found.stands(self.deployed, shared=opening.shared)
        return (None if agrees else str(found)), found

    def _agreement(self, opening: Opening, late: LateStart, packed: Sequence[str]) -> Agreement:
        key = (opening.key, tuple(packed))
        if key not in self._agreements:
            lifted = {name: late.lifted.array(name) for name in packed}
            values = late.clean.of(self.own.first, lifted)
            found = self.own.compare({name: values[name] for name in late.chain.outputs})
            self._agreements[key] = found
        return self._agreements[key]

    @cached_property
    def _on_cpu(self) -> bool:
        return find_provider(self._context.settings).on_cpu

    @cached_property
    def _names(self) -> dict[str, None]:
        """Names of the computed sites of the model that all exist in one graph, in their order."""
        return dict.fromkeys(site.name for site in kept_together(self._context, self.deployed))

    @cached_property
    def _mapped(self) -> tuple[FaultSite, ...]:
        """Stored sites of the campaign that may be lifted part by part."""
        return tuple(site for site in self._sites.values() if self._can_lift(site))

    def _can_lift(self, site: FaultSite) -> bool:
        if not site.kind.stored or can_open(site) is not None:
            return False
        # What a control-flow body holds, or the model returns, can't be lifted part by part.
        index = self._context.model.index
        return not (index.initializers[site.name].scope or index.returned(site.name))

    def _open(self, opening: Opening) -> OpenedGraph:
        key = opening.key
        if key != self._used:
            # Golden values of one graph at a time: they may fill the memory limit.
            for held in self._held.items:
                if held.late is not None:
                    held.late.clean.clear()
            self._used = key
        return self._held.get(key, lambda: self._started(opening))

    def _started(self, opening: Opening) -> OpenedGraph:
        held = self._openings.open(opening)
        trim()
        return held
