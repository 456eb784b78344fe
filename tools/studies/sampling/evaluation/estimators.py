"""Estimators of the failure rate from the same priority samples, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.draws import Draw, PrioritySampler
from onnxfi.analysis import PriorityDesign

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

FOLDS = 4
NAMES = ("plain", "ratio", "difference", "isotonic")


class Trial(NamedTuple):
    """What one estimator gave for one sample."""

    value: float
    low: float
    high: float


class Classes(NamedTuple):
    """Faults by weight, in classes of a factor of two.

    Attributes:
        of: int64 (m,), the class of each row of a population.
        sizes: int64 (classes,), faults of each.
    """

    of: Counts
    sizes: Counts

    @classmethod
    def by(cls, weight: Values, copies: Counts) -> Classes:
        """Classes of weights."""
        # A hair above the powers of two, so that rounding does not split the lowest class.
        found = np.floor(np.log2(weight / weight.min()) + 1e-9).astype(np.int64)
        return cls(found, np.bincount(found, copies).astype(np.int64))


def compare(
    sampler: PrioritySampler, classes: Classes, failing: Flags, repeats: int, seed: int
) -> dict[str, list[Trial]]:
    """All estimators on as many samples.

    Args:
        sampler: Draws them.
        classes: Classes of all weights.
        failing: bool (m,), of the population.
        repeats: Samples.
        seed: Of the samples.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[Trial]] = {name: [] for name in NAMES}
    for _ in range(repeats):
        draw = sampler.draw(rng)
        design = draw.design(sampler.size, sampler.least)
        for name, trial in zip(NAMES, _trials(design, draw, classes, failing), strict=True):
            found[name].append(trial)
    return found


def _trials(
    design: PriorityDesign, draw: Draw, classes: Classes, failing: Flags
) -> Iterator[Trial]:
    hit = failing[draw.row]
    plain = float((hit / design.probability).sum()) / design.population
    yield Trial(plain, math.nan, math.nan)
    for found in (design.rate(hit, 0.95), design.difference_rate(hit, 0.95)):
        yield Trial(found.value, found.low, found.high)
    yield _isotonic(design, hit, classes.of[draw.row], classes.sizes)


def _isotonic(design: PriorityDesign, hit: Flags, home: Counts, sizes: Counts) -> Trial:
    """The difference estimator with f rising in the weight, fitted on the other folds.

    P = mean of f over the population + sum (y - f) / p over the sample, divided by its size. What
    is drawn for certain counts as it is.
    """
    p, open_ = design.probability, design.probability < 1
    y, chance, mine = hit[open_].astype(np.float64), p[open_], home[open_]
    left = sizes - np.bincount(home[~open_], minlength=len(sizes))
    expected, total = np.zeros(len(y)), 0.0
    for fold in range(FOLDS):
        inside = np.arange(len(y)) % FOLDS == fold
        fitted = rising(y[~inside], 1 / chance[~inside], mine[~inside], len(sizes))
        expected[inside] = fitted[mine[inside]]
        total += float((left * fitted).sum()) / FOLDS
    residual = y - expected
    size = design.population
    value = float(hit[~open_].sum() + total + (residual / chance).sum()) / size
    error = math.sqrt(float((residual**2 * (1 - chance) / chance**2).sum())) / size
    if value <= 0:
        return Trial(value, value, value)
    reach = math.exp(min(100.0, 1.96 * error / value))
    return Trial(value, value / reach, value * reach)


def rising(y: Values, expansion: Values, home: Counts, classes: int) -> Values:
    """The rising step function of the class nearest to the values, float64 (classes,).

    Args:
        y: float64 (n,), values.
        expansion: float64 (n,), how many each stands for.
        home: int64 (n,), their classes.
        classes: How many there are; those without a value lie between their neighbours.
    """
    count = np.bincount(home, expansion, classes)
    seen = np.flatnonzero(count)
    if not len(seen):
        return np.zeros(classes)
    blocks: list[tuple[float, float, int]] = []
    sums = np.bincount(home, y * expansion, classes)
    for total, weight in zip(sums[seen].tolist(), count[seen].tolist(), strict=True):
        blocks.append((total, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    levels = [total / weight for total, weight, length in blocks for _ in range(length)]
    return np.interp(np.arange(classes), seen, levels)
