"""What engines can carry out of a campaign and what they set up for it, from the graph alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onnxfi.engine.golden import EngineContext
from onnxfi.errors import UnsupportedModelError
from onnxfi.faults import FaultSite
from onnxfi.graph import Cuts, Model, closed_values, held_together, raise_opset
from onnxfi.inject import can_bake, opset_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What an engine can do for some sites of a model.

    Attributes:
        refused: Why it can't carry out faults in a site, by name; the others it can.
        sessions: Sessions that it starts once, however many scenarios there are.
        runs: Runs over the workload that it makes once.
        each: Sessions that it starts for each site that is touched, and runs with them.
    """

    refused: Mapping[str, str]
    sessions: int = 0
    runs: int = 0
    each: int = 0


class Survey:
    """Facts about a model that engines are able by, each found once and without a session.

    Args:
        model: The model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._raised: dict[int, str | None] = {}

    def held(self, sites: Sequence[FaultSite]) -> dict[str, str]:
        """Computed sites that the graph can't be cut behind, and why."""
        model = self.model
        closed = closed_values(model)
        computed = [site for site in sites if not (site.kind.stored or site.body)]
        behind = {s.tensor for s in computed if model.index.producer(s.tensor) is not None}
        if not (closed and behind):
            return {}
        outputs = [spec.name for spec in model.outputs]
        cuts = Cuts(behind=behind, closed=closed, repeat=True)
        held = held_together(model, outputs, cuts)
        return {
            site.name: f"the graph can't be cut behind it: {held[site.tensor]!r}, which is no plain"
            " tensor of numbers, holds its maker and its reader together"
            for site in computed
            if site.tensor in held
        }

    def not_raised(self, sites: Sequence[FaultSite]) -> dict[str, str]:
        """Computed sites whose faults need operators that the model can't be raised to, and why."""
        found = {}
        for site in sites:
            if site.kind.stored or can_bake(site) is not None:
                continue
            reason = self._raising(opset_needed(site.element))
            if reason is not None:
                found[site.name] = reason
        return found

    def _raising(self, opset: int) -> str | None:
        """Why the model can't be raised to an opset, None if it can."""
        if opset not in self._raised:
            try:
                raise_opset(self.model, opset)
                self._raised[opset] = None
            except UnsupportedModelError as error:
                self._raised[opset] = str(error)
        return self._raised[opset]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How the sites of a campaign are shared out between an engine and the bake engine.

    Attributes:
        main: Sites that the engine reaches by itself.
        beside: Why the others can't be reached so, by name: scenarios that touch them are baked.
    """

    main: tuple[FaultSite, ...]
    beside: Mapping[str, str]


def shared_out(ability: Ability, baking: Ability, sites: Sequence[FaultSite]) -> Share | str:
    """Which sites an engine reaches by itself, and which are baked beside it.

    Args:
        ability: What the engine can do.
        baking: What the bake engine can do.
        sites: Sites of the campaign.

    Returns:
        The shares; why there are none if neither can fault some site, or the engine none at all.
    """
    main = tuple(site for site in sites if site.name not in ability.refused)
    for name, reason in ability.refused.items():
        if not main or name in baking.refused:
            return f"site {name!r}: {reason}"
    return Share(main=main, beside=ability.refused)


def main_context(context: EngineContext, share: Share) -> EngineContext:
    """The part of a campaign that its engine carries out by itself."""
    return replace(context, sites=share.main) if share.beside else context
