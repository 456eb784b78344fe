"""What is measured of a way to choose faults: pure functions of counts and estimates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis import Interval, clopper_pearson

Values = NDArray[np.float64]

_RESAMPLES = 2_000
_MARGIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A value, and the ends of its interval.

    Attributes:
        value: The value.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much more often chosen faults fail than those drawn uniformly.

    Attributes:
        ratio: Precision over the failure rate; None where no uniform fault failed, or no chosen
            one.
        low: Lower end of the interval on the logarithmic scale; None likewise.
        high: Upper end; None likewise.
        at_least: Where there is no ratio for want of failing uniform faults: precision over the
            rate's upper end.
        ceiling: The highest ratio that there can be: min(1, K / n) / p0; None likewise.
        lift: Precision over min(1, K / n), the highest precision that there can be; None where no
            fault fails.
    """

    ratio: float | None
    low: float | None
    high: float | None
    at_least: float | None
    ceiling: float | None
    lift: float | None


def bootstrap(values: Values, *, seed: int, confidence: float = 0.95) -> Range:
    """The mean of independent values with a percentile interval.

    Args:
        values: float64 (seeds,), one a seed.
        seed: Of the resampling.
        confidence: Level of the interval.
    """
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail]).tolist()
    return Range(value=float(values.mean()), low=low, high=high)


def best_precision(critical: float, n: int) -> float:
    """The highest precision of n different faults of which so many can fail."""
    return min(1.0, critical / n)


def gain(precision: Range, rate: Interval, *, size: int, n: int) -> Gain:
    """Precision held against the failure rate and its ceiling.

    The interval of the ratio joins those of both, each taken as its half-width on the logarithmic
    scale (which is sqrt((1 - p1) / (n1 p1) + (1 - p0) / (n0 p0)) times the quantile, where both are
    shares of independent draws).

    Args:
        precision: Share of failing faults among the n first, over seeds.
        rate: The failure rate of all faults.
        size: Faults in all.
        n: How many are chosen.
    """
    if rate.value == 0:
        bound = precision.value / rate.high if rate.high > 0 else None
        return Gain(ratio=None, low=None, high=None, at_least=bound, ceiling=None, lift=None)
    best = best_precision(rate.value * size, n)
    ceiling, lift = best / rate.value, precision.value / best
    if precision.value == 0:
        return Gain(ratio=None, low=None, high=None, at_least=None, ceiling=ceiling, lift=0.0)
    ratio = precision.value / rate.value
    below = math.hypot(_log(precision.value, precision.low), _log(rate.high, rate.value))
    above = math.hypot(_log(precision.high, precision.value), _log(rate.value, rate.low))
    return Gain(
        ratio=ratio,
        low=ratio * math.exp(-below),
        high=ratio * math.exp(above) if above < math.inf else math.inf,
        at_least=None,
        ceiling=ceiling,
        lift=lift,
    )


def top_precision(scores: Values, copies: Values, failing: Values, n: int) -> float:
    """Expected share of failing faults among the n of highest scores, ties broken at random.

    Args:
        scores: float64 (m,).
        copies: (m,), how many faults each row stands for.
        failing: (m,), 1 where they fail.
        n: At most the sum of copies.
    """
    order = np.argsort(-scores, kind="stable")
    count, hits = copies[order], (copies * failing)[order]
    edges = np.flatnonzero(np.diff(scores[order])) + 1
    starts = np.concatenate([[0], edges])
    counts, found = np.add.reduceat(count, starts), np.add.reduceat(hits, starts)
    taken, right = 0.0, 0.0
    for many, failed in zip(counts.tolist(), found.tolist(), strict=True):
        part = min(many, n - taken)
        right += failed * part / many
        taken += part
        if taken >= n:
            break
    return right / n


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """How good estimates of the failure rate are, over replicates.

    Attributes:
        replicates: How many.
        bias: Mean estimate over the truth, less 1.
        spread: Standard deviation over the truth.
        coverage: Share of the weighted intervals that hold the truth.
        coverage_interval: Ends of Clopper and Pearson's interval of that share.
        bound_coverage: The same share of the assumption-free intervals.
        width: Median width of the weighted interval over the truth.
        bound_width: The same of the assumption-free one.
        variance_reduction: P (1 - P) / (n MSE): uniform injections that one stands for.
        variance_reduction_paid: The same, with probes counted as injections.
        effective_size: Mean effective size (Kish) over n.
        needed: Injections for a margin of a tenth, with probes.
    """

    replicates: int
    bias: float
    spread: float
    coverage: float
    coverage_interval: tuple[float, float]
    bound_coverage: float
    width: float
    bound_width: float
    variance_reduction: float
    variance_reduction_paid: float
    effective_size: float
    needed: float


