"""Searches by injection: where a truth does not know what the chosen faults do, they are tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.draws import PrioritySampler, mixture_weights
from evaluation.inject import Injector
from evaluation.population import Values
from evaluation.truth import Numbers, Truth
from onnxfi.faults import FaultSpace
from onnxfi.files import atomic_file
from onnxfi.sampling import Mixture, Scores


class Outcomes:
    """Drops of a target's faults: those of its truth, and others, which are injected and kept.

    Args:
        truth: The truth.
        path: File of the others.
        open_injector: Starts what carries faults out; only called if need be.
    """

    def __init__(self, truth: Truth, path: Path, open_injector: Callable[[], Injector]) -> None:
        self._path = path
        self._open = open_injector
        self._injector: Injector | None = None
        self._fault, self._drop = truth.fault, truth.drop
        self._more = np.zeros(0, np.int64), np.zeros(0, np.float32)
        if path.is_file():
            with np.load(path, allow_pickle=False) as data:
                self._add(data["fault"], data["drop"])

    def drops(self, numbers: Numbers) -> NDArray[np.float32]:
        """Relative accuracy drops, float32 of the shape of ``numbers``."""
        unknown = np.setdiff1d(numbers, self._fault)
        if len(unknown):
            self._injector = self._injector or self._open()
            self._add(unknown, np.concatenate(list(self._injector.drops(unknown))))
            with atomic_file(self._path) as file:
                fault, drop = self._more
                np.savez_compressed(file, allow_pickle=False, fault=fault, drop=drop)
        return self._drop[np.searchsorted(self._fault, numbers)]

    def _add(self, fault: Numbers, drop: NDArray[np.float32]) -> None:
        self._more = np.append(self._more[0], fault), np.append(self._more[1], drop)
        every, first = np.unique(np.append(self._fault, fault), return_index=True)
        self._fault, self._drop = every, np.append(self._drop, drop)[first]


def every_score(space: FaultSpace, scores: Scores) -> Values:
    """Scores of all faults of a space, float64 (size,)."""
    step = 1 << 16
    found = []
    for start in range(0, space.size, step):
        for part in space.stretches(start, min(start + step, space.size)):
            found.append(scores.of(part.site, part.columns, part.stop - part.start))
    return np.concatenate(found)


def searches(scores: Values, mixture: Mixture, n: int, seeds: int, start: int) -> Numbers:
    """The first faults of so many priority orders, int64 (seeds, n).

    Args:
        scores: float64 (size,), of all faults.
        mixture: How scores become weights.
        n: Faults of each.
        seeds: How many.
        start: What decides them.
    """
    copies = np.ones(len(scores), np.int64)
    sampler = PrioritySampler(mixture_weights(scores, copies, mixture), copies, n)
    rng = np.random.default_rng(start)
    return np.stack([sampler.draw(rng).row for _ in range(seeds)])


def highest(scores: Values, n: int, start: int) -> Numbers:
    """The n faults of highest score, ties broken at random, int64 (n,)."""
    least = np.partition(scores, len(scores) - n)[len(scores) - n]
    above = np.flatnonzero(scores > least)
    ties = np.flatnonzero(scores == least)
    rng = np.random.default_rng(start)
    return np.append(above, rng.choice(ties, n - len(above), replace=False))
