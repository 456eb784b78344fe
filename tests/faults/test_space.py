from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    BitFlip,
    Burst,
    FaultSpace,
    SetValue,
    StuckAt,
    scenario_of,
    site_bits,
)
from onnxfi.faults.models import Fault


@pytest.fixture
def space(make_site) -> FaultSpace:
    sites = [
        make_site("a", ElementType.FLOAT, (2, 3)),
        make_site("b", ElementType.INT8, (4,)),
        make_site("c", ElementType.FLOAT16, (1, 5), kind="activation", batch_axis=0),
    ]
    return FaultSpace(sites, [BitFlip(), Burst(2, along="elements", bits="mantissa"), SetValue(0)])


def test_size_counts_every_fault_once(space):
    flips = 6 * 32 + 4 * 8 + 5 * 16
    bursts = 5 * 23 + 0 + 4 * 10
    sets = 6 + 4 + 5
    assert space.size == flips + bursts + sets
    assert isinstance(space.size, int)
    assert space.bits == flips
    assert site_bits(space.sites[1]) == 32
    assert space.enumerable


@pytest.mark.parametrize(
    ("element", "width"),
    [
        (ElementType.BOOL, 1),
        (ElementType.UINT2, 2),
        (ElementType.INT4, 4),
        (ElementType.UINT4, 4),
        (ElementType.FLOAT8E4M3FN, 8),
        (ElementType.BFLOAT16, 16),
        (ElementType.INT64, 64),
    ],
)
def test_bits_are_those_of_the_type_however_much_room_its_elements_take(make_site, element, width):
    assert site_bits(make_site("a", element, (3, 5))) == 15 * width


def test_every_number_is_one_fault_and_back(space):
    seen = set()
    for number in range(space.size):
        groups = space.scenario_groups(np.array([number]))
        assert space.fault_number(groups) == number
        (group,) = groups
        seen.add((group.site, group.index.tobytes(), group.and_mask[0], group.xor_mask[0]))
    assert len(seen) == space.size


def test_order_is_models_then_sites_then_the_models_own(space):
    assert [tuple(segment) for segment in space.segments] == [
        (0, 0, 0),
        (192, 0, 1),
        (224, 0, 2),
        (304, 1, 0),
        (419, 1, 2),
        (459, 2, 0),
        (465, 2, 1),
        (469, 2, 2),
    ]
    (group,) = space.scenario_groups(np.array([192 + 9]))
    assert (group.site, group.index.tolist(), group.xor_mask.tolist()) == ("b", [1], [2])


@settings(max_examples=50, deadline=None)
@given(numbers=st.lists(st.integers(0, 473), max_size=30))
def test_a_scenario_holds_its_numbers_in_list_order(numbers, make_site):
    sites = [
        make_site("a", ElementType.FLOAT, (2, 3)),
        make_site("b", ElementType.INT8, (4,)),
        make_site("c", ElementType.FLOAT16, (1, 5), kind="activation", batch_axis=0),
    ]
    models = [BitFlip(), Burst(2, along="elements", bits="mantissa"), SetValue(0)]
    space = FaultSpace(sites, models)
    groups = space.scenario_groups(np.array(numbers, dtype=np.int64))
    expected: dict[str, list] = {}
    for number in numbers:
        (group,) = space.scenario_groups(np.array([number]))
        rows = zip(group.index, group.and_mask, group.xor_mask, strict=True)
        expected.setdefault(group.site, []).extend(rows)
    assert [group.site for group in groups] == sorted(expected)
    for group in groups:
        rows = list(zip(group.index, group.and_mask, group.xor_mask, strict=True))
        assert rows == expected[group.site]


def test_many_single_faults_at_once(space):
    numbers = np.random.default_rng(1).integers(0, space.size, 300)
    expected = [space.scenario_groups(numbers[k : k + 1]) for k in range(len(numbers))]
    assert space.single_groups(numbers) == expected
    homes = space.site_positions(numbers).tolist()
    assert [space.sites[home].name for home in homes] == [groups[0].site for groups in expected]
    with pytest.raises(FaultError, match="out of range"):
        space.single_groups(np.array([space.size]))


def test_where_tells_site_bit_and_field(space):
    found = space.where(np.arange(space.size))
    for number in range(0, space.size, 7):
        (group,) = space.scenario_groups(np.array([number]))
        assert space.sites[found.site[number]].name == group.site
    assert found.bit[:32].tolist() == list(range(32))
    assert found.field[[0, 23, 31, 192, 199]].tolist() == [
        "mantissa",
        "exponent",
        "sign",
        "magnitude",
        "sign",
    ]
    bursts = slice(304, 459)
    assert (found.bit[bursts] == -1).all()
    assert set(found.field[bursts].tolist()) == {"mantissa"}
    assert (found.bit[459:] == -1).all()
    assert set(found.field[459:].tolist()) == {""}
    assert found.model[[0, 303, 304, 473]].tolist() == [0, 0, 1, 2]


