"""A target, its truth, and all methods on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.bench import find_file, prepare
from evaluation.measure import Extent, Tried, about, rows
from evaluation.methods import Sources, methods, scores_at
from evaluation.population import population
from evaluation.targets import TEST_IMAGES, Target
from evaluation.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is tried on targets.

    Attributes:
        models: Where models and test sets are.
        truth: Where truths are.
        sources: Where methods come from.
        extent: How much is tried.
    """

    models: Sequence[Path]
    truth: Path
    sources: Sources = field(default_factory=Sources)
    extent: Extent = field(default_factory=Extent)


def study(target: Target, how: Study) -> Iterator[dict[str, Any]]:
    """All rows of a target."""
    truth = Truth.read(how.truth / f"{target.name}.npz")
    space = prepare(target, how.models).space
    known = population(truth, space)
    yield from about(target.name, known, truth.seconds)
    model = find_file(f"{target.model}.onnx", how.models)
    for method in methods(target, model, space, how.sources):
        tried = Tried(
            target=target.name,
            method=method.name,
            scores=scores_at(space, method.scores, known.fault),
            draws=method.draws,
            probes=method.probe_inferences / TEST_IMAGES,
        )
        yield from rows(tried, known, how.extent)
