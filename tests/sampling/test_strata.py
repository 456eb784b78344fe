from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, Burst, FaultSpace, StuckAt
from onnxfi.sampling import SampledScenarios, StratifiedSampler, allot, strata, strata_of_sample

FACETS = ["site", "layer", "op_type", "kind", "bit", "field"]


@settings(max_examples=30, deadline=None)
@given(by=st.lists(st.sampled_from(FACETS), min_size=1, max_size=3, unique=True))
def test_every_fault_is_in_exactly_one_stratum_with_the_facets_of_its_key(mixed, by):
    space = FaultSpace(mixed.sites, [BitFlip(), StuckAt(1, bits="exponent")])
    found = strata(space, by)
    numbers = [stratum.numbers(np.arange(stratum.size)) for stratum in found]
    assert np.array_equal(np.sort(np.concatenate(numbers)), np.arange(space.size))
    assert len({stratum.key for stratum in found}) == len(found)
    for stratum, mine in zip(found, numbers, strict=True):
        located = space.where(mine)
        if "site" in by:
            assert len(set(located.site.tolist())) == 1
        if "field" in by:
            assert set(located.field.tolist()) <= set(stratum.key.split(", "))


def test_bits_of_types_are_told_apart(mixed):
    keys = [stratum.key for stratum in strata(mixed, ["bit"])]
    assert "int8:7" in keys
    assert "float:30" in keys or "float32:30" in keys


def test_what_strata_can_not_be_made_by(mixed):
    with pytest.raises(ConfigError, match="'colour'; choose from site"):
        strata(mixed, ["colour"])
    with pytest.raises(ConfigError, match="name what strata"):
        strata(mixed, [])
    space = FaultSpace(mixed.sites, [Burst(3, along="elements")])
    assert len(strata(space, ["site"])) == 4
    with pytest.raises(ConfigError, match="can't be divided by bit or field"):
        strata(space, ["bit"])


@pytest.mark.parametrize("n", [4, 5, 17, 100, 1600])
@pytest.mark.parametrize("rates", [None, 0.0, 0.3])
def test_allotting_gives_what_was_asked_for_and_never_more_than_there_is(mixed, n, rates):
    found = strata(mixed, ["site"])
    given_rates = None if rates is None else {s.key: rates for s in found}
    counts = allot(found, n, given_rates, 1)
    assert counts.sum() == n
    assert (counts >= 1).all()
    assert all(count <= stratum.size for count, stratum in zip(counts, found, strict=True))


def test_parts_follow_sizes_or_the_spread_of_what_is_expected(mixed):
    found = strata(mixed, ["site"])
    sizes = np.array([stratum.size for stratum in found])
    proportional = allot(found, 300, None, 0)
    assert np.abs(proportional - 300 * sizes / sizes.sum()).max() < 1
    rates = dict(zip((s.key for s in found), (0.5, 0.0, 0.1, 0.0), strict=True))
    neyman = allot(found, 300, rates, 0)
    wanted = sizes * np.sqrt([0.25, 0, 0.09, 0])
    assert np.abs(neyman - 300 * wanted / wanted.sum()).max() < 1


def test_prefixes_have_about_the_same_parts(mixed):
    sampler = StratifiedSampler(n=400, by=["site"], seed=5)
    numbers = SampledScenarios(mixed, sampler).fault_numbers(0, 400)
    home = mixed.site_positions(numbers)
    whole = np.bincount(home, minlength=4)
    for stop in (50, 100, 333):
        assert np.abs(np.bincount(home[:stop], minlength=4) - whole * stop / 400).max() <= 1


def test_small_strata_have_their_turn_in_the_middle_not_all_at_once():
    turns = strata_of_sample({"a": 1, "b": 3, "c": 1}, {"n": 5})
    assert turns.tolist() == [1, 0, 1, 2, 1]


def test_within_a_stratum_no_fault_comes_twice_and_all_are_equally_likely(mixed):
    drawn = []
    for seed in range(400):
        numbers = StratifiedSampler(n=76, by=["site"], seed=seed).fault_numbers(mixed, 0, 76)
        assert len(set(numbers.tolist())) == 76
        drawn.append(numbers)
    counts = np.bincount(np.concatenate(drawn), minlength=mixed.size)
    # 20 draws a fault on average, Poisson-like: no fault far from that.
    assert counts.min() > 3
    assert counts.max() < 48


def test_a_census_by_strata_is_a_census(mixed):
    numbers = StratifiedSampler(n=mixed.size, by=["bit"]).fault_numbers(mixed, 0, mixed.size)
    assert np.array_equal(np.sort(numbers), np.arange(mixed.size))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 3}, "4 strata with at least 1 scenarios each need n = 4"),
        ({"n": 10**6}, "more than the 1600 faults"),
        ({"n": 100, "rates": {"conv.weight": 2.0}}, "expected 0 to 1"),
        ({"n": 100, "rates": {"conv.weight": 0.1}}, "none for 'conv.out'"),
        ({"n": 100, "rates": {"x": 0.1}}, "no stratum 'x'"),
        ({"n": 100, "least": -1}, "from 0 up"),
        ({"n": 0}, "positive integer"),
    ],
)
def test_what_can_not_be_drawn(mixed, change, message):
    with pytest.raises(ConfigError, match=message):
        StratifiedSampler(**change).fault_numbers(mixed, 0, 1)