def test_where_of_random_models_is_the_site(make_site):
    space = FaultSpace([make_site("a"), make_site("b")], [SetValue("random")])
    found = space.where(np.array([0, 40]))
    assert not space.enumerable
    assert (found.site.tolist(), found.bit.tolist(), found.field.tolist()) == (
        [0, 1],
        [-1, -1],
        ["", ""],
    )


def test_random_models_draw_from_the_given_generator_only(make_site):
    space = FaultSpace([make_site("a"), make_site("b")], [SetValue("random"), BitFlip()])
    numbers = np.array([30, 3, 60, 1000])
    once = space.scenario_groups(numbers, np.random.default_rng(5))
    assert once == space.scenario_groups(numbers, np.random.default_rng(5))
    assert once != space.scenario_groups(numbers, np.random.default_rng(6))


def test_a_million_numbers(make_site):
    sites = [make_site(f"w{place}", shape=(64, 64, 3, 3)) for place in range(100)]
    space = FaultSpace(sites, [BitFlip(), StuckAt(1)])
    numbers = np.random.default_rng(0).integers(0, space.size, 1_000_000)
    groups = space.scenario_groups(numbers)
    space.where(numbers)
    assert sum(map(len, groups)) == 1_000_000


def test_huge_spaces_are_numbered_to_the_last_fault(make_site):
    site = make_site(element=ElementType.FLOAT, shape=(2**57,))
    space = FaultSpace([site], [BitFlip()])
    assert space.size == 2**62
    last = np.array([2**62 - 1])
    (group,) = space.scenario_groups(last)
    assert group.index.tolist() == [2**57 - 1]
    assert space.fault_number([group]) == 2**62 - 1
    with pytest.raises(FaultError, match=r"at most 2\^62"):
        FaultSpace([site], [BitFlip(), SetValue(0)])


def test_numbers_outside_are_refused(space):
    for number in (-1, space.size):
        with pytest.raises(FaultError, match=rf"fault number {number} is out of range.*0\.\.473"):
            space.scenario_groups(np.array([0, number]))
        with pytest.raises(FaultError, match="out of range"):
            space.where(np.array([number]))


def test_no_numbers_are_no_faults(space):
    assert space.scenario_groups(np.zeros(0, np.int64)) == ()
    assert len(space.where(np.zeros(0, np.int64)).site) == 0


def test_scenarios_that_are_not_one_fault_have_no_number(space):
    one = scenario_of([Fault(site="a", index=0, and_mask=~0, xor_mask=3)]).groups
    two = space.scenario_groups(np.array([0, 300]))
    foreign = scenario_of([Fault(site="z", index=0, and_mask=~0, xor_mask=1)]).groups
    for groups in (one, two, foreign, ()):
        with pytest.raises(FaultError, match="not one fault of this fault space"):
            space.fault_number(groups)


def test_describe_notices_other_sites(make_site):
    def describe(**options):
        return FaultSpace([make_site("a", **options)], [BitFlip("0-3")]).describe()

    assert describe() == {**describe(), "size": 96, "bits": 768, "targets": ["weight"]}
    assert describe()["fault_models"] == ["flip:bits=0-3"]
    hashes = {
        describe()["sites_sha256"],
        describe(shape=(2, 12))["sites_sha256"],
        describe(element=ElementType.INT32)["sites_sha256"],
    }
    assert len(hashes) == 3


def test_unusable_spaces_are_refused(make_site):
    with pytest.raises(ConfigError, match="at least one site"):
        FaultSpace([], [BitFlip()])
    with pytest.raises(ConfigError, match="at least one fault model"):
        FaultSpace([make_site()], [])
    with pytest.raises(ConfigError, match="the same name"):
        FaultSpace([make_site(), make_site()], [BitFlip()])
    with pytest.raises(FaultError, match=r"'flip:bits=mantissa' applies to none of the 1 .*INT8"):
        FaultSpace([make_site(element=ElementType.INT8)], [BitFlip("mantissa")])
    with pytest.raises(FaultError, match=r"use --bits 0\.\.7"):
        FaultSpace([make_site(), make_site("q", ElementType.INT8)], [BitFlip(30)])
    with pytest.raises(FaultError, match="give --inputs"):
        FaultSpace([make_site(shape=None, kind="activation")], [BitFlip()])


def test_survives_pickling(space):
    copy = pickle.loads(pickle.dumps(space))  # noqa: S301
    assert copy.describe() == space.describe()
    assert copy.scenario_groups(np.array([5])) == space.scenario_groups(np.array([5]))
