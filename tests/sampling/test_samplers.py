from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from onnxfi.bits import format_of
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultGroup, FaultSpace, Scenario, StuckAt
from onnxfi.sampling import (
    BitErrorRateSampler,
    ExhaustiveSampler,
    ListedScenarios,
    SampledScenarios,
    UniformSampler,
    fitted_recipe,
    from_recipe,
    sample_size,
)


def numbers_of(space: FaultSpace, scenario: Scenario) -> int:
    return space.fault_number(scenario.groups)


def test_many_at_once_of_a_random_model_and_of_more_than_are_drawn_together(weights, random_model):
    for sampler, space in (
        (UniformSampler(n=50, seed=4), weights(80, random_model)),
        (UniformSampler(n=2_100, seed=4), weights(2_400)),
    ):
        source = SampledScenarios(space, sampler)
        assert list(source.scenarios(range(len(source)))) == list(source)
    listed = ListedScenarios(list(source)[:5])
    assert list(listed.scenarios([3, 1])) == [source.scenario(3), source.scenario(1)]


@settings(max_examples=40, deadline=None)
@given(bits=st.integers(1, 400), seed=st.integers(0, 2**64 - 1))
def test_uniform_census_visits_every_fault_once(weights, bits, seed):
    space = weights(8 * bits)
    source = SampledScenarios(space, UniformSampler(n=space.size, seed=seed))
    numbers = source.fault_numbers(0, len(source))
    assert numbers is not None
    assert np.array_equal(np.sort(numbers), np.arange(space.size))
    assert source.population == space.size


def test_a_longer_sample_begins_as_a_shorter_one(weights):
    space = weights(80_000)
    short = SampledScenarios(space, UniformSampler(n=50, seed=1)).fault_numbers(0, 50)
    long = SampledScenarios(space, UniformSampler(n=5000, seed=1)).fault_numbers(0, 50)
    census = SampledScenarios(space, ExhaustiveSampler(seed=1)).fault_numbers(0, 50)
    assert np.array_equal(short, long)
    assert np.array_equal(short, census)


