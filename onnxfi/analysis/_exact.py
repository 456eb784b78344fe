"""Exact intervals for counts: Clopper-Pearson, hypergeometric, and the bound of a thinned count."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from onnxfi.analysis._interval import Interval, check_confidence, check_drawn

_MANY = 2**31  # of so many it makes no difference whether those drawn are put back


def clopper_pearson(failures: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Share of failing scenarios of independent draws, never below its level.

    Args:
        failures: Failing scenarios among those seen.
        n: Scenarios seen.
        confidence: Level of the interval.

    Raises:
        ConfigError: No scenario, or a confidence out of range.
    """
    check_drawn(n, None)
    tail = (1 - check_confidence(confidence)) / 2
    return Interval(
        value=failures / n,
        low=_lower(failures, n, tail),
        high=1 - _lower(n - failures, n, tail),
        confidence=confidence,
        n=n,
        method="clopper-pearson",
    )


def hypergeometric(failures: int, n: int, population: int, *, confidence: float = 0.95) -> Interval:
    """Share of failing scenarios drawn without replacement, never below its level.

    The ends are the numbers of failing scenarios in the population under which a count as high, or
    as low, as that seen has half the error probability.

    Args:
        failures: Failing scenarios among those seen.
        n: Scenarios seen, equally likely and each once.
        population: Scenarios in all.
        confidence: Level of the interval.

    Raises:
        ConfigError: No scenario, more than the population, or a confidence out of range.
    """
    check_drawn(n, population)
    tail = (1 - check_confidence(confidence)) / 2

    def too_few(total: int) -> bool:
        return float(_stats().hypergeom.sf(failures - 1, population, total, n)) <= tail

    def too_many(total: int) -> bool:
        return float(_stats().hypergeom.cdf(failures, population, total, n)) <= tail

    least, most = failures, population - (n - failures)
    low = _first(least, most, lambda total: not too_few(total)) if failures else 0
    high = _first(least, most + 1, too_many) - 1
    return Interval(
        value=failures / n,
        low=min(failures / n, low / population),
        high=max(failures / n, high / population),
        confidence=confidence,
        n=n,
        method="hypergeometric",
    )


def exact_rate(
    failures: int, n: int, *, population: int | None = None, confidence: float = 0.95
) -> Interval:
    """Share of failing scenarios, its interval never below its level whatever the share is.

    Arguments and errors as :func:`onnxfi.analysis.failure_rate`.
    """
    if population is None or population > _MANY:
        return clopper_pearson(failures, n, confidence=confidence)
    return hypergeometric(failures, n, population, confidence=confidence)


def total_bounds(seen: int, probability: float, tail: float) -> tuple[float, float]:
    """Bounds of a total of which each member was seen with the same probability.

    Args:
        seen: Members seen, a binomial count.
        probability: Of each to be seen, above 0.
        tail: Error probability of either bound.
    """
    if probability >= 1:
        return float(seen), float(seen)
    low, high = _poisson(seen, tail)
    return max(float(seen), low / probability), high / probability


@functools.lru_cache(maxsize=4096)
def _poisson(seen: int, tail: float) -> tuple[float, float]:
    """Bounds of the mean of a count.

    With the mean fixed a binomial count varies less than a Poisson one, so they hold for it, too.
    """
    low = float(_special().gammaincinv(seen, tail)) if seen else 0.0
    return low, float(_special().gammaincinv(seen + 1, 1 - tail))


def student_t(level: float, freedom: float) -> float:
    """Quantile of Student's t distribution."""
    return float(_special().stdtrit(freedom, level))


def _lower(failures: int, n: int, tail: float) -> float:
    return float(_special().betaincinv(failures, n - failures + 1, tail)) if failures else 0.0


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number in [low, high] for which a condition holds that goes on holding."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _special() -> Any:
    """Special functions, which have no types; loaded where an interval needs one."""
    return import_module("scipy.special")


def _stats() -> Any:
    """Distributions, which take a second to load: only exact intervals of finite spaces do."""
    return import_module("scipy.stats")
