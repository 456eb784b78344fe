"""Starting an engine by its name; asking it what it can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxfi.engine.engines._bake import BakeEngine
from onnxfi.engine.engines._composed import GateEngine, MixedEngine, whole_context
from onnxfi.engine.engines._kind import Share, Survey, main_context, names_of_able, shared_out
from onnxfi.engine.engines._registry import ENGINES
from onnxfi.engine.golden import Engine, EngineContext, watching
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model


def refusals(model: Model, sites: Sequence[FaultSite]) -> dict[str, Mapping[str, str]]:
    """Why each engine can't fault some sites of a model, by engine and site, from the graph."""
    survey = Survey(model)
    return {kind.name: kind.refused(survey, sites) for kind in ENGINES}


def open_engine(name: str, context: EngineContext) -> Engine:
    """Start an engine.

    Args:
        name: A name in :data:`ENGINES` (``auto`` is resolved by :func:`choose_engine`).
        context: Model, workload, profile, settings, sites, criterion.

    Raises:
        ConfigError: There is no such engine, or it can't fault one of the sites. Sites that it
            can't reach are baked, unless it can reach none, or they can't be baked.
    """
    kind = ENGINES.get(name)
    whole = whole_context(context)
    if whole is not context:
        return GateEngine(open_engine(name, whole), context.sites)
    if context.workload.stream is not None and not kind.sequences:
        raise ConfigError(f"engine {name} can't run sequences; use {names_of_able('sequences')}")
    share = _share(name, context)
    started = kind(watching(main_context(context, share)))
    return MixedEngine(started, share.baked, watching(context)) if share.baked else started


def _share(name: str, context: EngineContext) -> Share:
    """The sites that an engine reaches by itself, and those that are baked instead."""
    survey, sites = Survey(context.model), context.sites
    refused = ENGINES.get(name).refused(survey, sites)
    not_baked = BakeEngine.refused(survey, sites) if refused else refused
    share = shared_out(refused, not_baked, sites)
    if isinstance(share, str):
        raise ConfigError(f"engine {name} can't fault {share}")
    return share


def side_by_side(name: str) -> bool:
    """Whether an engine carries out scenarios that it is given together side by side."""
    return ENGINES.get(name).batch_outer


def examine_engine(name: str, context: EngineContext) -> str | None:
    """Why an engine can't run a campaign though it takes all its sites; None if it can.

    Some engines only know once they have prepared the model, which takes a few sessions.
    """
    whole = whole_context(context)
    return ENGINES.get(name).examine(watching(main_context(whole, _share(name, whole))))
