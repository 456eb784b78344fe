"""Every interval against exhaustive truth, 1,000 samples each: does it hold what it promises?

Populations are censuses of known rate. Intervals with a guarantee must hold in 95 of 100 samples
at every rate, the others on average; the weighted one is tested in ``test_design.py``.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats

from onnxfi.analysis import (
    EqualDesign,
    StratifiedDesign,
    _stratified,
    bounded_mean,
    clopper_pearson,
    failure_rate,
    hypergeometric,
    interval_coverage,
    look_confidence,
)

REPEATS = 1000
NOISE = 3 * np.sqrt(0.95 * 0.05 / REPEATS)  # of a share of so many samples
RATES = [0.002, 0.01, 0.05, 0.3]
SIZE = 4_000


def census_of(rate):
    census = np.zeros(SIZE)
    census[: round(rate * SIZE)] = 1.0
    return census


def covered(rate, n, interval):
    """Coverage of an interval of failures among n, drawn from a census without replacement."""
    known = functools.cache(interval)
    return interval_coverage(
        census_of(rate), n, lambda drawn, size: known(int(drawn.sum())), repeats=REPEATS, seed=7
    )


@pytest.mark.parametrize("n", [100, pytest.param(600, marks=pytest.mark.heavy)])
def test_wilson_on_average(n):
    shares = [
        covered(rate, n, lambda k: failure_rate(k, n, population=SIZE))
        for rate in (*RATES, 0.02, 0.1, 0.5)
    ]
    assert 0.93 <= np.mean(shares) <= 0.98
    assert min(shares) > 0.8  # near 0 it is too narrow: that is why looks take the exact ones


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n", [100, pytest.param(600, marks=pytest.mark.heavy)])
def test_exact_ones_at_every_rate(rate, n):
    assert covered(rate, n, lambda k: hypergeometric(k, n, SIZE)) >= 0.95 - NOISE
    assert covered(rate, n, lambda k: clopper_pearson(k, n)) >= 0.95 - NOISE
    intervals = [clopper_pearson(k, n) for k in range(n + 1)]
    inside = [k for k, one in enumerate(intervals) if one.low <= rate <= one.high]
    assert stats.binom.pmf(inside, n, rate).sum() >= 0.95 - 1e-9


@pytest.mark.parametrize("top", [0.02, 0.3])
def test_betting_for_means_of_shares(top):
    rng = np.random.default_rng(3)
    census = np.where(rng.random(SIZE) < top, rng.random(SIZE), 0.0)
    share = interval_coverage(
        census,
        150,
        lambda drawn, size: bounded_mean(drawn, population=size),
        repeats=REPEATS,
        seed=5,
    )
    assert share >= 0.95 - NOISE


SIZES = np.array([3000, 5000, 2000, 400])
STRATA = {
    "proportional": ([0.2, 0.01, 0.5, 0.05], [90, 150, 60, 12]),
    "by need": ([0.2, 0.01, 0.5, 0.05], [110, 60, 130, 12]),
    "rare": ([0.002, 0.0, 0.02, 0.0], [90, 150, 60, 12]),
}


def stratified(name, rng):
    """Truth, and as many samples of it as there are repeats, strata in turns."""
    rates, counts = STRATA[name]
    parts = [census_of(rate)[: round(rate * size)] for rate, size in zip(rates, SIZES, strict=True)]
    failing = np.array([len(part) for part in parts])
    spread = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    codes = np.repeat(np.arange(len(counts)), counts)[np.argsort(spread, kind="stable")]
    samples = []
    for _ in range(REPEATS):
        hit = np.empty(len(codes), bool)
        for stratum, (size, some, count) in enumerate(zip(SIZES, failing, counts, strict=True)):
            hit[codes == stratum] = rng.choice(size, count, replace=False) < some
        samples.append(hit)
    return failing.sum() / SIZES.sum(), codes, samples


@pytest.mark.parametrize("name", STRATA)
def test_mover_of_strata(name):
    truth, codes, samples = stratified(name, np.random.default_rng(2))
    design = StratifiedDesign(codes=codes, sizes=SIZES)
    found = [design.rate(hit, 0.95) for hit in samples]
    inside = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.93 <= inside <= 1.0
    values = np.array([one.value for one in found])
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(REPEATS)


@pytest.mark.parametrize("name", STRATA)
def test_strata_at_looks(name, monkeypatch):
    known = functools.cache(_stratified.exact_rate)  # the same counts come again and again
    monkeypatch.setattr(_stratified, "exact_rate", known)
    truth, codes, samples = stratified(name, np.random.default_rng(4))
    looks = [60, 150, 312]
    missed = 0
    for hit in samples:
        missed += any(
            not one.low <= truth <= one.high
            for look, n in enumerate(looks, 1)
            for one in [
                StratifiedDesign(codes=codes[:n], sizes=SIZES).rate(
                    hit[:n], look_confidence(0.95, look), exact=True
                )
            ]
        )
    assert missed / REPEATS <= 0.05


@pytest.mark.parametrize("rate", RATES)
def test_equal_chances_at_looks(rate):
    """Stopped at the worst look, an interval still holds: exact ones do, Wilson's would not."""
    size, looks = 40_000, [50, 100, 150, 200, 300, 400, 550, 700, 900, 1200, 1500]
    design, rng = EqualDesign(population=size), np.random.default_rng(6)
    failing = round(rate * size)

    @functools.cache
    def held(look, failures, exact):
        hit = np.arange(looks[look - 1]) < failures
        one = design.rate(hit, look_confidence(0.95, look), exact=exact)
        return one.low <= rate <= one.high

    missed = {True: 0, False: 0}
    for _ in range(REPEATS):
        seen = np.cumsum(rng.choice(size, looks[-1], replace=False) < failing)
        for exact in missed:
            missed[exact] += not all(
                held(look, int(seen[n - 1]), exact) for look, n in enumerate(looks, 1)
            )
    assert missed[True] / REPEATS <= 0.05
    if rate < 0.005:
        assert missed[False] / REPEATS > 0.05
