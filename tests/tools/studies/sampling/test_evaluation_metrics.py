"""Metrics of the evaluation on numbers that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation.metrics import (
    Range,
    Replicates,
    best_precision,
    bootstrap,
    estimation,
    gain,
    inverse_weighted,
    needed,
    top_precision,
)

from onnxfi.analysis import Interval


def rate(value, low, high, method="census"):
    return Interval(value=value, low=low, high=high, confidence=0.95, n=100, method=method)


def test_bootstrap_of_equal_values_has_no_width():
    assert bootstrap(np.full(20, 0.5), seed=1) == Range(value=0.5, low=0.5, high=0.5)


def test_bootstrap_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(0.4, 0.1, 100)
    found = bootstrap(values, seed=1)
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.15)


def test_ratio_with_known_rate():
    precision = Range(value=0.5, low=0.4, high=0.6)
    found = gain(precision, rate(0.02, 0.02, 0.02), size=10_000, n=100)
    assert found.ratio == pytest.approx(25)
    assert found.ceiling == pytest.approx(50)
    assert found.lift == pytest.approx(0.5)
    assert (found.low, found.high) == (pytest.approx(20), pytest.approx(30))
    assert found.at_least is None


def test_uncertainties_of_both_rates_are_joined():
    precision = Range(value=0.5, low=0.4, high=0.6)
    found = gain(precision, rate(0.02, 0.01, 0.05), size=10_000, n=100)
    assert found.low == pytest.approx(25 * math.exp(-math.hypot(math.log(1.25), math.log(2.5))))
    assert found.high == pytest.approx(25 * math.exp(math.hypot(math.log(1.2), math.log(2))))
    unsure = gain(precision, rate(0.02, 0.0, 0.05), size=10_000, n=100)
    assert unsure.high == math.inf


def test_few_failing_faults_lower_the_ceiling():
    precision = Range(value=0.21, low=0.21, high=0.21)
    found = gain(precision, rate(21 / 395_392, 21 / 395_392, 21 / 395_392), size=395_392, n=100)
    assert found.lift == pytest.approx(1)
    assert found.ratio == found.ceiling == pytest.approx(395_392 / 100)
    assert best_precision(21, 100) == 0.21
    assert best_precision(500, 100) == 1


def test_no_ratio_to_a_rate_of_no_events():
    found = gain(Range(value=0.5, low=0.4, high=0.6), rate(0, 0, 2e-4), size=10_000, n=100)
    assert (found.ratio, found.low, found.high, found.ceiling, found.lift) == (None,) * 5
    assert found.at_least == pytest.approx(2500)
    assert gain(Range(value=0.5, low=0.4, high=0.6), rate(0, 0, 0), size=9, n=1).at_least is None


def test_no_failure_found_is_no_ratio():
    found = gain(Range(value=0, low=0, high=0), rate(0.02, 0.01, 0.05), size=10_000, n=100)
    assert found.ratio is None
    assert found.lift == 0


def test_top_precision_shares_ties():
    scores = np.array([3.0, 1, 1, 2, 1])
    failing = np.array([1.0, 1, 0, 0, 0])
    assert top_precision(scores, np.ones(5), failing, 1) == 1
    assert top_precision(scores, np.ones(5), failing, 2) == 0.5
    assert top_precision(scores, np.ones(5), failing, 3) == pytest.approx((1 + 1 / 3) / 3)
    assert top_precision(scores, np.ones(5), failing, 5) == pytest.approx(2 / 5)


def test_top_precision_counts_copies():
    scores, copies = np.array([2.0, 1.0]), np.array([3, 10])
    assert top_precision(scores, copies, np.array([1.0, 0.0]), 6) == pytest.approx(0.5)
    assert top_precision(scores, copies, np.array([0.0, 1.0]), 6) == pytest.approx(0.5)


def test_estimation_of_replicates():
    value = np.array([0.1, 0.1, 0.1, 0.2])
    found = estimation(
        Replicates(
            value=value,
            low=np.array([0.05, 0.12, 0.1, 0.1]),
            high=np.array([0.2, 0.2, 0.1, 0.3]),
            bound_low=np.zeros(4),
            bound_high=np.ones(4),
            effective=np.full(4, 50.0),
        ),
        0.1,
        n=100,
        probes=300,
    )
    assert found.coverage == 0.75
    assert found.bound_coverage == 1
    assert found.bias == pytest.approx(0.25)
    assert found.spread == pytest.approx(value.std() / 0.1)
    assert found.variance_reduction == pytest.approx(0.09 / (100 * 0.01 / 4))
    assert found.variance_reduction_paid == pytest.approx(found.variance_reduction / 4)
    assert found.effective_size == 0.5
    assert found.needed == pytest.approx(300 + 100 * (1.96 * 0.5 / 0.1) ** 2, rel=1e-4)
    assert found.coverage_interval[0] < 0.75 < found.coverage_interval[1]


def test_injections_for_a_margin():
    # p = 1 %, 10 % margin: 38,032 uniform injections.
    spread = math.sqrt(0.99 / 0.01 / 1000)
    assert needed(spread, 1000, 0.1) == pytest.approx(38_031, rel=1e-4)


def test_independent_draws_in_proportion_to_failure_have_no_variance():
    copies, failing = np.array([2, 5, 1]), np.array([True, False, False])
    assert inverse_weighted(np.array([1.0, 0, 0]), copies, failing) == (math.inf, 0)
    assert inverse_weighted(np.ones(3), copies, failing)[0] == pytest.approx(1)
    reduction, missed = inverse_weighted(np.array([5.0, 1, 5]), copies, np.array([True] * 3))
    assert missed == 0
    assert reduction == 0  # where everything fails, uniform draws are never wrong
    reduction, missed = inverse_weighted(np.array([4.0, 1, 3]), copies, failing)
    # A draw is 1 / (8 * 1/4) with probability 1/2, else 0.
    assert reduction == pytest.approx(0.25 * 0.75 / (0.5 * 0.5**2 - 0.25**2))


def test_independent_draws_that_miss_failures_are_biased():
    copies, failing = np.array([2, 5, 1]), np.array([True, False, True])
    assert inverse_weighted(np.array([1.0, 1, 0]), copies, failing) == (None, pytest.approx(1 / 3))
    assert inverse_weighted(np.ones(3), copies, np.zeros(3, bool)) == (None, 0)