class Replicates(NamedTuple):
    """Estimates from many samples of the same size.

    Attributes:
        value: float64 (r,), estimates.
        low: float64 (r,), lower ends of the weighted intervals.
        high: float64 (r,), upper ends.
        bound_low: float64 (r,), of the assumption-free intervals.
        bound_high: float64 (r,).
        effective: float64 (r,), effective sizes.
    """

    value: Values
    low: Values
    high: Values
    bound_low: Values
    bound_high: Values
    effective: Values


def estimation(found: Replicates, truth: float, *, n: int, probes: float = 0.0) -> Estimation:
    """What replicates say about a sampler, held against a truth above 0.

    Args:
        found: The replicates.
        truth: The failure rate.
        n: Injections of each.
        probes: What the scores cost, in injections: sample-inferences over test images.
    """
    count = len(found.value)
    mse = float(((found.value - truth) ** 2).mean())
    held = int(_holds(found.low, found.high, truth).sum())
    bounded = _holds(found.bound_low, found.bound_high, truth)
    share = clopper_pearson(held, count)
    reduction = truth * (1 - truth) / (n * mse) if mse else math.inf
    return Estimation(
        replicates=count,
        bias=float(found.value.mean()) / truth - 1,
        spread=float(found.value.std()) / truth,
        coverage=held / count,
        coverage_interval=(share.low, share.high),
        bound_coverage=float(bounded.mean()),
        width=float(np.median(found.high - found.low)) / truth,
        bound_width=float(np.median(found.bound_high - found.bound_low)) / truth,
        variance_reduction=reduction,
        variance_reduction_paid=reduction * n / (n + probes),
        effective_size=float(found.effective.mean()) / n,
        needed=needed(math.sqrt(mse) / truth, n, _MARGIN) + probes,
    )


def inverse_weighted(
    scores: Values, copies: NDArray[np.int64], failing: NDArray[np.bool_]
) -> tuple[float | None, float]:
    """Estimates from independent draws in proportion to scores, each weighted by 1 / probability.

    Args:
        scores: float64 (m,).
        copies: int64 (m,), how many faults each row stands for.
        failing: bool (m,).

    Returns:
        Variance reduction against uniform draws, exactly; None where nothing fails, or some that
        do can't be drawn. And the share of these, by which the estimate is too low.
    """
    size, hits = float(copies.sum()), copies * failing
    rate = float(hits.sum()) / size
    if rate == 0:
        return None, 0.0
    reached = failing & (scores > 0)
    missed = 1 - float(hits[reached].sum()) / float(hits.sum())
    if missed > 0:
        return None, missed
    chance = scores[reached] / float(scores @ copies)
    variance = float((hits[reached] / chance).sum()) / size**2 - rate**2
    return (rate * (1 - rate) / variance if variance > 0 else math.inf), 0.0


def needed(spread_at_n: float, n: int, margin: float, confidence: float = 0.95) -> float:
    """Injections for a relative margin, if the spread falls as 1 / sqrt(n)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return n * (z * spread_at_n / margin) ** 2


def _holds(low: Values, high: Values, truth: float) -> NDArray[np.bool_]:
    # Ends that are the truth but for rounding hold it.
    slack = 1e-12 * truth
    return (low <= truth + slack) & (high >= truth - slack)


def _log(upper: float, lower: float) -> float:
    return math.log(upper / lower) if lower > 0 else math.inf
