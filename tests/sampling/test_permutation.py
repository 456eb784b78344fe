from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from onnxfi.sampling import Feistel, permutation, raw_bits


def network(size: int, seed: int) -> Feistel:
    """The computed order at sizes where a listed one would be used."""
    keys = raw_bits(seed, 9, 0, 24).tolist()
    return Feistel.of(size, list(zip(keys[::2], keys[1::2], strict=True)))


@pytest.mark.parametrize("build", [network, lambda size, seed: permutation(size, seed, 1)])
def test_small_domains_are_visited_once(build):
    for size in range(1, 201):
        order = build(size, size)
        assert sorted(order.many(np.arange(size)).tolist()) == list(range(size))


@pytest.mark.parametrize("size", [1024, 1025, 1026, 4096, 65_537, 99_991])
def test_larger_domains_are_visited_once(size):
    visited = permutation(size, 5, 1).many(np.arange(size))
    assert np.array_equal(np.sort(visited), np.arange(size))


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 2**62), seed=st.integers(0, 2**64 - 1), data=st.data())
def test_one_by_one_equals_all_at_once(size, seed, data):
    order = permutation(size, seed, 1)
    positions = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=20))
    many = order.many(np.array(sorted(positions)))
    assert many.tolist() == [order.at(position) for position in sorted(positions)]
    assert len(set(many.tolist())) == len(positions)
    assert many.min() >= 0
    assert many.max() < size


@pytest.mark.parametrize("size", [2, 3, 6, 7, 12])
@pytest.mark.parametrize("build", [network, lambda size, seed: permutation(size, seed, 1)])
def test_positions_and_pairs_are_uniform_over_seeds(build, size):
    """Each element is equally likely at each place, and each ordered pair at two places."""
    seeds = 2500
    orders = np.array([build(size, seed).many(np.arange(size)) for seed in range(seeds)])
    for place in range(size):
        assert stats.chisquare(np.bincount(orders[:, place], minlength=size)).pvalue > 1e-5
    pairs = np.bincount(orders[:, 0] * size + orders[:, -1], minlength=size * size)
    apart = [a * size + b for a, b in itertools.permutations(range(size), 2)]
    assert pairs.sum() == pairs[apart].sum()
    assert stats.chisquare(pairs[apart]).pvalue > 1e-5


def test_every_order_of_a_few_is_equally_likely():
    listed = [tuple(permutation(4, seed, 1).many(np.arange(4)).tolist()) for seed in range(6000)]
    counts = [listed.count(order) for order in itertools.permutations(range(4))]
    assert stats.chisquare(counts).pvalue > 1e-5


def test_a_large_domain_is_spread_and_unrelated_from_draw_to_draw():
    size = 3_000_017
    drawn = permutation(size, 11, 1).many(np.arange(100_000))
    assert stats.chisquare(np.bincount(drawn * 100 // size, minlength=100)).pvalue > 1e-4
    steps = (drawn[1:] - drawn[:-1]) % size
    assert stats.chisquare(np.bincount(steps * 100 // size, minlength=100)).pvalue > 1e-4
    for bit in range(16):
        assert stats.binomtest(int(((drawn >> bit) & 1).sum()), len(drawn)).pvalue > 1e-4
    other = permutation(size, 12, 1).many(np.arange(100_000))
    differences = (drawn - other) % size
    assert stats.chisquare(np.bincount(differences * 100 // size, minlength=100)).pvalue > 1e-4


def test_the_order_of_a_seed_never_changes():
    assert permutation(10, 7, 1).many(np.arange(10)).tolist() == PINNED_SMALL
    assert permutation(2_486_272, 7, 1).many(np.arange(6)).tolist() == PINNED_LARGE
    assert permutation(2**62, 7, 1, 3).many(np.arange(3)).tolist() == PINNED_HUGE


def test_a_million_draws_differ():
    drawn = permutation(2**40 + 1, 3, 1).many(np.arange(10**6))
    assert len(np.unique(drawn)) == 10**6


PINNED_SMALL = [3, 9, 1, 6, 2, 5, 4, 8, 0, 7]
PINNED_LARGE = [2483710, 1308446, 1621439, 2479800, 321295, 1649389]
PINNED_HUGE = [4461333502404306928, 3380172800304694726, 642770788404825787]
