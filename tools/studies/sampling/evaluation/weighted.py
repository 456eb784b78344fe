"""The failure rate by independent draws, each weighted by its inverse probability."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

_Z = 1.959964  # of a normal interval of 95 %


def rate_of_draws(failed: Flags, probability: Values, size: int) -> tuple[float, float]:
    """The failure rate of a space and its standard error (Hansen and Hurwitz 1943).

    Unbiased only where every fault that can fail has a probability above 0.

    Args:
        failed: (n,), whether each drawn fault failed; at least two.
        probability: float64 (n,), of each drawn fault.
        size: Faults in all.
    """
    terms = failed / (size * probability)
    return float(terms.mean()), float(terms.std(ddof=1)) / math.sqrt(len(terms))


class Draws(NamedTuple):
    """Samples of independent draws.

    Attributes:
        n: Draws of each.
        samples: How many.
    """

    n: int
    samples: int


def coverage_of_draws(
    scores: Values,
    copies: NDArray[np.int64],
    failing: Flags,
    draws: Draws,
    rng: np.random.Generator,
) -> float:
    """Share of the normal intervals of 95 % that hold the rate.

    Args:
        scores: float64 (m,), of rows of a population, in proportion to which faults are drawn.
        copies: int64 (m,), how many faults each row stands for.
        failing: bool (m,).
        draws: How many.
        rng: Of the samples.
    """
    size, probability = int(copies.sum()), scores / float(scores @ copies)
    rate = float(copies[failing].sum()) / size
    upto = np.cumsum(probability * copies)
    held = 0
    for _ in range(draws.samples):
        row = np.searchsorted(upto, rng.random(draws.n) * upto[-1], side="right")
        value, error = rate_of_draws(failing[row], probability[row], size)
        held += abs(value - rate) <= _Z * error + 1e-12  # rounding
    return held / draws.samples
