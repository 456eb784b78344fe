from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxfi.analysis import bounded_mean, failure_rate, interval_coverage
from onnxfi.errors import ConfigError

RNG = np.random.default_rng(1)
CENSUSES = {
    "rare": (RNG.random(2000) < 0.01) * 1.0,
    "rare and partial": (RNG.random(2000) < 0.03) * RNG.random(2000),
    "even": (RNG.random(600) < 0.5) * 1.0,
    "accuracy": 1 - np.minimum(1, 0.1 + RNG.exponential(0.05, 1000)),
    "all or nothing": np.where(RNG.random(1000) < 0.2, 0.9, 0.001),
}


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=60),
    more=st.none() | st.integers(0, 200),
    confidence=st.floats(0.5, 0.999),
)
@example(values=[5e-324, 5e-324], more=2, confidence=0.5)
def test_always_holds_the_estimate_and_what_is_possible(values, more, confidence):
    drawn = np.array(values)
    population = None if more is None else len(drawn) + more
    interval = bounded_mean(drawn, population=population, confidence=confidence)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.value == pytest.approx(drawn.mean())
    if population is not None:
        assert interval.low >= drawn.sum() / population - 1e-9
        assert interval.high <= 1 - (1 - drawn).sum() / population + 1e-9


def wealth(values: list[float], candidate: float, side: int, alpha: float) -> float:
    """Largest wealth of a gambler against a candidate, step by step, with replacement."""
    best = money = 1.0
    total, spread = 0.5, 0.25
    for t, value in enumerate(values, start=1):
        stake = math.sqrt(2 * math.log(2 / alpha) / (len(values) * spread / t))
        risk = candidate if side > 0 else 1 - candidate
        money *= 1 + side * min(stake, 0.75 / risk) * (value - candidate)
        best = max(best, money)
        total += value
        spread += (value - total / (t + 1)) ** 2
    return best


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_ends_are_where_the_gamblers_get_rich(values):
    alpha = 0.1
    interval = bounded_mean(np.array(values), confidence=1 - alpha)
    reach = 0.002 * (interval.high - interval.low) + 1e-9
    if interval.low > 0:
        assert wealth(values, interval.low - 1e-9, 1, alpha) >= 2 / alpha * 0.999
        if interval.value - interval.low > 2 * reach:
            assert wealth(values, interval.low + reach, 1, alpha) < 2 / alpha
    if interval.high < 1:
        assert wealth(values, interval.high + 1e-9, -1, alpha) >= 2 / alpha * 0.999
        if interval.high - interval.value > 2 * reach:
            assert wealth(values, interval.high - reach, -1, alpha) < 2 / alpha


@pytest.mark.parametrize("name", CENSUSES)
@pytest.mark.parametrize("n", [40, 300])
def test_coverage_without_replacement(name, n):
    share = interval_coverage(
        CENSUSES[name],
        n,
        lambda values, size: bounded_mean(values, population=size),
        repeats=250,
        seed=3,
    )
    assert share >= 0.95


@pytest.mark.parametrize("name", CENSUSES)
def test_coverage_of_independent_draws(name):
    census, rng = CENSUSES[name], np.random.default_rng(5)
    truth, hits = census.mean(), 0
    for _ in range(250):
        interval = bounded_mean(rng.choice(census, 80))
        hits += interval.low <= truth <= interval.high
    assert hits / 250 >= 0.95


def test_the_normal_interval_would_fail_that():
    """The coverage function does tell good intervals from bad ones."""

    def normal(values, size):
        half = 1.96 * values.std() / math.sqrt(len(values))
        plain = bounded_mean(values, population=size)
        return type(plain)(
            value=plain.value,
            low=plain.value - half,
            high=plain.value + half,
            confidence=0.95,
            n=len(values),
            method="normal",
        )

    assert interval_coverage(CENSUSES["rare"], 40, normal, repeats=250, seed=3) < 0.6
    wilson = interval_coverage(
        CENSUSES["even"],
        100,
        lambda values, size: failure_rate(int(values.sum()), len(values), population=size),
        repeats=400,
        seed=4,
    )
    assert 0.92 < wilson < 0.98


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_nothing_failed_yet(n):
    """No valid bound can be below that of Clopper and Pearson; this one is not far above."""
    best = 1 - 0.025 ** (1 / n)
    high = bounded_mean(np.zeros(n)).high
    assert best <= high <= 1.45 * best
    low = bounded_mean(np.ones(n)).low
    assert low == pytest.approx(1 - high)


@pytest.mark.parametrize("name", CENSUSES)
def test_not_much_wider_than_a_normal_interval(name):
    drawn = np.random.default_rng(2).choice(CENSUSES[name], 20_000)
    normal = 1.96 * drawn.std() / math.sqrt(len(drawn))
    assert normal < bounded_mean(drawn).margin < 1.5 * normal


def test_without_replacement_is_narrower_and_a_census_exact():
    census = CENSUSES["rare and partial"]
    widths = []
    for n in (500, 1000, 1900, 1999, 2000):
        interval = bounded_mean(census[:n], population=2000)
        assert interval.low <= census.mean() <= interval.high
        widths.append(interval.high - interval.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0
    assert bounded_mean(census, population=2000).method == "census"
    assert bounded_mean(census[:1000]).margin > bounded_mean(census[:1000], population=2000).margin


def test_higher_confidence_is_wider():
    drawn = CENSUSES["accuracy"][:200]
    margins = [bounded_mean(drawn, confidence=level).margin for level in (0.5, 0.8, 0.95, 0.999)]
    assert margins == sorted(margins)


def test_a_million_scenarios():
    interval = bounded_mean((np.random.default_rng(0).random(10**6) < 1e-3) * 1.0)
    assert interval.low < 1e-3 < interval.high


@pytest.mark.parametrize(
    ("values", "kwargs", "said"),
    [
        ([], {}, "no scenario"),
        ([0.1, 1.1], {}, "from 0 to 1"),
        ([0.1, math.nan], {}, "from 0 to 1"),
        ([0.1, 0.2], {"population": 1}, "without replacement from 1"),
        ([0.1], {"confidence": 0}, "confidence"),
    ],
)
def test_what_gives_no_interval(values, kwargs, said):
    with pytest.raises(ConfigError, match=said):
        bounded_mean(np.array(values), **kwargs)
