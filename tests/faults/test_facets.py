from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import FaultError
from onnxfi.faults import (
    BitFlip,
    Facets,
    Fault,
    FaultSpace,
    Scenario,
    SetValue,
    SiteKind,
    StuckAt,
    scenario_facets,
    scenario_of,
    single_bit,
    single_field,
)

KEEP = ~0


@pytest.fixture
def sites(make_site):
    found = [
        make_site("a", layer="one"),
        make_site("b", layer="one", op_type="Gemm"),
        make_site("q", ElementType.INT4, layer="two", kind="bias"),
    ]
    return {site.name: site for site in found}


def flips(*faults):
    return scenario_of(
        Fault(site=site, index=index, and_mask=KEEP, xor_mask=mask) for site, index, mask in faults
    )


def test_a_single_flip_has_every_facet(sites):
    assert scenario_facets(flips(("a", 3, 1 << 30)), sites) == Facets(
        site="a",
        layer="one",
        op_type="Conv",
        kind=SiteKind.WEIGHT,
        bit=30,
        field="exponent",
    )


def test_only_what_is_shared_stays(sites):
    assert scenario_facets(flips(("a", 0, 1), ("b", 0, 2)), sites) == Facets(
        layer="one", kind=SiteKind.WEIGHT, field="mantissa"
    )
    assert scenario_facets(flips(("a", 0, 1), ("q", 0, 1)), sites) == Facets(op_type="Conv")
    assert scenario_facets(flips(("a", 0, 3)), sites).bit is None
    assert scenario_facets(flips(("a", 0, 3)), sites).field == "mantissa"
    assert scenario_facets(flips(("a", 0, 1), ("a", 1, 1)), sites).bit is None
    assert scenario_facets(Scenario(number=0, groups=()), sites) == Facets()


def test_bit_is_the_one_addressed_whatever_it_holds(sites):
    for model in (BitFlip(2), StuckAt(0, 2), StuckAt(1, 2)):
        space = FaultSpace([sites["q"]], [model])
        (group,) = space.scenario_groups(np.array([4]))
        assert single_bit(group, ElementType.INT4) == 2
        assert single_field(group, ElementType.INT4) == "magnitude"
    (group,) = FaultSpace([sites["q"]], [SetValue(0)]).scenario_groups(np.array([4]))
    assert single_bit(group, ElementType.INT4) is None
    assert single_field(group, ElementType.INT4) is None


def test_highest_bit_of_64(make_site):
    site = make_site("d", ElementType.DOUBLE)
    (group,) = FaultSpace([site], [BitFlip(63)]).scenario_groups(np.array([0]))
    assert single_bit(group, ElementType.DOUBLE) == 63
    assert single_field(group, ElementType.DOUBLE) == "sign"


def test_a_fault_that_changes_nothing_has_no_bit(sites):
    (group,) = flips(("a", 0, 0)).groups
    assert single_bit(group, ElementType.FLOAT) is None
    assert single_field(group, ElementType.FLOAT) is None


def test_agrees_with_where_of_the_space(sites):
    space = FaultSpace(list(sites.values()), [BitFlip(), StuckAt(0, "sign"), BitFlip(count=2)])
    numbers = np.random.default_rng(0).integers(0, space.size, 200)
    found = space.where(numbers)
    for place, number in enumerate(numbers.tolist()):
        groups = space.scenario_groups(np.array([number]))
        facets = scenario_facets(Scenario(number=0, groups=groups), sites)
        assert facets.site == space.sites[found.site[place]].name
        assert (-1 if facets.bit is None else facets.bit) == found.bit[place]
        assert (facets.field or "") == found.field[place]


def test_unknown_sites_are_refused(sites):
    with pytest.raises(FaultError, match="there is no site 'zz'"):
        scenario_facets(flips(("zz", 0, 1)), sites)
