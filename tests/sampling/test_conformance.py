"""What samplers keep to, each in all its forms, and one of a user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.faults import Scenario
from onnxfi.sampling import (
    SAMPLERS,
    BitErrorRateSampler,
    ExhaustiveSampler,
    FunctionScores,
    ImportanceSampler,
    SampledScenarios,
    Sampler,
    StratifiedSampler,
    TopSampler,
    UniformSampler,
    by_scores,
    from_recipe,
)
from onnxfi.testing import SamplerSuite

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


class TestSamplers(SamplerSuite):
    def samplers(self, seed):
        return [make(seed) for make in MAKERS.values()]

    def test_all_of_ours_are_here(self):
        assert {sampler.name for sampler in self.samplers(0)} == set(SAMPLERS.ours)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvenlySpaced:
    """Faults at equal distances over the space."""

    name: ClassVar[str] = "evenly-spaced"
    help: ClassVar[str] = "faults at equal distances over the space"
    design: ClassVar[str] = "top"

    n: Annotated[int, Meta(description="Scenarios.", ge=1)] = 16

    def size(self, space):
        return self.n

    def scenario(self, space, k):
        if not 0 <= k < self.n:
            raise ConfigError(f"no scenario {k}")
        numbers = np.array([k * space.size // self.n])
        return Scenario(number=k, groups=space.scenario_groups(numbers, None))

    def recipe(self):
        return {"kind": self.name, "n": self.n}


class CountsOn(EvenlySpaced):
    """One whose scenarios depend on which were asked for before."""

    name: ClassVar[str] = "counts-on"
    asked: ClassVar[list[int]] = []

    def scenario(self, space, k):
        self.asked.append(k)
        numbers = np.array([(k + len(self.asked)) % space.size])
        return Scenario(number=k, groups=space.scenario_groups(numbers, None))


class TestUsersSamplers(SamplerSuite):
    def samplers(self, seed):
        SAMPLERS.register(EvenlySpaced)
        return [EvenlySpaced(), EvenlySpaced(n=7)]


def test_what_depends_on_the_order_is_found():
    class Wrong(SamplerSuite):
        def samplers(self, seed):
            return [CountsOn()]

    with pytest.raises(AssertionError, match="counts-on"):
        Wrong().test_scenarios_do_not_depend_on_order()


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.fixture
def sampler(make) -> Sampler:
    return make(3)


def test_samplers_can_not_be_changed(sampler):
    with pytest.raises(AttributeError):
        sampler.seed = 4


def test_the_seed_makes_a_difference(make, mixed):
    one, other = (list(SampledScenarios(mixed, make(seed))) for seed in (3, 4))
    assert [each.groups for each in one] != [each.groups for each in other]


def test_scores_are_given_again(sampler):
    if by_scores(sampler.name):
        assert sampler.recipe()["scores_sha256"] == SCORES.digest
        with pytest.raises(ConfigError, match="needs its scores"):
            from_recipe(sampler.recipe())


def test_single_faults_are_not_drawn_twice(sampler, mixed):
    source = SampledScenarios(mixed, sampler)
    numbers = source.fault_numbers(0, len(source))
    if numbers is None:
        assert source.scenario(0).size != 1 or sampler.name == "ber"
        return
    assert len(np.unique(numbers)) == len(numbers)
    single = sampler.recipe().get("faults_per_scenario", 1) == 1
    equal = sampler.name in ("uniform", "exhaustive") and single
    assert source.population == (SIZE if equal else None)


def test_the_header_tells_how_they_were_drawn(sampler, mixed):
    fields = SampledScenarios(mixed, sampler).header_fields()
    assert fields["sampler"] == sampler.recipe()
    assert fields["space"] == mixed.describe()
    assert fields["seed"] == 3
    designs = {"importance": "priority", "stratified": "stratified", "top": "top"}
    assert fields.get("design") == designs.get(sampler.name)
    assert (fields.get("next_key") is not None) == (sampler.name == "importance")


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
