"""How many scenarios an estimate of a given margin needs."""

from __future__ import annotations

import math
from statistics import NormalDist

from onnxfi.errors import ConfigError


def sample_size(
    population: int | None, margin: float, confidence: float = 0.95, p: float = 0.5
) -> int:
    """Scenarios to draw, without replacement, for an interval of half-width ``margin``.

    n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p))), rounded up (Leveugle et al., DATE 2009).

    Args:
        population: Scenarios in all (N), None for no limit.
        margin: Half-width e of the interval of a rate, absolute, 0..1.
        confidence: Level of the interval, 0..1.
        p: Rate expected; 0.5 is safe for every rate.

    Raises:
        ConfigError: A value is out of range.
    """
    for name, value in (("margin", margin), ("confidence", confidence), ("p", p)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} must be above 0 and below 1, got {value}")
    t = NormalDist().inv_cdf(0.5 + confidence / 2)
    unlimited = t * t * p * (1 - p) / (margin * margin)
    if population is None:
        return math.ceil(unlimited)
    if population < 1:
        raise ConfigError(f"a population has at least 1 scenario, got {population}")
    return min(population, math.ceil(population / (1 + (population - 1) / unlimited)))
