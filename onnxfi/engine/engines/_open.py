"""The table of engines. A new engine is one file, one class and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.engine.engines._ability import Ability, Share, Survey, main_context, shared_out
from onnxfi.engine.engines._bake import BakeEngine, not_loaded
from onnxfi.engine.engines._composed import GateEngine, MixedEngine, whole_context
from onnxfi.engine.engines._cut import CutEngine
from onnxfi.engine.engines._lift import LiftEngine, why_not
from onnxfi.engine.engines.ports import PortsEngine
from onnxfi.engine.golden import Engine, EngineContext, watching
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model
from onnxfi.inject import can_bake, can_lift, can_open, can_start


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """An engine before it is started.

    Attributes:
        start: Makes the engine.
        refuses: Why it can't fault a site, whatever the graph around it; None if it can.
        misses: Sites that it can't fault for the graph that they are in, and why, by name.
        one_sample: Whether it can carry out faults that are bound to one sample.
        several_sites: Whether it can carry out scenarios that touch several sites.
        one_step: Whether it can carry out faults that are there in one step of a sequence only.
        sequences: Whether it can run sequences step by step.
        graphs: Whether it can carry out faults that are graphs.
        setup: Sessions that it starts once, runs over the workload that it makes once, and sessions
            that it starts for each site that scenarios touch.
        examines: Why it can't run a campaign after all, found by preparing it; None if it can.
    """

    start: Callable[[EngineContext], Engine]
    refuses: Callable[[FaultSite], str | None]
    misses: Callable[[Survey, Sequence[FaultSite]], Mapping[str, str]]
    one_sample: bool
    several_sites: bool = True
    one_step: bool = True
    sequences: bool = True
    graphs: bool = False
    setup: tuple[int, int, int] = (0, 0, 0)
    examines: Callable[[EngineContext], str | None] | None = None

    def able(self, survey: Survey, sites: Sequence[FaultSite]) -> Ability:
        """What it can do for some sites of a model, and at what cost, from the graph alone."""
        own = {site.name: self.refuses(site) for site in sites}
        refused = {name: reason for name, reason in own.items() if reason is not None}
        left = [site for site in sites if site.name not in refused]
        found = {**refused, **self.misses(survey, left)}
        sessions, runs, each = self.setup
        return Ability(
            refused={site.name: found[site.name] for site in sites if site.name in found},
            sessions=sessions,
            runs=runs,
            each=each,
        )


# What `lift`, `ports` and `cut` prepare once, in sessions and runs: the optimised twins that trace
# stored tensors, the parts, golden values. ResNet-8, ResNet-20 and ResNet-18 took 5 to 11 sessions
# and 3 to 5 runs.
_PREPARED = (8, 4)

ENGINES: Mapping[str, EngineKind] = MappingProxyType(
    {
        "bake": EngineKind(
            start=BakeEngine,
            refuses=can_bake,
            misses=Survey.not_raised,
            one_sample=False,
            one_step=False,
            graphs=True,
            examines=not_loaded,
        ),
        "lift": EngineKind(
            start=LiftEngine,
            refuses=can_lift,
            misses=lambda *_: {},
            one_sample=False,
            setup=(*_PREPARED, 0),
            examines=why_not,
        ),
        "ports": EngineKind(
            start=PortsEngine,
            refuses=can_open,
            misses=Survey.not_raised,
            one_sample=True,
            graphs=True,
            setup=(*_PREPARED, 1),
            examines=not_loaded,
        ),
        "cut": EngineKind(
            start=CutEngine,
            refuses=can_start,
            misses=Survey.held,
            one_sample=True,
            sequences=False,
            setup=(*_PREPARED, 0),
        ),
    }
)


def abilities(model: Model, sites: Sequence[FaultSite]) -> dict[str, Ability]:
    """What each engine can do for some sites of a model, from the graph alone."""
    survey = Survey(model)
    return {name: kind.able(survey, sites) for name, kind in ENGINES.items()}


def open_engine(name: str, context: EngineContext) -> Engine:
    """Start an engine.

    Args:
        name: A name in :data:`ENGINES` (``auto`` is resolved by :func:`choose_engine`).
        context: Model, workload, profile, settings, sites, criterion.

    Raises:
        ConfigError: There is no such engine, or it can't fault one of the sites. Sites that it
            can't reach are baked, unless it can reach none, or they can't be baked.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine {name!r} is unknown; choose from {', '.join(ENGINES)}")
    kind = ENGINES[name]
    whole = whole_context(context)
    if whole is not context:
        return GateEngine(open_engine(name, whole), context.sites)
    if context.workload.stream is not None and not kind.sequences:
        raise ConfigError(f"engine {name} can't run sequences; use bake, lift or ports")
    share = _share(name, context)
    started = kind.start(watching(main_context(context, share)))
    return MixedEngine(started, share.beside, watching(context)) if share.beside else started


def _share(name: str, context: EngineContext) -> Share:
    """The sites that an engine reaches by itself, and those that are baked beside it."""
    survey, sites = Survey(context.model), context.sites
    mine = ENGINES[name].able(survey, sites)
    baking = ENGINES["bake"].able(survey, sites) if mine.refused else mine
    share = shared_out(mine, baking, sites)
    if isinstance(share, str):
        raise ConfigError(f"engine {name} can't fault {share}")
    return share


def side_by_side(name: str) -> bool:
    """Whether an engine carries out scenarios that it is given together side by side."""
    return bool(getattr(ENGINES[name].start, "batch_outer", False))


def examine_engine(name: str, context: EngineContext) -> str | None:
    """Why an engine can't run a campaign though it takes all its sites; None if it can.

    Some engines only know once they have prepared the model, which takes a few sessions.
    """
    examines = ENGINES[name].examines
    if examines is None:
        return None
    whole = whole_context(context)
    return examines(watching(main_context(whole, _share(name, whole))))
