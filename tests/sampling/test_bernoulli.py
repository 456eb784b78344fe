from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from onnxfi.errors import ConfigError
from onnxfi.sampling import bernoulli_positions, minus_log1m, open_uniforms


def rows(size: int, probability: float, runs: int) -> list[np.ndarray]:
    return [bernoulli_positions(size, probability, 21, 3, k) for k in range(runs)]


@pytest.mark.parametrize(("size", "p"), [(40, 0.5), (200, 0.03), (30, 0.9), (5000, 0.002)])
def test_counts_are_binomial(size, p):
    counts = np.array([len(row) for row in rows(size, p, 4000)])
    law = stats.binom(size, p)
    edges = [int(law.ppf(q)) for q in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)]
    edges = sorted(set(edges))
    chances = np.diff([0.0, *law.cdf(edges), 1.0])
    found = np.bincount(np.searchsorted(edges, counts, side="left"), minlength=len(chances))
    assert stats.chisquare(found, chances * len(counts)).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_every_bit_is_hit_equally_often_and_alone(p):
    size, runs = 64, 4000
    hits = np.zeros((runs, size), bool)
    for row, positions in zip(hits, rows(size, p, runs), strict=True):
        row[positions] = True
    share = (hits.sum(axis=0) - runs * p) / math.sqrt(runs * p * (1 - p))
    assert stats.chi2.sf((share**2).sum(), size) > 1e-4
    for gap in (1, 2, 31):  # neighbours know nothing of each other
        both = int((hits[:, :-gap] & hits[:, gap:]).sum())
        pairs = runs * (size - gap)
        assert stats.binomtest(both, pairs, p * p).pvalue > 1e-4


@settings(max_examples=80, deadline=None)
@given(
    size=st.integers(0, 2000),
    p=st.one_of(st.floats(0, 1), st.floats(1e-30, 1e-2)),
    seed=st.integers(0, 2**64 - 1),
    k=st.integers(0, 2**40),
)
def test_positions_ascend_within_the_row_and_repeat(size, p, seed, k):
    positions = bernoulli_positions(size, p, seed, 3, k)
    assert positions.dtype == np.int64
    assert (np.diff(positions) > 0).all()
    assert ((positions >= 0) & (positions < size)).all()
    assert np.array_equal(positions, bernoulli_positions(size, p, seed, 3, k))


def test_extremes():
    assert len(bernoulli_positions(10**9, 0.0, 1, 3, 0)) == 0
    assert bernoulli_positions(100, 1.0, 1, 3, 0).tolist() == list(range(100))
    assert len(bernoulli_positions(2**62, 5e-324, 1, 3, 0)) == 0
    nearly = bernoulli_positions(10_000, 1 - 1e-3, 1, 3, 0)
    assert abs(len(nearly) - 9990) < 20
    huge = bernoulli_positions(2**62, 1e-14, 1, 3, 0)
    assert abs(len(huge) - 46117) < 5 * math.sqrt(46117)


def test_a_longer_row_begins_as_a_shorter_one():
    short = bernoulli_positions(5_000, 0.01, 4, 3, 2)
    long = bernoulli_positions(500_000, 0.01, 4, 3, 2)
    assert np.array_equal(long[long < 5_000], short)


def test_chunks_join_without_a_seam(monkeypatch):
    whole = [bernoulli_positions(50_000, 0.01, seed, 3, 2) for seed in range(20)]
    monkeypatch.setattr("onnxfi.sampling._bit_errors._chunk", lambda expected: 7)
    pieces = [bernoulli_positions(50_000, 0.01, seed, 3, 2) for seed in range(20)]
    assert all(np.array_equal(one, other) for one, other in zip(whole, pieces, strict=True))


def test_the_logarithm():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(20_000), 10.0 ** rng.uniform(-19, 0, 20_000)])
    values = values[(values > 0) & (values < 1)]
    expected = np.array([-math.log1p(-value) for value in values])
    assert np.max(np.abs(minus_log1m(values) / expected - 1)) < 2e-15


def test_uniform_words_keep_small_probabilities():
    words = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    small, next_one, half, top = open_uniforms(words).tolist()
    assert Fraction(small) == Fraction(1, 2**65)
    assert Fraction(next_one) == Fraction(3, 2**65)
    assert half == 0.5
    assert top < 1


def test_the_draw_of_a_seed_never_changes():
    assert bernoulli_positions(10**9, 1e-8, 7, 3, 5).tolist() == PINNED


def test_as_many_of_a_billion_as_their_probability_says():
    for size, p in ((10**9, 1e-6), (10**9, 1e-3)):
        found = bernoulli_positions(size, p, 1, 3, 0)
        assert abs(len(found) - size * p) < 5 * math.sqrt(size * p)


def test_too_many_faults_are_refused_before_memory_is():
    with pytest.raises(ConfigError, match=r"about 5e\+08 faults a scenario"):
        bernoulli_positions(10**9, 0.5, 1, 3, 0)


PINNED = [286897515, 624199472, 923450105, 994119986]