def test_every_bit_is_equally_likely_over_seeds(mixed):
    drawn = [numbers_of(mixed, UniformSampler(n=1, seed=s).scenario(mixed, 0)) for s in range(8000)]
    counts = np.bincount(np.array(drawn) * 40 // mixed.size, minlength=40)
    sizes = np.bincount(np.arange(mixed.size) * 40 // mixed.size, minlength=40)
    assert stats.chisquare(counts, sizes / mixed.size * 8000).pvalue > 1e-4


def test_more_than_exist_are_refused(weights):
    with pytest.raises(ConfigError, match="81 scenarios are more than the 80 faults"):
        UniformSampler(n=81).size(weights(80))
    with pytest.raises(ConfigError, match="81 faults per scenario"):
        UniformSampler(n=3, faults_per_scenario=81).size(weights(80))


def test_several_faults_are_distinct_and_uniform(weights):
    space = weights(80)
    sampler = UniformSampler(n=3000, seed=5, faults_per_scenario=3)
    assert sampler.fault_numbers(space, 0, 9) is None
    assert sampler.population(space) is None
    counts = np.zeros(80, np.int64)
    for k in range(3000):
        (group,) = sampler.scenario(space, k).groups
        numbers = bit_numbers(space, group)
        assert len(np.unique(numbers)) == 3
        counts[numbers] += 1
    # Without replacement within a scenario the counts vary a little less than chi-square says.
    assert stats.chisquare(counts).pvalue > 1e-4
    assert stats.chisquare(counts).pvalue < 1 - 1e-4


def test_a_set_of_many_faults(weights):
    space = weights(8_000_000)
    scenario = UniformSampler(n=1, faults_per_scenario=100_000).scenario(space, 0)
    assert scenario.size == 100_000
    assert len(np.unique(scenario.groups[0].index * 256 + scenario.groups[0].xor_mask)) == 100_000


def test_random_models_are_drawn_in_passes_with_fresh_values(weights, random_model):
    space = weights(80, random_model)  # ten elements
    source = SampledScenarios(space, UniformSampler(n=35, seed=2))
    numbers = source.fault_numbers(0, 35)
    assert numbers is not None
    assert source.population is None
    for turn in range(3):
        assert sorted(numbers[10 * turn : 10 * turn + 10]) == list(range(10))
    assert numbers[:10].tolist() != numbers[10:20].tolist()
    words = {int(source.scenario(k).groups[0].xor_mask[0]) for k in range(35)}
    assert len(words) > 20
    assert source.scenario(3) == source.scenario(3)


@pytest.mark.parametrize("sampler", [ExhaustiveSampler(), BitErrorRateSampler(ber=0.1, n=2)])
def test_random_models_have_no_list(weights, random_model, sampler):
    with pytest.raises(ConfigError, match="fault model any is random; use the uniform"):
        SampledScenarios(weights(80, random_model), sampler)


def bit_numbers(space: FaultSpace, group: FaultGroup) -> np.ndarray:
    """Fault numbers of the bit flips in a group, by hand."""
    position = [site.name for site in space.sites].index(group.site)
    site, start = space.sites[position], space.segments[position].start
    bit = np.log2(group.xor_mask.astype(float)).astype(int)
    return start + group.index * format_of(site.element).width + bit


def test_bit_error_rate_hits_each_bit_with_its_probability(mixed):
    scenarios, ber = 1500, 0.02
    sampler = BitErrorRateSampler(ber=ber, n=scenarios, seed=4)
    hits = np.zeros(mixed.size, np.int64)
    for k in range(scenarios):
        for group in sampler.scenario(mixed, k).groups:
            assert group.sample is None
            numbers = bit_numbers(mixed, group)
            assert len(np.unique(numbers)) == len(numbers)
            hits[numbers] += 1
    scaled = (hits - scenarios * ber) / np.sqrt(scenarios * ber * (1 - ber))
    assert 1e-4 < stats.chi2.sf(float((scaled**2).sum()), mixed.size) < 1 - 1e-4


def test_no_errors_is_a_scenario_without_faults(mixed):
    assert BitErrorRateSampler(ber=0, n=2).scenario(mixed, 1) == Scenario(number=1, groups=())
    everything = BitErrorRateSampler(ber=1, n=1).scenario(mixed, 0)
    assert everything.size == mixed.size


def test_per_sample_redraws_only_computed_tensors(mixed):
    sampler = BitErrorRateSampler(ber=0.05, n=200, seed=4, per_sample=True, samples=8)
    hits = {"conv.weight": 0, "conv.out": 0, "fc.weight": 0, "fc.out": 0}
    by_sample = np.zeros(8, np.int64)
    for k in range(200):
        scenario = sampler.scenario(mixed, k)
        assert [s for s in hits if s in scenario.sites] == list(scenario.sites)
        for group in scenario.groups:
            hits[group.site] += len(group)
            if group.site.endswith("weight"):
                assert group.sample is None
                continue
            assert group.sample is not None
            keys = group.sample * mixed.size + bit_numbers(mixed, group)
            assert len(np.unique(keys)) == len(keys)
            by_sample += np.bincount(group.sample, minlength=8)
    bits = {"conv.weight": 400, "conv.out": 640 * 8, "fc.weight": 480, "fc.out": 80 * 8}
    for name, found in hits.items():
        assert stats.binomtest(found, bits[name] * 200, 0.05).pvalue > 1e-4
    assert stats.chisquare(by_sample).pvalue > 1e-4


def test_per_sample_of_stored_tensors_is_the_plain_mask(weights):
    space = weights(8000)
    plain = BitErrorRateSampler(ber=0.01, n=3, seed=6)
    redrawn = BitErrorRateSampler(ber=0.01, n=3, seed=6, per_sample=True, samples=9)
    for k in range(3):
        assert plain.scenario(space, k) == redrawn.scenario(space, k)


def test_per_sample_with_two_models_on_one_site(mixed):
    space = FaultSpace([mixed.sites[3]], [BitFlip(), StuckAt(0)])
    sampler = BitErrorRateSampler(ber=1, n=1, per_sample=True, samples=2)
    (group,) = sampler.scenario(space, 0).groups
    assert len(group) == space.size * 2
    assert group.sample is not None
    assert np.bincount(group.sample).tolist() == [space.size, space.size]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: UniformSampler(), "either n or a margin"),
        (lambda: UniformSampler(n=3, margin=0.1), "either n or a margin"),
        (lambda: UniformSampler(n=0), "n must be a positive integer"),
        (lambda: UniformSampler(n=2, seed=-1), "seed"),
        (lambda: UniformSampler(n=2, faults_per_scenario=0), "faults per scenario"),
        (lambda: UniformSampler(margin=2), "margin must be above 0"),
        (lambda: BitErrorRateSampler(ber=1.1, n=2), "bit-error rate must be from 0 to 1"),
        (lambda: BitErrorRateSampler(ber=float("nan"), n=2), "bit-error rate"),
        (
            lambda: fitted_recipe({"kind": "ber", "per_sample": True, "samples": 5}, 8),
            "each of 5 samples, the workload has 8",
        ),
        (lambda: BitErrorRateSampler(ber=0.1, n=2, samples=0), "samples must be"),
        (lambda: from_recipe({"kind": "psychic"}), "unknown sampler 'psychic'; there are: uniform"),
        (lambda: from_recipe({}), "unknown sampler None"),
        (lambda: from_recipe({"kind": "uniform", "n": 3, "sed": 1}), "no field 'sed'"),
        (lambda: from_recipe({"kind": "ber", "n": 3}), "needs a value for ber"),
        (
            lambda: from_recipe({"kind": "ber", "n": 3, "ber": "x"}),
            "ber is 'x'; expected float",
        ),
        (lambda: from_recipe({"kind": "uniform", "n": "3"}), "n is '3'; expected int"),
    ],
)
def test_wrong_values_are_named(build, said):
    with pytest.raises(ConfigError, match=said):
        build()


