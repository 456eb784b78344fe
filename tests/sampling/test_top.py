from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.sampling import FunctionScores, SampledScenarios, TopSampler, top_order


def scores_of(values):
    return FunctionScores(function=lambda site, index, bit: values[8 * index + bit], name="given")


def test_the_highest_come_first_and_carry_their_scores(weights):
    values = np.random.default_rng(0).random(8_000)
    sampler = TopSampler(n=50, scores=scores_of(values))
    space = weights(len(values))
    listed = list(SampledScenarios(space, sampler))
    wanted = np.argsort(-values)[:50]
    assert [space.fault_number(scenario.groups) for scenario in listed] == wanted.tolist()
    assert [scenario.key for scenario in listed] == values[wanted].tolist()
    assert {scenario.weight for scenario in listed} == {None}


@pytest.mark.parametrize("levels", [1, 3, 1000])
@pytest.mark.parametrize("rising", [False, True])
def test_blocks_make_no_difference_and_ties_are_broken_by_the_seed(weights, levels, rising):
    values = np.random.default_rng(1).integers(0, levels, 8 * 60_000).astype(float)
    if rising:  # every block beats all before it
        values.sort()
    space, n = weights(len(values)), 700
    found = top_order(space, scores_of(values), n=n, seed=5)
    whole = top_order(space, scores_of(values), n=space.size, seed=5)
    assert np.array_equal(np.sort(whole.numbers), np.arange(space.size))
    assert np.array_equal(found.numbers, whole.numbers[:n])
    assert np.array_equal(found.key, np.sort(values)[::-1][:n])
    other = top_order(space, scores_of(values), n=n, seed=6)
    assert np.array_equal(other.key, found.key)
    assert not np.array_equal(other.numbers, found.numbers)
    # Those of equal scores are drawn from all of the space, not from its beginning.
    last = found.numbers[found.key == found.key[-1]]
    if levels < 1000:
        alike = np.flatnonzero(values == found.key[-1])
        places = np.searchsorted(alike, last) / len(alike)
        assert 0.4 < places.mean() < 0.6


def test_more_than_there_are(weights):
    with pytest.raises(ConfigError, match="more than the 80 faults"):
        TopSampler(n=81, scores=scores_of(np.ones(80))).order(weights(80))
