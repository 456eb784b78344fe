"""Carrying out one line: the same scenarios by every engine that can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from agreement.answers import answer_of
from agreement.draw import Case, scenarios, sites_of
from agreement.records import Line, Pair, Tally, compared, counted
from agreement.setting import Level, context_of, left_out
from onnxfi.engine import ENGINES, Engine, EngineContext, Injection, open_engine
from onnxfi.faults import Scenario
from onnxfi.outcome import OutcomeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is compared on a line.

    Attributes:
        scenarios: Scenarios.
        images: Samples of each.
        seed: Of the draw.
    """

    scenarios: int
    images: int
    seed: int = 11


def compare_line(path: Path, case: Case, level: Level, effort: Effort) -> Line:
    """Run the scenarios of a line through all engines that can, one after the other."""
    everything = context_of(path, case.kind, level, effort.images)
    context = replace(everything, sites=sites_of(case, everything.sites))
    absent = left_out(context, several_sites=case.flips > 1)
    names = [name for name in ENGINES.names() if name not in absent]
    drawn = scenarios(context.sites, case, effort.scenarios, effort.seed)
    tallies = {name: Tally() for name in names}
    pairs = {pair: Pair(engines=pair) for pair in combinations(names, 2)}
    counts: dict[str, list[OutcomeCounts]] = {name: [] for name in names}
    with ExitStack() as stack:
        engines = {name: _opened(name, context, stack) for name in names}
        for scenario in drawn:
            answers = {
                name: answer_of(engine, scenario, context) for name, engine in engines.items()
            }
            for name, answer in answers.items():
                tallies[name] = counted(tallies[name], answer)
                counts[name].append(OutcomeCounts.of(answer.codes))
            for (one, other), pair in pairs.items():
                both = answers[one], answers[other]
                pairs[one, other] = compared(pair, scenario.number, both)
    for name in names:
        differing = _in_a_block(name, context, drawn, counts[name])
        tallies[name] = replace(tallies[name], block=differing)
    return Line(
        model=path.name,
        case=case.name,
        level=level,
        scenarios=len(drawn),
        engines=tallies,
        pairs=tuple(pairs.values()),
        left_out=absent,
    )


def _opened(name: str, context: EngineContext, stack: ExitStack) -> Engine:
    engine = open_engine(name, context)
    stack.callback(engine.close)
    return engine


def _in_a_block(
    name: str,
    context: EngineContext,
    drawn: Sequence[Scenario],
    expected: Sequence[OutcomeCounts],
) -> int | None:
    """Scenarios with other counts where all are handed over at once, as campaigns do.

    In an engine of its own, so that nothing is left from the single runs.
    """
    with ExitStack() as stack:
        engine = _opened(name, context, stack)
        run_many: Callable[[Sequence[Scenario]], Iterable[Injection]] | None
        run_many = getattr(engine, "run_many", None)
        if run_many is None:
            return None
        found = [_outcomes(injection.counts) for injection in run_many(drawn)]
    return sum(mine != theirs for mine, theirs in zip(found, expected, strict=True))


def _outcomes(counts: OutcomeCounts) -> OutcomeCounts:
    """The outcomes alone, without right answers."""
    return replace(counts, correct=None, metrics={})