def test_listed_scenarios_keep_their_numbers(mixed):
    scenarios = [UniformSampler(n=9, seed=1).scenario(mixed, k) for k in (7, 2)]
    source = ListedScenarios(scenarios)
    assert [scenario.number for scenario in source] == [7, 2]
    assert source.scenario(1) == scenarios[1]
    assert (len(source), source.population, source.fault_numbers(0, 2)) == (2, None, None)
    with pytest.raises(ConfigError, match="no scenario 2"):
        source.scenario(2)


@pytest.mark.parametrize(
    ("population", "margin", "confidence", "n"),
    [
        (None, 0.01, 0.95, 9604),
        (None, 0.05, 0.95, 385),
        (None, 0.01, 0.99, 16588),
        (1000, 0.05, 0.95, 278),
        (2_486_272, 0.01, 0.95, 9567),
        (1, 0.01, 0.95, 1),
        (10, 1e-9, 0.95, 10),
        (2**62, 0.01, 0.95, 9604),
    ],
)
def test_sample_size(population, margin, confidence, n):
    assert sample_size(population, margin, confidence) == n


def test_sample_size_of_a_planned_campaign(weights):
    assert UniformSampler(margin=0.05).size(weights(1000)) == 278
    assert UniformSampler(margin=0.05, faults_per_scenario=2).size(weights(1000)) == 385


def test_a_population_has_members():
    with pytest.raises(ConfigError, match="at least 1 scenario, got 0"):
        sample_size(0, 0.1)


def test_a_users_own_sampler_needs_a_few_things_only(mixed):
    class FirstBits:
        name = "first-bits"
        design = "equal"

        def size(self, space):
            return 3

        def scenario(self, space, k):
            return Scenario(number=k, groups=space.scenario_groups(np.array([k, k + 8])))

        def recipe(self):
            return {"kind": self.name}

    source = SampledScenarios(mixed, FirstBits())
    assert [scenario.size for scenario in source] == [2, 2, 2]
    assert (source.population, source.fault_numbers(0, 3)) == (None, None)


def test_samples_of_a_recipe_are_those_of_the_workload(mixed):
    open_ended = BitErrorRateSampler(ber=0.05, n=3, seed=2, per_sample=True)
    with pytest.raises(ConfigError, match="needs the number of samples"):
        open_ended.scenario(mixed, 0)
    fitted = from_recipe(fitted_recipe(open_ended.recipe(), 8))
    assert fitted == BitErrorRateSampler(ber=0.05, n=3, seed=2, per_sample=True, samples=8)
    plain = UniformSampler(n=3).recipe()
    assert fitted_recipe(plain, 8) == plain
