"""What every sampler must keep to, whoever wrote it."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from onnxfi.analysis import DESIGNS
from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultListHeader, FaultSpace, read_fault_list, write_fault_list
from onnxfi.sampling import (
    SAMPLERS,
    SampledScenarios,
    Sampler,
    SingleFaultSampler,
    by_scores,
    check_sampler,
    from_recipe,
)
from onnxfi.testing._fault_models import site_of


class SamplerSuite:
    """Tests of samplers; derive a class from it, and pytest runs them over yours.

    ::

        class TestIndependent(SamplerSuite):
            def samplers(self, seed):
                return [IndependentSampler(n=5, seed=seed)]
    """

    def samplers(self, seed: int) -> Sequence[Sampler]:
        """The samplers to test, with each option; some scenarios each, from the seed."""
        raise NotImplementedError

    def space(self) -> FaultSpace:
        """What can be hit: by default bits of two stored and two computed tensors."""
        return _space(1)

    def other_space(self) -> FaultSpace:
        """Another space, of sites of the same kinds."""
        return _space(2)

    def test_says_what_it_is(self) -> None:
        """The class is a sampler, says its name, and has a design that is known."""
        for sampler in self.samplers(3):
            assert isinstance(sampler, Sampler), f"{sampler!r} lacks a part of a sampler"
            check_sampler(sampler)
            assert sampler.name, f"{sampler!r} has no name"
            assert sampler.design in DESIGNS, f"nobody knows the design of {sampler.name}"
            if _registered(sampler):
                cls = SAMPLERS.get(sampler.name)
                assert cls.help, f"{cls.__name__} says no help"
                assert not cls.help.endswith("."), f"the help of {cls.__name__} ends with a stop"

    def test_recipe_reads_back(self) -> None:
        """The recipe of a registered sampler, as JSON, makes an equal one."""
        for sampler in filter(_registered, self.samplers(3)):
            assert sampler.recipe()["kind"] == sampler.name
            assert _again(sampler) == sampler, f"{sampler.name}: another one from its recipe"

    def test_survives_pickling(self) -> None:
        """A sampler travels to worker processes; one of scores goes by its fault list."""
        space = self.space()
        for sampler in self.samplers(3):
            if not hasattr(sampler, "scores"):
                copy = pickle.loads(pickle.dumps(sampler))  # noqa: S301  # made a moment ago
                assert _drawn(space, copy) == _drawn(space, sampler), sampler.name

    def test_the_seed_decides_all(self) -> None:
        """Two samplers of the same options and seed draw the same."""
        space = self.space()
        for one, other in zip(self.samplers(3), self.samplers(3), strict=True):
            assert _drawn(space, one) == _drawn(space, other), one.name

    def test_scenarios_do_not_depend_on_order(self) -> None:
        """Scenario k has number k, and is the same in any order and company."""
        for sampler, source in self._sources():
            ahead = list(source)
            assert len(ahead) == len(source) == sampler.size(self.space()), sampler.name
            assert [each.number for each in ahead] == list(range(len(source))), sampler.name
            fresh = SampledScenarios(self.space(), sampler)
            for k in reversed(range(min(len(source), 20))):
                assert fresh.scenario(k) == ahead[k], f"{sampler.name}: scenario {k}"
            numbers = [*reversed(range(len(source))), 0]
            assert list(source.scenarios(numbers)) == [ahead[k] for k in numbers], sampler.name

    def test_there_is_nothing_beyond_the_end(self) -> None:
        """Scenarios that do not exist are refused."""
        for _, source in self._sources():
            for k in (-1, len(source)):
                with pytest.raises(ConfigError, match=rf"no scenario {k}"):
                    source.scenario(k)
                with pytest.raises(ConfigError, match=rf"no scenario {k}"):
                    list(source.scenarios([0, k]))

    def test_fault_numbers_are_those_of_the_scenarios(self) -> None:
        """A sampler of single faults says which they are."""
        for sampler, source in self._sources():
            numbers = source.fault_numbers(0, len(source))
            if numbers is None:
                continue
            assert isinstance(sampler, SingleFaultSampler)
            assert len(numbers) == len(source), sampler.name
            for k in range(0, len(source), max(1, len(source) // 40)):
                found = self.space().fault_number(source.scenario(k).groups)
                assert found == numbers[k], f"{sampler.name}: scenario {k}"
            part = source.fault_numbers(1, min(3, len(source)))
            assert part is not None, sampler.name
            assert part.tolist() == numbers[1:3].tolist(), sampler.name

    def test_only_equal_chances_have_a_population(self) -> None:
        """What has a population is drawn from it without replacement, equally likely."""
        for sampler, source in self._sources():
            if source.population is not None:
                numbers = source.fault_numbers(0, len(source))
                assert sampler.design == "equal", sampler.name
                assert len(source) <= source.population, sampler.name
                assert numbers is None or len(np.unique(numbers)) == len(numbers), sampler.name

    def test_scenarios_pass_through_files(self) -> None:
        """A fault list says how its scenarios were drawn, and holds them."""
        for sampler, source in self._sources():
            sites = {site.name: site for site in self.space().sites}
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "faults.jsonl"
                write_fault_list(path, FaultListHeader(**source.header_fields()), source, sites)
                listed = read_fault_list(path, sites)
            assert listed.scenarios == tuple(source), f"{sampler.name}: others in the file"
            assert listed.header.sampler == json.loads(json.dumps(sampler.recipe()))

    def test_spaces_do_not_get_mixed_up(self) -> None:
        """A sampler that drew from one space draws from another as a new one does."""
        for sampler, fresh in zip(self.samplers(3), self.samplers(3), strict=True):
            here = SampledScenarios(self.space(), sampler).scenario(0)
            there = SampledScenarios(self.other_space(), sampler).scenario(0)
            assert SampledScenarios(self.other_space(), fresh).scenario(0) == there, sampler.name
            assert SampledScenarios(self.space(), sampler).scenario(0) == here, sampler.name

    def _sources(self) -> Iterator[tuple[Sampler, SampledScenarios]]:
        for sampler in self.samplers(3):
            yield sampler, SampledScenarios(self.space(), sampler)


def _space(times: int) -> FaultSpace:
    return FaultSpace(
        [
            site_of(ElementType.INT8, (50 * times,)),
            site_of(ElementType.FLOAT, (1, 20 * times), stored=False),
            site_of(ElementType.FLOAT16, (30 * times,)),
            site_of(ElementType.INT8, (1, 10 * times), stored=False),
        ],
        [BitFlip()],
    )


def _registered(sampler: Sampler) -> bool:
    """Whether the sampler's class is the one that its name leads to."""
    return sampler.name in SAMPLERS and SAMPLERS.get(sampler.name) is type(sampler)


def _again(sampler: Sampler) -> Sampler:
    """The sampler from its recipe, the scores given again where it has some."""
    recipe = json.loads(json.dumps(sampler.recipe()))
    if not by_scores(sampler.name):
        return from_recipe(recipe)
    recipe.pop("scores_sha256")
    return from_recipe(recipe, scores=sampler.scores)  # type: ignore[attr-defined]


def _drawn(space: FaultSpace, sampler: Sampler) -> list[object]:
    return list(SampledScenarios(space, sampler))
