"""The table of engines. A new engine is one file, one class and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onnxfi.engine._bake import BakeEngine
from onnxfi.engine._context import Engine, EngineContext
from onnxfi.engine._cut import CutEngine
from onnxfi.engine._gated import GateEngine, whole_context
from onnxfi.engine._lift import LiftEngine, why_not
from onnxfi.engine._mixed import MixedEngine, main_context
from onnxfi.engine._ports import PortsEngine
from onnxfi.engine._watch import watching
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.inject import can_bake, can_lift, can_open, can_start, why_not_raised


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """An engine before it is started.

    Attributes:
        start: Makes the engine.
        refuses: Why it can't fault a site, None if it can.
        one_sample: Whether it can carry out faults that are bound to one sample.
        several_sites: Whether it can carry out scenarios that touch several sites.
        one_step: Whether it can carry out faults that are there in one step of a sequence only.
        sequences: Whether it can run sequences step by step.
        graphs: Whether it can carry out faults that are graphs.
        examines: Why it can't run a campaign after all, found by preparing it; None if it can.
    """

    start: Callable[[EngineContext], Engine]
    refuses: Callable[[FaultSite], str | None]
    one_sample: bool
    several_sites: bool = True
    one_step: bool = True
    sequences: bool = True
    graphs: bool = False
    examines: Callable[[EngineContext], str | None] | None = None


def _why_not_raised(context: EngineContext) -> str | None:
    """Why the model can't hold the nodes that fault its computed sites; None if it can."""
    return why_not_raised(context.model, context.sites)


ENGINES: Mapping[str, EngineKind] = MappingProxyType(
    {
        "bake": EngineKind(
            start=BakeEngine,
            refuses=can_bake,
            one_sample=False,
            one_step=False,
            graphs=True,
            examines=_why_not_raised,
        ),
        "lift": EngineKind(start=LiftEngine, refuses=can_lift, one_sample=False, examines=why_not),
        "ports": EngineKind(
            start=PortsEngine,
            refuses=can_open,
            one_sample=True,
            graphs=True,
            examines=_why_not_raised,
        ),
        "cut": EngineKind(start=CutEngine, refuses=can_start, one_sample=True, sequences=False),
    }
)


def open_engine(name: str, context: EngineContext) -> Engine:
    """Start an engine.

    Args:
        name: A name in :data:`ENGINES` (``auto`` is resolved by :func:`choose_engine`).
        context: Model, workload, profile, settings, sites, criterion.

    Raises:
        ConfigError: There is no such engine, or it can't fault one of the sites. Sites that have to
            be baked are, unless all of them have to.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine {name!r} is unknown; choose from {', '.join(ENGINES)}")
    kind = ENGINES[name]
    whole = whole_context(context)
    if whole is not context:
        return GateEngine(open_engine(name, whole), context.sites)
    if context.workload.stream is not None and not kind.sequences:
        raise ConfigError(f"engine {name} can't run sequences; use bake, lift or ports")
    main = context if name == "bake" else main_context(context)
    for site in main.sites:
        reason = kind.refuses(site)
        if reason is not None:
            raise ConfigError(f"engine {name} can't fault site {site.name!r}: {reason}")
    started = kind.start(watching(main))
    if len(main.sites) == len(context.sites):
        return started
    return MixedEngine(started, watching(context))


def side_by_side(name: str) -> bool:
    """Whether an engine carries out scenarios that it is given together side by side."""
    return bool(getattr(ENGINES[name].start, "batch_outer", False))


def examine_engine(name: str, context: EngineContext) -> str | None:
    """Why an engine can't run a campaign though it takes all its sites; None if it can.

    Some engines only know once they have prepared the model, which takes a few sessions.
    """
    examines = ENGINES[name].examines
    return None if examines is None else examines(watching(main_context(whole_context(context))))
