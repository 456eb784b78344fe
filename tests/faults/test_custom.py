from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import BitFlip, CustomFault, Fault, FaultSpace


def neighbours(site, rng):
    place = int(rng.integers(site.layout.elements - 1))
    for index in (place, place + 1):
        yield Fault(site=site.name, index=index, and_mask=~0, xor_mask=1 << 30)


def single(site, rng):
    return Fault(site=site.name, index=1, and_mask=0, xor_mask=7, sample=2)


def test_one_event_a_number(make_site):
    model = CustomFault(neighbours)
    columns = model.columns(make_site(), np.array([9, 9, 9]), np.random.default_rng(0))
    assert columns.owner.tolist() == [0, 0, 1, 1, 2, 2]
    assert (columns.index[1::2] - columns.index[::2]).tolist() == [1, 1, 1]
    assert columns.and_mask.tolist() == [2**32 - 1] * 6
    assert columns.sample is None


def test_a_single_fault_may_name_a_sample(make_site):
    columns = CustomFault(single).columns(make_site(), np.array([0]), np.random.default_rng(0))
    assert columns.sample.tolist() == [2]
    assert (columns.index.tolist(), columns.xor_mask.tolist()) == ([1], [7])


def test_no_faults_at_all(make_site):
    model = CustomFault(lambda site, rng: [])
    columns = model.columns(make_site(), np.array([0, 1]), np.random.default_rng(0))
    assert len(columns.index) == 0
    assert columns.index.dtype == np.int64


def test_sites_weigh_as_much_as_their_bits(make_site):
    model = CustomFault(neighbours)
    assert not model.enumerable
    assert model.variants(make_site(element=ElementType.INT8, shape=(3, 5))) == 120
    space = FaultSpace([make_site()], [model])
    groups = space.scenario_groups(np.array([3]), np.random.default_rng(1))
    assert len(groups[0]) == 2
    with pytest.raises(ConfigError, match="'custom:neighbours' is random"):
        space.scenario_groups(np.array([3]))
    with pytest.raises(FaultError, match="not one fault of this fault space"):
        space.fault_number(groups)


def test_has_no_numbers(make_site):
    space = FaultSpace([make_site()], [CustomFault(single)])
    (group,) = space.scenario_groups(np.array([0]), np.random.default_rng(0))
    assert CustomFault(single).number(make_site(), group) is None


def test_samples_survive_beside_other_models(make_site):
    site = make_site(kind="activation", batch_axis=0)
    space = FaultSpace([site], [BitFlip(), CustomFault(single)])
    numbers = np.array([space.size - 1, 5, space.size - 2])
    (group,) = space.scenario_groups(numbers, np.random.default_rng(0))
    assert group.sample.tolist() == [2, -1, 2]
    assert group.index.tolist() == [1, 0, 1]


def test_spec_names_the_function():
    assert CustomFault(neighbours).spec() == "custom:neighbours"
    assert CustomFault(neighbours, "pairs").spec() == "custom:pairs"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda site, rng: [3], "returned int, expected Fault"),
        (
            lambda site, rng: Fault(site="v", index=0, and_mask=0, xor_mask=0),
            "asked for a fault at site 'w', got one at 'v'",
        ),
        (
            lambda site, rng: Fault(site="w", index=24, and_mask=0, xor_mask=0),
            "element 24 is out of range for site 'w' \\(24 elements\\)",
        ),
        (
            lambda site, rng: Fault(site="w", index=0, and_mask=0, xor_mask=1 << 32),
            "bit 32 is out of range for site 'w'",
        ),
    ],
)
def test_wrong_faults_are_refused(made, message, make_site):
    with pytest.raises(FaultError, match=message):
        CustomFault(made).columns(make_site(), np.array([0]), np.random.default_rng(0))
