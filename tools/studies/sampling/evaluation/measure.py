"""Trying methods on a population: rows of figures."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.draws import PrioritySampler, mixture_weights
from evaluation.metrics import (
    Range,
    Replicates,
    bootstrap,
    estimation,
    gain,
    inverse_weighted,
    top_precision,
)
from evaluation.population import Flags, Population, Values
from evaluation.weighted import Draws, coverage_of_draws
from onnxfi.analysis import failure_rate
from onnxfi.sampling import Mixture

SEARCH = Mixture(uniform_share=0.05, power=8)
ESTIMATE = Mixture(uniform_share=0.1, power=1)
DROPS = (0.05, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is tried.

    Attributes:
        found: Faults of a search.
        seeds: Searches.
        drawn: Faults of an estimate.
        replicates: Estimates.
        search: How scores become weights in searches.
        estimate: The same in estimates.
    """

    found: int = 100
    seeds: int = 100
    drawn: int = 1_000
    replicates: int = 1_000
    search: Mixture = SEARCH
    estimate: Mixture = ESTIMATE


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A method on a target.

    Attributes:
        target: Name of the target.
        method: Name of the method.
        scores: float64 (m,), of the population's rows.
        draws: Whether the method draws for itself.
        probes: What its scores cost, in injections.
    """

    target: str
    method: str
    scores: Values
    draws: bool
    probes: float


class Found(NamedTuple):
    """What searches of all faults of a target found.

    Attributes:
        searches: float32 (seeds, n), drops of the faults that the package's sampler drew.
        top: float32 (n,), of the faults of highest score.
    """

    searches: NDArray[np.float32]
    top: NDArray[np.float32]


def about(name: str, population: Population, cpu_s: float) -> Iterator[dict[str, Any]]:
    """What is known of a target itself."""
    for drop in DROPS:
        rate = population.rate(drop)
        yield {
            "target": name,
            "task": "truth",
            "drop": drop,
            "faults": population.size,
            "injected": len(population.fault),
            "cpu_s": round(cpu_s, 1),
            "exact": population.exact,
            "p0": _rounded({"value": rate.value, "low": rate.low, "high": rate.high}),
            "critical": population.critical(drop),
            "worst_drop": _number(float(population.drop.max())),
        }


def rows(
    tried: Tried, population: Population, extent: Extent, found: Found | None = None
) -> Iterator[dict[str, Any]]:
    """All figures of a method on a target.

    Args:
        tried: The method.
        population: What is known of the target.
        extent: How much is tried.
        found: What searches of the whole target found, by injection; None to search the population.
    """
    for drop in DROPS:
        failing = population.failing(drop)
        if found is None:
            share = top_precision(tried.scores, population.copies, failing, extent.found)
            shares, top = _searched(tried, population, failing, extent), np.array([share])
        else:
            shares = (found.searches >= np.float32(drop)).mean(axis=1)
            top = (found.top >= np.float32(drop)).mean(keepdims=True)
        told = {"injected": found is not None, "mixture": _mixture(extent.search)}
        yield _precision(tried, population, drop, extent, "discovery", shares) | told
        yield _precision(tried, population, drop, extent, "top", top) | {
            "injected": found is not None
        }
        if tried.draws:
            yield _own(tried, population, failing, drop, extent)
        if drop == DROPS[0]:
            yield _estimate(tried, population, failing, drop, extent)


def _searched(tried: Tried, population: Population, failing: Flags, extent: Extent) -> Values:
    """Shares of failing faults that the package's sampler finds, as it is set to find them."""
    weight = mixture_weights(tried.scores, population.copies, extent.search)
    sampler = PrioritySampler(weight, population.copies, extent.found)
    rng = np.random.default_rng(seed_of(tried, "discovery"))
    drawn = np.stack([sampler.draw(rng).row for _ in range(extent.seeds)])
    return np.asarray(failing[drawn].mean(axis=1))


