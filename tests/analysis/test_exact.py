from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from onnxfi.analysis import clopper_pearson, hypergeometric, total_bounds


@pytest.mark.parametrize(("failures", "n"), [(0, 30), (3, 30), (30, 30)])
def test_clopper_pearson_is_that_of_scipy(failures, n):
    ours = clopper_pearson(failures, n, confidence=0.9)
    theirs = stats.binomtest(failures, n).proportion_ci(0.9, "exact")
    assert np.isclose([ours.low, ours.high], [theirs.low, theirs.high]).all()


@pytest.mark.parametrize("population", [10, 60, 400])
def test_hypergeometric_covers_every_truth_and_is_no_wider_than_need_be(population):
    n = min(30, population)
    found = [hypergeometric(k, n, population) for k in range(n + 1)]
    assert all(one.low <= one.value <= one.high for one in found)
    ends = [(round(one.low * population), round(one.high * population)) for one in found]
    for truth in range(population + 1):
        chance = stats.hypergeom.pmf(np.arange(n + 1), population, truth, n)
        inside = [low <= truth <= high for low, high in ends]
        assert chance[inside].sum() >= 0.95 - 1e-9
    if population == n:
        assert all(one.low == one.value == one.high for one in found)
    else:
        # A step further in, an end would exclude a truth that the error probability allows.
        low, high = ends[5]
        assert stats.hypergeom.sf(4, population, low, n) > 0.025
        assert stats.hypergeom.cdf(5, population, high, n) > 0.025


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("truth", [0, 1, 7, 60])
def test_bounds_of_a_thinned_total_hold(probability, truth):
    counts = np.arange(truth + 1)
    chance = stats.binom.pmf(counts, truth, probability)
    bounds = [total_bounds(int(seen), probability, 0.025) for seen in counts]
    above = sum(p for p, (low, _) in zip(chance, bounds, strict=True) if low > truth)
    below = sum(p for p, (_, high) in zip(chance, bounds, strict=True) if high < truth)
    assert above <= 0.025
    assert below <= 0.025


def test_a_total_that_is_seen_for_certain_has_no_error():
    assert total_bounds(4, 1.0, 0.01) == (4, 4)
