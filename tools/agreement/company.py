"""Does a row depend on the company? Scenarios alone, in a block, and in a mixed campaign."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from agreement.draw import Case, scenarios
from agreement.setting import context_of
from onnxfi.engine import EngineContext, Injection, open_engine
from onnxfi.faults import Scenario

#: Engines that choose a graph by what a scenario touches.
ENGINES = ("ports", "cut")
_KINDS = ("weight", "activation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Rows of one model in one engine.

    Attributes:
        model: File name.
        engine: The engine.
        rows: Scenarios, each carried out alone, in a block of its kind and in a mixed campaign.
        differing: Those whose rows are not the same, by number, with where.
    """

    model: str
    engine: str
    rows: int
    differing: tuple[str, ...]


def compare_company(path: Path, count: int, images: int, seed: int) -> list[Company]:
    """Carry out scenarios of one model in different company.

    A third of them touch a weight, a third an activation, the rest several of both kinds.
    """
    context = _both(path, images)
    blocks = _blocks(context, count, seed)
    mixed = [scenario for block in blocks for scenario in block]
    found = []
    for engine in ENGINES:
        wanted = _rows(engine, context, mixed)
        differing = []
        for block in blocks:
            # The sites of a block are those that its scenarios touch, and no others.
            told = dict(
                zip((each.number for each in block), _rows(engine, context, block), strict=True)
            )
            for scenario in block:
                (alone,) = _rows(engine, context, [scenario])
                row = wanted[scenario.number]
                if alone != row:
                    differing.append(f"{scenario.number} alone")
                if told[scenario.number] != row:
                    differing.append(f"{scenario.number} in a block")
        found.append(
            Company(model=path.name, engine=engine, rows=len(mixed), differing=tuple(differing))
        )
    return found


def _both(path: Path, images: int) -> EngineContext:
    """A context with stored and computed sites."""
    weights, activations = (context_of(path, kind, "all", images) for kind in _KINDS)
    return replace(weights, sites=(*weights.sites, *activations.sites))


def _blocks(context: EngineContext, count: int, seed: int) -> list[list[Scenario]]:
    """Scenarios of each kind, numbered through."""
    sites = {kind: [site for site in context.sites if site.kind.value == kind] for kind in _KINDS}
    third = count // 3
    drawn = [scenarios(sites[kind], Case(name=kind, kind=kind), third, seed) for kind in _KINDS]
    several = Case(name="several", kind="", flips=3)
    drawn.append(scenarios(context.sites, several, count - 2 * third, seed + 1))
    number = 0
    blocks = []
    for block in drawn:
        blocks.append([replace(each, number=number + k) for k, each in enumerate(block)])
        number += len(block)
    return blocks


def _rows(
    engine: str, context: EngineContext, wanted: Sequence[Scenario]
) -> list[tuple[object, ...]]:
    """What is stored of scenarios that a campaign consists of."""
    touched = {name for scenario in wanted for name in scenario.sites}
    sites = tuple(site for site in context.sites if site.name in touched)
    with closing(open_engine(engine, replace(context, sites=sites))) as running:
        return [_row(injection) for injection in running.run_many(wanted)]


def _row(injection: Injection) -> tuple[object, ...]:
    return injection.counts, injection.graph