def _own(
    tried: Tried, population: Population, failing: Flags, drop: float, extent: Extent
) -> dict[str, Any]:
    """Independent draws in proportion to the scores, and the rate by their inverse weights."""
    weight = tried.scores * population.copies
    share = min(1.0, float(weight[failing].sum()) / float(weight.sum()))
    hits = np.random.default_rng(seed_of(tried, "draws")).binomial(
        extent.found, share, extent.seeds
    )
    found = _precision(tried, population, drop, extent, "draws", hits / extent.found)
    reduction, missed = inverse_weighted(tried.scores, population.copies, failing)
    found |= {
        "expected": _number(share),
        "variance_reduction": None if reduction is None else _number(reduction),
        "missed": _number(missed),
    }
    if drop == DROPS[0] and failing.any():
        draws = Draws(n=extent.drawn, samples=extent.replicates)
        rng = np.random.default_rng(seed_of(tried, "coverage"))
        found["drawn"] = draws.n
        found["coverage"] = coverage_of_draws(tried.scores, population.copies, failing, draws, rng)
    return found


def _precision(
    tried: Tried, population: Population, drop: float, extent: Extent, task: str, shares: Values
) -> dict[str, Any]:
    n, rate = extent.found, population.rate(drop)
    one = float(shares[0])
    sure = Range(value=one, low=one, high=one)
    precision = sure if len(shares) == 1 else bootstrap(shares, seed=0)
    pooled = failure_rate(round(float(shares.sum()) * n), n * len(shares))
    critical = population.critical(drop)
    return {
        "target": tried.target,
        "method": tried.method,
        "task": task,
        "drop": drop,
        "n": n,
        "seeds": len(shares),
        "precision": _rounded(asdict(precision)),
        "wilson": [_number(pooled.low), _number(pooled.high)],
        "gain": _rounded(asdict(gain(precision, rate, size=population.size, n=n))),
        "recall": _number(precision.value * n / critical) if critical else None,
        "probes": _number(tried.probes),
    }


def _estimate(
    tried: Tried, population: Population, failing: Flags, drop: float, extent: Extent
) -> dict[str, Any]:
    """The failure rate from the package's sampler, as it is set to estimate."""
    weight = mixture_weights(tried.scores, population.copies, extent.estimate)
    n = min(extent.drawn, population.size // 2)
    sampler = PrioritySampler(weight, population.copies, n)
    rng = np.random.default_rng(seed_of(tried, "estimation"))
    replicates = extent.replicates if failing.any() else min(20, extent.replicates)
    table = np.zeros((replicates, 6))
    for replicate in range(replicates):
        draw = sampler.draw(rng)
        design = draw.design(population.size, sampler.least)
        hit = failing[draw.row]
        rate, safe = design.rate(hit, 0.95), design.safe_rate(hit, 0.95)
        table[replicate] = (
            rate.value,
            rate.low,
            rate.high,
            safe.low,
            safe.high,
            design.effective_size(),
        )
    row = {
        "target": tried.target,
        "method": tried.method,
        "task": "estimation" if failing.any() else "bound",
        "drop": drop,
        "n": n,
        "probes": _number(tried.probes),
        "mixture": _mixture(extent.estimate),
    }
    if not failing.any():
        # Nothing can be drawn that fails: what is left to say is how much could be missed.
        bound, value = float(np.median(table[:, 4])), failure_rate(0, n).high
        return row | {"bound": _number(bound), "uniform_bound": _number(value)}
    found = Replicates(*table.T)
    truth = float((population.copies * failing).sum()) / population.size
    measured = estimation(found, truth, n=n, probes=tried.probes)
    return row | _rounded(asdict(measured))


def seed_of(tried: Tried, task: str) -> int:
    """What decides the random numbers of a method on a target, for a purpose."""
    return zlib.crc32(f"{tried.target} {tried.method} {task}".encode())


def _mixture(mixture: Mixture) -> list[float]:
    """Uniform share and power."""
    return [mixture.uniform_share, mixture.power]


def _number(value: float) -> float:
    """Four digits: rows are read, and kept in a repository."""
    return float(f"{value:.4g}")


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _each(value) for name, value in values.items()}


def _each(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_each(one) for one in value]
    return _number(value) if isinstance(value, float) else value
