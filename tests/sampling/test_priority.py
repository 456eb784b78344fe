from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, Burst, FaultSpace
from onnxfi.sampling import (
    ArrayScores,
    FunctionScores,
    ImportanceSampler,
    Mixture,
    SampledScenarios,
    Stream,
    from_recipe,
    priority_order,
    raw_bits,
)


def top_bit(site, index, bit):
    return np.where(bit == 7, 1.0 + index / 100, 0.0)


SCORES = FunctionScores(function=top_bit, name="top bit")


def all_weights(space, mixture=None):
    whole = priority_order(space, SCORES, mixture or Mixture(), n=space.size, seed=0)
    weight = np.empty(space.size)
    weight[whole.numbers] = whole.weight
    return weight


def test_weights_are_the_mixture_and_sum_to_one(weights):
    space = weights(800)
    numbers = np.arange(space.size)
    bit, element = numbers % 8, numbers // 8
    raw = np.where(bit == 7, 1.0 + element / 100, 0.0)
    for mixture in (Mixture(), Mixture(uniform_share=0.3, power=2.0)):
        wanted = (1 - mixture.uniform_share) * raw**mixture.power / (raw**mixture.power).sum()
        wanted += mixture.uniform_share / space.size
        assert np.allclose(all_weights(space, mixture), wanted, rtol=1e-12)
        assert np.isclose(all_weights(space, mixture).sum(), 1)


def test_the_whole_order_is_a_census_and_prefixes_do_not_depend_on_its_length(weights):
    space = weights(8 * 40_000)  # several blocks
    whole = priority_order(space, SCORES, Mixture(), n=space.size, seed=3)
    assert np.array_equal(np.sort(whole.numbers), np.arange(space.size))
    assert (np.diff(whole.key) <= 0).all()
    assert whole.next_key == 0
    for n in (1, 100, 5_000):
        some = priority_order(space, SCORES, Mixture(), n=n, seed=3)
        assert np.array_equal(some.numbers, whole.numbers[:n])
        assert np.array_equal(some.key, whole.key[:n])
        assert np.array_equal(some.weight, whole.weight[:n])
        assert some.next_key == whole.key[n]
    other = priority_order(space, SCORES, Mixture(), n=100, seed=4)
    assert not np.array_equal(other.numbers, whole.numbers[:100])


def _mixed(word):
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = (word ^ (word >> shift)) * factor % 2**64
    return word ^ (word >> 31)


def test_what_a_seed_means_stays(weights):
    """u is the upper 53 bits of a hash (SplitMix64, Steele et al., 2014), and never 0."""
    first, second = raw_bits(7, Stream.PRIORITY, 0, 2).tolist()
    order = priority_order(weights(800), SCORES, Mixture(), n=100, seed=7)
    for number, weight, key in zip(order.numbers.tolist(), order.weight, order.key, strict=True):
        word = _mixed(_mixed((number + first) % 2**64) ^ second)
        assert key == weight / (((word >> 11) + 1) / 2**53)


def test_scores_of_nothing_leave_all_faults_equally_likely(weights):
    space = weights(800)
    nothing = FunctionScores(function=lambda site, index, bit: np.zeros(len(index)), name="0")
    order = priority_order(space, nothing, Mixture(), n=50, seed=1)
    assert np.allclose(order.weight, 1 / space.size)


def test_inclusion_follows_the_weights(weights):
    # By priority sampling P(in the first n) = E[min(1, w / tau)], of each fault.
    space, n, seeds = weights(160), 40, 1500
    weight = all_weights(space)
    hits, expected = np.zeros(space.size), np.zeros(space.size)
    for seed in range(seeds):
        order = priority_order(space, SCORES, Mixture(), n=n, seed=seed)
        hits[order.numbers] += 1
        # With the fault itself left out tau is the n-th key of the others; next_key bounds it.
        expected[order.numbers] += 1 / np.minimum(1, order.weight / order.next_key)
    # Horvitz and Thompson: each fault counts 1 on average.
    assert np.abs(expected / seeds - 1).max() < 0.25
    assert abs(expected.sum() / seeds / space.size - 1) < 0.01
    likely = weight > weight.min() * 2
    assert hits[likely].mean() > 5 * hits[~likely].mean()


