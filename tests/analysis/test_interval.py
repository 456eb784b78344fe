from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from onnxfi.analysis import failure_rate
from onnxfi.errors import ConfigError


def test_a_known_wilson_interval():
    interval = failure_rate(10, 100)  # z = 1.96: (0.1 + 0.0192) / 1.0384 -+ 0.0599
    assert interval.low == pytest.approx(0.05523, abs=1e-4)
    assert interval.high == pytest.approx(0.17437, abs=1e-4)
    assert (interval.value, interval.n, interval.method) == (0.1, 100, "wilson")
    assert interval.margin == pytest.approx((interval.high - interval.low) / 2)


@given(n=st.integers(1, 10_000), data=st.data(), confidence=st.floats(0.5, 0.9999))
def test_always_holds_the_estimate_and_what_is_possible(n, data, confidence):
    failures = data.draw(st.integers(0, n))
    population = data.draw(st.none() | st.integers(n, 10**9))
    interval = failure_rate(failures, n, population=population, confidence=confidence)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert (interval.low == 0) == (failures == 0)
    assert (interval.high == 1) == (failures == n)
    if population is not None:
        assert interval.low * population >= failures - 1e-6
        assert (1 - interval.high) * population >= n - failures - 1e-6
        if population > n:
            wide = failure_rate(failures, n, confidence=confidence)
            assert interval.high - interval.low <= wide.high - wide.low + 1e-12


def test_a_census_has_no_error():
    interval = failure_rate(3, 20, population=20)
    assert (interval.low, interval.value, interval.high) == (0.15, 0.15, 0.15)
    assert interval.method == "census"


def test_a_vast_population_changes_nothing():
    near, far = failure_rate(5, 300, population=2**62), failure_rate(5, 300)
    assert near.low == pytest.approx(far.low, rel=1e-9)
    assert near.high == pytest.approx(far.high, rel=1e-9)


@pytest.mark.parametrize("n", [30, 100, 385])
def test_coverage_of_independent_draws(n):
    """The nominal 95 % on average over all rates, summed exactly and not simulated."""
    intervals = [failure_rate(k, n) for k in range(n + 1)]
    low, high = (np.array([getattr(i, end) for i in intervals]) for end in ("low", "high"))
    rates = np.linspace(0.002, 0.998, 250)
    covered = [stats.binom.pmf(np.flatnonzero((low <= p) & (p <= high)), n, p).sum() for p in rates]
    assert 0.93 <= float(np.mean(covered)) <= 0.97


@pytest.mark.parametrize(("n", "population"), [(50, 200), (100, 150), (190, 200), (100, 3000)])
def test_coverage_of_draws_without_replacement(n, population):
    intervals = [failure_rate(k, n, population=population) for k in range(n + 1)]
    low, high = (np.array([getattr(i, end) for i in intervals]) for end in ("low", "high"))
    covered = []
    for failing in range(population + 1):
        truth = failing / population
        inside = np.flatnonzero((low <= truth + 1e-12) & (truth - 1e-12 <= high))
        covered.append(stats.hypergeom.pmf(inside, population, failing, n).sum())
    assert 0.93 <= float(np.mean(covered)) <= 0.97


@pytest.mark.parametrize(
    ("failures", "n", "kwargs", "said"),
    [
        (0, 0, {}, "no scenario is finished"),
        (0, 5, {"population": 4}, "5 scenarios can't be drawn without replacement from 4"),
        (0, 5, {"confidence": 1.0}, "confidence"),
        (0, 5, {"confidence": math.nan}, "confidence"),
    ],
)
def test_what_gives_no_interval(failures, n, kwargs, said):
    with pytest.raises(ConfigError, match=said):
        failure_rate(failures, n, **kwargs)
