"""Ties: the steps of a tensor as one site of the fault space."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    BitFlip,
    Burst,
    FaultSpace,
    SetValue,
    SiteFilter,
    find_site,
    tie,
    untied,
)
from onnxfi.sampling import BitErrorRateSampler

STEPS = 4
MODELS = [SetValue(0), SetValue(1), BitFlip(bits="0-2"), Burst(along="row", effect="zero")]


@pytest.fixture(scope="module")
def sites(make_site):
    """A weight, two values of four steps each, one that begins late, and a repeated tensor."""
    made = [make_site("w", shape=(3,))]
    for step in range(STEPS):
        for name, shape in (("s", (1, 2, 3)), ("v", (1, 5))):
            series = f"{name}0"
            site = make_site(f"{name}{step}", shape=shape, kind="activation", batch_axis=0)
            made.append(_at(site, step, series))
    made.append(_at(make_site("late", shape=(1, 2), kind="activation", batch_axis=0), 3, "late"))
    made.append(
        make_site("r", shape=(1, 2), kind="activation", batch_axis=0, repeated=True, steps=6)
    )
    return made


def _at(site, step, series):
    return type(site)(
        **{name: getattr(site, name) for name in site.__slots__} | {"step": step, "series": series}
    )


@pytest.fixture(scope="module")
def tied(sites):
    return tie(sites)


def test_the_steps_of_a_tensor_become_one_site(sites, tied):
    assert [site.name for site in tied] == ["w", "s0@0-3", "v0@0-3", "late", "r"]
    assert list(untied(tied)) == sorted(sites, key=lambda site: "wsvlr".index(site.name[0]))
    assert tied[1].step is None
    assert tied[1].tensor == "s0"
    assert tied[1].layout == sites[1].layout
    assert tie(tied) == tied


def test_steps_can_be_chosen(sites):
    def names(**options):
        return [site.name for site in SiteFilter(over_steps=True, **options).select(sites)]

    assert names(steps=(1, 2)) == ["s0@1-2", "v0@1-2", "r@1-2"]
    assert names(steps=(0, 1, 3)) == ["s0@0-1,3", "v0@0-1,3", "late", "r@0-1,3"]
    assert names(steps=(2,)) == ["s2", "v2", "r@2"]
    assert names(include=("s*",)) == ["s0@0-3"]


def test_a_tie_is_found_by_its_name(sites):
    by_name = {site.name: site for site in sites}
    for steps in ((0, 1, 2, 3), (1, 2), (0, 3)):
        for site in SiteFilter(steps=steps, over_steps=True).select(sites):
            assert find_site(site.name, by_name) == site
    for name in ("s0@0-4", "s1@0-3", "w@0-1", "r@4-6", "s0@1", "s0@", "s0@x", "late@2-3"):
        assert find_site(name, by_name) is None, name
    assert SiteFilter(include=("v0@1,3",)).select(sites)[0].name == "v0@1,3"


def test_number_and_fault_are_each_others_inverse(tied):
    space = FaultSpace(tied, MODELS)
    seen = set()
    for number in range(space.size):
        groups = space.scenario_groups(np.array([number]))
        assert space.fault_number(groups) == number
        assert space.fault_number(groups[::-1]) == number
        assert space.single_groups(np.array([number])) == [groups]
        seen.add(
            tuple((g.site, tuple(g.index), tuple(g.xor_mask), tuple(g.and_mask)) for g in groups)
        )
    assert len(seen) == space.size


@given(numbers=st.lists(st.integers(0, 10**6), max_size=12))
def test_the_same_elements_are_hit_in_all_steps(tied, numbers):
    space = FaultSpace(tied, MODELS)
    chosen = np.array(numbers, np.int64) % space.size
    groups = {group.site: group for group in space.scenario_groups(chosen)}
    for name in "sv":
        there = [groups.get(f"{name}{step}") for step in range(STEPS)]
        assert len({group is None for group in there}) == 1
        for group in there[1:] if there[0] else ():
            for column in ("index", "and_mask", "xor_mask"):
                assert np.array_equal(getattr(group, column), getattr(there[0], column))


def test_half_a_tie_is_no_fault_of_the_space(tied):
    space = FaultSpace(tied, [SetValue(0)])
    groups = next(g for g in space.single_groups(np.arange(space.size)) if len(g) > 1)
    with pytest.raises(FaultError, match="not one fault"):
        space.fault_number(groups[:-1])
    other = space.scenario_groups(space.fault_number(groups) + np.array([1]))
    with pytest.raises(FaultError, match="not one fault"):
        space.fault_number((*groups[:-1], other[-1]))


def test_sizes_count_a_tie_once(tied):
    space = FaultSpace(tied, [SetValue(0)])
    elements = [math.prod(site.layout.shape) for site in tied]
    assert space.size == sum(elements)
    assert space.bits == 32 * sum(elements)
    assert space.describe()["sites"] == [site.name for site in tied]


def test_bit_errors_of_each_sample_are_the_same_in_all_steps(tied):
    space = FaultSpace(tied, [BitFlip()])
    sampler = BitErrorRateSampler(ber=0.05, n=3, seed=1, per_sample=True, samples=5)
    groups = {group.site: group for group in sampler.scenario(space, 0).groups}
    assert groups["s0"].sample is not None
    for step in range(1, STEPS):
        assert np.array_equal(groups[f"s{step}"].index, groups["s0"].index)
        assert np.array_equal(groups[f"s{step}"].sample, groups["s0"].sample)


def test_a_tensor_is_in_one_site_only(sites, tied):
    with pytest.raises(ConfigError, match="same name"):
        FaultSpace([*tied, sites[1]], [BitFlip()])


def test_steps_of_different_shape_are_not_tied(make_site):
    two = [
        _at(make_site(f"a{step}", shape=(1, 2 + step), kind="activation"), step, "a0")
        for step in (0, 1)
    ]
    with pytest.raises(ConfigError, match="differ in type or shape"):
        tie(two)
    two = [
        _at(make_site(f"a{step}", element, kind="activation"), step, "a0")
        for step, element in enumerate((ElementType.FLOAT, ElementType.BOOL))
    ]
    with pytest.raises(ConfigError, match="differ in type or shape"):
        tie(two)


def test_a_scenario_of_a_tie_has_a_group_for_each_tensor(tied):
    space = FaultSpace(tied, [SetValue(1)])
    groups = next(g for g in space.single_groups(np.arange(space.size)) if len(g) > 1)
    assert [group.site for group in groups] == [f"s{step}" for step in range(STEPS)]
