"""A target, its truth, and all methods on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.bench import Bench, prepare
from evaluation.measure import Extent, Found, Tried, about, rows, seed_of
from evaluation.methods import Sources, methods, scores_at
from evaluation.population import Values, population
from evaluation.search import Outcomes, every_score, highest, searches
from evaluation.targets import TEST_IMAGES, Target
from evaluation.truth import Truth

INJECTED_SEEDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is tried on targets.

    Attributes:
        models: Where models and test sets are.
        truth: Where truths are.
        sources: Where methods come from.
        extent: How much is tried.
        inject: Whether the faults that searches choose are injected where a truth does not know
            them all; else searches work on the population that stands for them.
    """

    models: Sequence[Path]
    truth: Path
    sources: Sources = field(default_factory=Sources)
    extent: Extent = field(default_factory=Extent)
    inject: bool = False


def study(target: Target, how: Study) -> Iterator[dict[str, Any]]:
    """All rows of a target."""
    truth = Truth.read(how.truth / f"{target.name}.npz")
    space = prepare(target, how.models).space
    known = population(truth, space)
    yield from about(target.name, known, truth.seconds)
    outcomes = None
    if how.inject and not known.exact:
        path = how.truth / f"{target.name}.more.npz"
        outcomes = Outcomes(truth, path, lambda: Bench(target, how.models))
    for method in methods(target, how.models, space, how.sources):
        tried = Tried(
            target=target.name,
            method=method.name,
            scores=scores_at(space, method.scores, known.fault),
            draws=method.draws,
            probes=method.probe_inferences / TEST_IMAGES,
        )
        found = None
        if outcomes is not None:
            found = _found(tried, every_score(space, method.scores), outcomes, how.extent)
        yield from rows(tried, known, how.extent, found)


def _found(tried: Tried, scores: Values, outcomes: Outcomes, extent: Extent) -> Found:
    start, seeds = seed_of(tried, "discovery"), min(extent.seeds, INJECTED_SEEDS)
    drawn = searches(scores, extent.search, n=extent.found, seeds=seeds, start=start)
    top = highest(scores, extent.found, start)
    return Found(searches=outcomes.drops(drawn), top=outcomes.drops(top))
