"""What engines say of themselves before they are started: names, abilities, costs."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from onnxfi.engine.engines._registry import ENGINES
from onnxfi.engine.golden import EngineContext
from onnxfi.errors import UnsupportedModelError
from onnxfi.faults import FaultSite
from onnxfi.graph import Cuts, Model, closed_values, held_together, raise_opset
from onnxfi.inject import can_bake, opset_needed

if TYPE_CHECKING:
    from onnxfi.engine.engines._estimate import Estimate

# What engines prepare once that run the executable graph, in sessions and runs: the optimised twins
# that trace stored tensors, the parts, golden values. ResNet-8, ResNet-20 and ResNet-18 took 5 to
# 11 sessions and 3 to 5 runs.
PREPARED = (8, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """What is known about a campaign's scenarios before they are drawn.

    Attributes:
        single_site: Each touches one site.
        bound: Some faults are bound to one sample.
        count: How many there are; None if that is not known.
        sequences: Samples are sequences, run step by step.
        graphs: Some faults are graphs.
    """

    single_site: bool
    bound: bool = False
    count: int | None = None
    sequences: bool = False
    graphs: bool = False


class EngineKind(ABC):
    """What an engine says of itself before it is started.

    Attributes:
        name: The word by which people and files name it.
        help: How faults get into the model.
        one_sample: Whether it can carry out faults that are bound to one sample.
        several_sites: Whether it can carry out scenarios that touch several sites.
        one_step: Whether it can carry out faults that are there in one step of a sequence only.
        sequences: Whether it can run sequences step by step.
        graphs: Whether it can carry out faults that are graphs.
        traces: Whether it runs the graph as the file has it, so that every value can be looked at.
        batch_outer: Whether scenarios asked for together run side by side, one window of all of
            them before the next window: what is computed for a window alone is then shared.
        most_together: How many scenarios run side by side, since what each holds adds up.
        setup: Sessions that it starts once, runs over the workload that it makes once, and sessions
            that it starts for each site that scenarios touch.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    one_sample: ClassVar[bool] = False
    several_sites: ClassVar[bool] = True
    one_step: ClassVar[bool] = True
    sequences: ClassVar[bool] = True
    graphs: ClassVar[bool] = False
    traces: ClassVar[bool] = True
    batch_outer: ClassVar[bool] = False
    most_together: ClassVar[int] = 256
    setup: ClassVar[tuple[int, int, int]] = (0, 0, 0)

    @classmethod
    def refuses(cls, site: FaultSite) -> str | None:
        """Why it can't fault a site, whatever the graph around it; None if it can."""
        del site
        return None

    @classmethod
    def misses(cls, survey: Survey, sites: Sequence[FaultSite]) -> Mapping[str, str]:
        """Sites that it can't fault for the graph that they are in, and why, by name."""
        del survey, sites
        return {}

    @classmethod
    def examine(cls, context: EngineContext) -> str | None:
        """Why it can't run a campaign after all, found by preparing it; None if it can."""
        del context
        return None

    @classmethod
    def objection(cls, scenarios: Scenarios, sites: Sequence[FaultSite]) -> str | None:
        """Why it can't carry out scenarios of some sites, whatever the model; None if it can."""
        if scenarios.graphs and not cls.graphs:
            return "some faults are graphs, which have to be part of the model that runs"
        if scenarios.sequences and not cls.sequences:
            return "samples are sequences, in which the steps after a fault depend on it"
        if scenarios.sequences and any(map(in_one_step, sites)) and not cls.one_step:
            return "some faults are there in one step of a sequence only"
        if scenarios.bound and not cls.one_sample:
            return "some faults are bound to one sample"
        if not (scenarios.single_site or cls.several_sites):
            return "some scenarios touch several sites"
        return None

    @classmethod
    def refused(cls, survey: Survey, sites: Sequence[FaultSite]) -> Mapping[str, str]:
        """Why it can't fault some sites of a model, by name, from the graph alone."""
        own = {site.name: cls.refuses(site) for site in sites}
        found = {name: reason for name, reason in own.items() if reason is not None}
        left = [site for site in sites if site.name not in found]
        found |= cls.misses(survey, left)
        return {site.name: found[site.name] for site in sites if site.name in found}

    @classmethod
    def scenario_seconds(cls, estimate: Estimate) -> float:
        """Seconds that a scenario takes, from sizes alone.

        Without another answer: of an engine that runs the whole executable graph.
        """
        sessions, runs, each = cls.setup
        opening = each * estimate.touched * (estimate.session_s + estimate.run_s)
        running = estimate.run_s * (1 + estimate.lifting)
        return running + opening + estimate.spread(sessions, runs)


def in_one_step(site: FaultSite) -> bool:
    """Whether faults in a site are there in one step of a sequence only."""
    return site.step is not None and site.repeated


def names_of_able(ability: str) -> str:
    """Names of the engines that say yes to an attribute of theirs, to be read in a message."""
    *first, last = [kind.name for kind in ENGINES if getattr(kind, ability)]
    return f"{', '.join(first)} or {last}" if first else last


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
        baked: Why the others can't be reached so, by name: scenarios that touch them are baked.
    """

    main: tuple[FaultSite, ...]
    baked: Mapping[str, str]


def shared_out(
    refused: Mapping[str, str], not_baked: Mapping[str, str], sites: Sequence[FaultSite]
) -> Share | str:
    """Which sites an engine reaches by itself, and which are baked instead.

    Args:
        refused: Why the engine can't fault a site, by name.
        not_baked: Why the bake engine can't.
        sites: Sites of the campaign.

    Returns:
        The shares; why there are none if neither can fault some site, or the engine none at all.
    """
    main = tuple(site for site in sites if site.name not in refused)
    for name, reason in refused.items():
        if not main or name in not_baked:
            return f"site {name!r}: {reason}"
    return Share(main=main, baked=refused)


def main_context(context: EngineContext, share: Share) -> EngineContext:
    """The part of a campaign that its engine carries out by itself."""
    return replace(context, sites=share.main) if share.baked else context
