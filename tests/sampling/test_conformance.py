"""What every sampler keeps to, each in all its forms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultListHeader, FaultSpace, Scenario, read_fault_list, write_fault_list
from onnxfi.sampling import (
    BitErrorRateSampler,
    ExhaustiveSampler,
    FunctionScores,
    ImportanceSampler,
    SampledScenarios,
    Sampler,
    SingleFaultSampler,
    StratifiedSampler,
    TopSampler,
    UniformSampler,
    by_scores,
    from_recipe,
)

SIZE = 1600  # faults of the space that all are tried on


def _by_bit(site, index, bit):
    return np.where(bit >= 6, 1.0 + index % 7, 0.0)  # many ties, many zeros


SCORES = FunctionScores(function=_by_bit, name="by bit")

#: Of each sampler its forms, as functions of a seed and, where there is one, of n.
MAKERS = {
    "uniform": lambda seed, n=5: UniformSampler(n=n, seed=seed),
    "uniform sets": lambda seed, n=4: UniformSampler(n=n, seed=seed, faults_per_scenario=7),
    "uniform by margin": lambda seed: UniformSampler(margin=0.2, confidence=0.9, seed=seed),
    "exhaustive": lambda seed: ExhaustiveSampler(seed=seed),
    "stratified": lambda seed, n=30: StratifiedSampler(n=n, seed=seed),
    "stratified by two": lambda seed, n=120: StratifiedSampler(
        n=n, by=["kind", "bit"], seed=seed, least=0
    ),
    "stratified by rates": lambda seed, n=40: StratifiedSampler(
        n=n, by=["kind"], seed=seed, rates={"weight": 0.2, "activation": 0.01}
    ),
    "importance": lambda seed, n=80: ImportanceSampler(n=n, scores=SCORES, seed=seed),
    "importance, sharp": lambda seed, n=80: ImportanceSampler(
        n=n, scores=SCORES, seed=seed, uniform_share=0.02, power=2.0
    ),
    "top": lambda seed, n=80: TopSampler(n=n, scores=SCORES, seed=seed),
    "ber": lambda seed, n=6: BitErrorRateSampler(ber=0.01, n=n, seed=seed),
    "ber per sample": lambda seed, n=6: BitErrorRateSampler(
        ber=0.01, n=n, seed=seed, per_sample=True, samples=5
    ),
}
#: Those whose shorter list is the beginning of a longer one. The parts of strata depend on n.
PREFIXED = ["uniform", "uniform sets", "importance", "importance, sharp", "top", "ber"]
#: Those that can list the whole space.
WHOLE = ["uniform", "stratified", "stratified by rates", "importance", "importance, sharp", "top"]


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.fixture
def sampler(make) -> Sampler:
    return make(3)


def _again(sampler: Sampler) -> Sampler:
    """The sampler from its recipe, the scores given again where it has some."""
    recipe = json.loads(json.dumps(sampler.recipe()))
    if not by_scores(recipe["kind"]):
        return from_recipe(recipe)
    with pytest.raises(ConfigError, match="needs its scores"):
        from_recipe(recipe)
    assert recipe.pop("scores_sha256") == SCORES.digest
    return from_recipe(recipe, scores=SCORES)


def _faults(space: FaultSpace, scenario: Scenario) -> int:
    return space.fault_number(scenario.groups)


class TestConformance:
    def test_is_a_sampler(self, sampler):
        assert isinstance(sampler, Sampler)
        with pytest.raises(AttributeError):
            sampler.seed = 4

    def test_recipe_survives_json(self, sampler, mixed):
        again = _again(sampler)
        assert again == sampler
        assert sampler.recipe()["kind"] == sampler.name
        assert list(SampledScenarios(mixed, again)) == list(SampledScenarios(mixed, sampler))

    def test_the_seed_alone_makes_the_difference(self, make, mixed):
        first, same, other = (list(SampledScenarios(mixed, make(seed))) for seed in (3, 3, 4))
        assert first == same
        assert [one.groups for one in first] != [one.groups for one in other]

    def test_scenarios_are_numbered_and_do_not_depend_on_order(self, sampler, mixed):
        source = SampledScenarios(mixed, sampler)
        ahead = list(source)
        assert len(ahead) == len(source) == sampler.size(mixed)
        assert [scenario.number for scenario in ahead] == list(range(len(source)))
        for k in reversed(range(min(len(source), 20))):
            assert source.scenario(k) == ahead[k]
        fresh = SampledScenarios(mixed, _again(sampler))
        assert fresh.scenario(len(source) - 1) == ahead[-1]

    def test_many_at_once_are_what_each_is_alone(self, sampler, mixed):
        source = SampledScenarios(mixed, sampler)
        numbers = [*reversed(range(len(source))), 0]
        together = list(source.scenarios(numbers))
        assert together == [source.scenario(k) for k in numbers]
        assert list(source.scenarios([])) == []
        for k in (-1, len(source)):
            with pytest.raises(ConfigError, match=rf"no scenario {k}"):
                list(source.scenarios([0, k]))

    def test_there_is_nothing_beyond_the_end(self, sampler, mixed):
        source = SampledScenarios(mixed, sampler)
        for k in (-1, len(source)):
            with pytest.raises(ConfigError, match=rf"no scenario {k}"):
                source.scenario(k)

    def test_fault_numbers_are_those_of_the_scenarios(self, sampler, mixed):
        source = SampledScenarios(mixed, sampler)
        numbers = source.fault_numbers(0, len(source))
        if numbers is None:
            assert source.scenario(0).size != 1 or sampler.name == "ber"
            return
        assert isinstance(sampler, SingleFaultSampler)
        assert len(numbers) == len(source)
        assert len(np.unique(numbers)) == len(numbers)
        for k in range(0, len(source), 37):
            assert _faults(mixed, source.scenario(k)) == numbers[k]
        assert np.array_equal(source.fault_numbers(2, 4), numbers[2:4])

    def test_only_equal_chances_have_a_population(self, sampler, mixed):
        single = sampler.recipe().get("faults_per_scenario", 1) == 1
        equal = sampler.name in ("uniform", "exhaustive") and single
        assert SampledScenarios(mixed, sampler).population == (SIZE if equal else None)

    def test_the_header_tells_how_they_were_drawn(self, sampler, mixed, tmp_path):
        source = SampledScenarios(mixed, sampler)
        fields = source.header_fields()
        assert fields["sampler"] == sampler.recipe()
        assert fields["space"] == mixed.describe()
        assert fields["seed"] == 3
        designs = {"importance": "priority", "stratified": "stratified", "top": "top"}
        assert fields.get("design") == designs.get(sampler.name)
        assert (fields.get("next_key") is not None) == (sampler.name == "importance")
        path = tmp_path / "faults.jsonl"
        sites = {site.name: site for site in mixed.sites}
        write_fault_list(path, FaultListHeader(**fields), source, sites)
        listed = read_fault_list(path, sites)
        assert listed.scenarios == tuple(source)
        assert listed.header.sampler == json.loads(json.dumps(sampler.recipe()))

    def test_spaces_do_not_get_mixed_up(self, sampler, mixed, weights):
        other = weights(SIZE * 2)
        if sampler.recipe().get("rates"):
            return  # made for the strata of one space
        there = SampledScenarios(other, _again(sampler)).scenario(1)
        here = SampledScenarios(mixed, sampler).scenario(1)
        assert SampledScenarios(other, sampler).scenario(1) == there
        assert SampledScenarios(mixed, sampler).scenario(1) == here


@pytest.mark.parametrize("name", PREFIXED)
def test_a_longer_list_begins_as_a_shorter_one(name, mixed):
    short, long = (list(SampledScenarios(mixed, MAKERS[name](3, n))) for n in (12, 97))
    assert long[:12] == short


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_order_is_a_census(name, mixed):
    assert mixed.size == SIZE
    numbers = SampledScenarios(mixed, MAKERS[name](3, SIZE)).fault_numbers(0, SIZE)
    assert np.array_equal(np.sort(numbers), np.arange(SIZE))
    with pytest.raises(ConfigError, match="more than the 1600 faults"):
        SampledScenarios(mixed, MAKERS[name](3, SIZE + 1))


@pytest.mark.parametrize("name", ["exhaustive", *WHOLE[1:], "ber"])
def test_random_models_have_no_list(name, weights, random_model):
    with pytest.raises(ConfigError, match="listed"):
        SampledScenarios(weights(8 * 200, random_model), MAKERS[name](3)).scenario(0)
