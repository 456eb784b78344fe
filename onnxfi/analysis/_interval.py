"""Intervals, that of a failure rate, and how often intervals hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.sampling import Stream, permutation

Estimator = Callable[[NDArray[np.float64], int], "Interval"]

SEARCH = "of the scenarios run; no rate of the fault space can be had from it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and what is known about its error.

    Attributes:
        value: The estimate, 0..1.
        low: Lower end of the interval.
        high: Upper end.
        confidence: Level of the interval, 0..1.
        n: Scenarios that it rests on.
        method: How the ends were found, such as ``wilson``; ``census`` has no error.
    """

    value: float
    low: float
    high: float
    confidence: float
    n: int
    method: str

    @property
    def margin(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2

    @property
    def of_search(self) -> bool:
        """Whether it is a share of scenarios that were picked, and says nothing of others."""
        return self.method == SEARCH


def check_confidence(confidence: float) -> float:
    """The level, if it can be one.

    Raises:
        ConfigError: It is not above 0 and below 1.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must be above 0 and below 1, got {confidence}")
    return confidence


def look_confidence(confidence: float, look: int) -> float:
    """Level of an interval at one of many looks, so that all looks together keep a level.

    The error probability a is shared out as a 6 / (pi^2 k^2), which sums to a: whenever a campaign
    stops after looking, its interval holds, if those at each look do. Wilson's would not: of rare
    failures a first one that comes early lifts its lower end above the truth.

    Args:
        confidence: Level that all looks together are to keep.
        look: Which look, from 1.
    """
    return 1 - (1 - check_confidence(confidence)) * 6 / (math.pi * look) ** 2


def check_drawn(n: int, population: int | None) -> None:
    """Refuse an estimate from nothing, or from more than there is.

    Raises:
        ConfigError: ``n`` is 0 or above ``population``.
    """
    if n < 1:
        raise ConfigError("nothing to estimate from: no scenario is finished")
    if population is not None and n > population:
        raise ConfigError(f"{n} scenarios can't be drawn without replacement from {population}")


def failure_rate(
    failures: int, n: int, *, population: int | None = None, confidence: float = 0.95
) -> Interval:
    """Share of failing scenarios, with Wilson's score interval.

    Drawn without replacement, the variance shrinks by (N - n) / (N - 1): the interval is that of
    n (N - 1) / (N - n) independent draws, cut to what the scenarios seen leave possible, and a
    census has none. (Wilson 1927; finite population as in Cochran, Sampling Techniques, 1977.)

    Args:
        failures: Failing scenarios among those seen.
        n: Scenarios seen, equally likely and each once.
        population: Scenarios in all; None for independent draws.
        confidence: Level of the interval.

    Raises:
        ConfigError: No scenario, more than the population, or a confidence out of range.
    """
    check_drawn(n, population)
    z = NormalDist().inv_cdf(0.5 + check_confidence(confidence) / 2)
    value = failures / n
    if population == n:
        return Interval(
            value=value, low=value, high=value, confidence=confidence, n=n, method="census"
        )
    effective = float(n)
    possible = (0.0, 1.0)
    if population is not None:
        effective = n * (population - 1) / (population - n)
        possible = (failures / population, 1 - (n - failures) / population)
    centre = (value + z * z / (2 * effective)) / (1 + z * z / effective)
    spread = math.sqrt(value * (1 - value) / effective + z * z / (4 * effective**2))
    half = z * spread / (1 + z * z / effective)
    return Interval(
        value=value,
        # At 0 and n failures an end is exactly 0 or 1; rounding must not move it past the value.
        low=min(value, max(possible[0], centre - half if failures else 0.0)),
        high=max(value, min(possible[1], centre + half if failures < n else 1.0)),
        confidence=confidence,
        n=n,
        method="wilson" if population is None else "wilson, finite population",
    )


def interval_coverage(
    census: NDArray[np.float64], n: int, estimator: Estimator, *, repeats: int, seed: int
) -> float:
    """Share of samples whose interval contains the mean of the census.

    Args:
        census: float64 (N,), the value of every scenario there is: 0 or 1 for failures, failed
            samples / samples for failed shares.
        n: Scenarios a sample.
        estimator: Called with the values of a sample in the order drawn, float64 (n,), and N.
        repeats: Samples to draw, without replacement, as uniform sampling does.
        seed: 0..2^64 - 1.

    Returns:
        0..1; a nominal 95 % interval should give 0.95 or a little more.
    """
    truth = float(np.mean(census))
    size, hits = len(census), 0
    for repeat in range(repeats):
        drawn = permutation(size, seed, Stream.SUBSET, repeat).many(np.arange(n))
        interval = estimator(census[drawn], size)
        # The mean of a census and that of its draws may differ in the last digit.
        hits += interval.low - 1e-12 <= truth <= interval.high + 1e-12
    return hits / repeats