def test_scenarios_carry_weight_and_key(mixed):
    scores = FunctionScores(function=lambda site, index, bit: 1.0 + bit, name="bit")
    sampler = ImportanceSampler(n=200, scores=scores, seed=9)
    source = SampledScenarios(mixed, sampler)
    order = sampler.order(mixed)
    listed = list(source)
    assert [scenario.number for scenario in listed] == list(range(200))
    assert [scenario.weight for scenario in listed] == order.weight.tolist()
    assert [scenario.key for scenario in listed] == order.key.tolist()
    assert [mixed.fault_number(s.groups) for s in listed] == order.numbers.tolist()
    assert source.scenario(7) == listed[7]
    assert source.population is None
    assert list(source.scenarios([5, 2])) == [listed[5], listed[2]]
    recipe = sampler.recipe()
    assert recipe["scores_sha256"] == scores.digest
    with pytest.raises(ConfigError, match="needs its scores"):
        from_recipe(recipe)


def test_arrays_by_element_and_by_bit_score_what_faults_touch(mixed):
    site = mixed.sites[0]
    by_name = {one.name: one for one in mixed.sites}
    rng = np.random.default_rng(0)
    by_bit, by_element = rng.random((50, 8)), rng.random(50)
    flips = FaultSpace([site], [BitFlip()])
    pairs = FaultSpace([site], [BitFlip(count=2)])
    rows = FaultSpace([site], [Burst(4, along="elements")])
    for space in (flips, pairs, rows):
        (part,) = space.stretches(0, space.size)
        for values in (by_bit, by_element):
            scores = ArrayScores.read({site.name: values}, by_name)
            found = scores.of(site, part.columns, space.size)
            wanted = np.zeros(space.size)
            touched = (~part.columns.and_mask | part.columns.xor_mask) & np.uint64(0xFF)
            for row, owner in enumerate(part.columns.owner.tolist()):
                for bit in range(8):
                    if int(touched[row]) >> bit & 1:
                        index = int(part.columns.index[row])
                        value = values[index, bit] if values.ndim == 2 else values[index]
                        wanted[owner] = max(wanted[owner], value)
            assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"nope": np.ones(3)}, "name site 'nope'"),
        ({"conv.weight": np.ones(7)}, "have 7 numbers.*expected 50 .*or 400"),
        ({"conv.weight": np.full(50, -1.0)}, "not all finite numbers"),
        ({"conv.weight": np.full(50, np.nan)}, "not all finite numbers"),
        ({"conv.weight": np.array(["a"] * 50)}, "of type"),
    ],
)
def test_scores_that_are_none(mixed, arrays, message):
    with pytest.raises(ConfigError, match=message):
        ArrayScores.read(arrays, {site.name: site for site in mixed.sites})


def test_what_can_not_be_drawn(mixed, weights, random_model):
    some = ArrayScores.read({"conv.weight": np.ones(50)}, {s.name: s for s in mixed.sites})
    with pytest.raises(ConfigError, match="no scores for site"):
        priority_order(mixed, some, Mixture(), n=3, seed=0)
    with pytest.raises(ConfigError, match="is random"):
        priority_order(weights(80, random_model), SCORES, Mixture(), n=3, seed=0)
    for bad in ({"uniform_share": 0.0}, {"uniform_share": 1.5}, {"power": -1.0}):
        with pytest.raises(ConfigError, match="expected"):
            ImportanceSampler(n=3, scores=SCORES, **bad)
    with pytest.raises(ConfigError, match="more than the 80 faults"):
        ImportanceSampler(n=81, scores=SCORES).order(weights(80))
    odd = FunctionScores(function=lambda site, index, bit: np.ones(3), name="odd")
    with pytest.raises(ConfigError, match=r"shape \[3\]"):
        priority_order(weights(80), odd, Mixture(), n=3, seed=0)
