"""The conformance suite: what every fault model must keep to."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, apply_masks, format_of
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    BitFlip,
    Burst,
    FaultGroup,
    FaultModel,
    SetValue,
    StuckAt,
    parse_fault_model,
)

MODELS = [
    BitFlip(),
    BitFlip("0,3"),
    BitFlip("sign"),
    BitFlip(count=2),
    BitFlip("0-3", count=3),
    BitFlip("exponent", count=2),
    StuckAt(0),
    StuckAt(1, "magnitude,exponent"),
    SetValue(),
    SetValue(1),
    Burst(1),
    Burst(2, bits="0-3"),
    Burst(3, along="elements", bits="0-3"),
    Burst(4, along="elements", effect="zero"),
    Burst(2, along=0, effect="stuck0"),
    Burst(along=1),
    Burst(2, along=-1, bits=3),
    Burst(along="row", effect="stuck1"),
    Burst(along="channel", effect="zero"),
    Burst(along="channel"),
    Burst(along="tile", tile=(2, 2), effect="zero"),
    Burst(along="tile", tile=(1, 3), bits="0-1"),
]
TYPES = [ElementType.FLOAT, ElementType.BFLOAT16, ElementType.INT8, ElementType.UINT4]
SHAPES = [(), (5,), (2, 3), (2, 3, 4), (1, 2, 3, 3), (4, 1, 1)]


def group_of(site, columns, row=None):
    keep = slice(None) if row is None else columns.owner == row
    return FaultGroup(
        site=site.name,
        index=columns.index[keep],
        and_mask=columns.and_mask[keep],
        xor_mask=columns.xor_mask[keep],
    )


@pytest.fixture(params=MODELS, ids=lambda model: model.spec())
def model(request) -> FaultModel:
    return request.param


@pytest.fixture
def sites(make_site):
    stored = [make_site("w", kind, shape) for kind in TYPES for shape in SHAPES]
    computed = [
        make_site("x", kind, (1, *shape), kind="activation", batch_axis=0)
        for kind in (ElementType.FLOAT, ElementType.INT8)
        for shape in SHAPES
    ]
    return [*stored, *computed]


def test_is_a_fault_model(model):
    assert isinstance(model, FaultModel)
    assert model.enumerable


def test_spec_reads_back(model):
    assert parse_fault_model(model.spec()) == model
    assert parse_fault_model(model.spec()).spec() == model.spec()


def test_survives_pickling(model):
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301


def test_every_number_stands_for_its_own_fault(model, sites):
    rng = np.random.default_rng(0)
    applied = 0
    for site in sites:
        count = model.variants(site)
        if count == 0:
            continue
        applied += 1
        numbers = np.arange(min(count, 300), dtype=np.int64)
        columns = model.columns(site, numbers, rng)
        form = format_of(site.element)
        assert columns.index.dtype == columns.owner.dtype == np.int64
        assert columns.and_mask.dtype == columns.xor_mask.dtype == np.uint64
        assert (np.diff(columns.owner) >= 0).all()
        assert set(columns.owner.tolist()) == set(numbers.tolist())
        assert columns.index.min() >= 0
        assert columns.index.max() < site.layout.elements
        assert max(columns.and_mask.max(), columns.xor_mask.max()) <= form.mask
        seen = set()
        for number in numbers.tolist():
            group = group_of(site, columns, number)
            assert model.number(site, group) == number
            seen.add((*group.index.tolist(), int(group.and_mask[0]), int(group.xor_mask[0])))
        assert len(seen) == len(numbers)
    assert applied > 2
    assert rng.random() == np.random.default_rng(0).random(), "an enumerable model drew numbers"


def test_numbers_in_any_order_give_the_same_faults(model, sites):
    site = next(site for site in reversed(sites) if model.variants(site) > 1)
    count = model.variants(site)
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, count, 50)
    together = model.columns(site, numbers, rng)
    for place, number in enumerate(numbers.tolist()):
        alone = model.columns(site, np.array([number]), rng)
        assert group_of(site, together, place) == group_of(site, alone)


def test_foreign_faults_have_no_number(model, make_site):
    site = make_site(shape=(2, 3, 3))
    odd = np.array([0x12345678], dtype=np.uint64)
    lone = FaultGroup(site="w", index=np.array([2]), and_mask=odd, xor_mask=odd)
    assert model.number(site, lone) is None
    outside = model.columns(site, np.array([0]), np.random.default_rng(0))
    shifted = FaultGroup(
        site="w",
        index=outside.index + site.layout.elements,
        and_mask=outside.and_mask,
        xor_mask=outside.xor_mask,
    )
    assert model.number(site, shifted) is None
    empty = FaultGroup(
        site="w",
        index=np.zeros(0, np.int64),
        and_mask=np.zeros(0, np.uint64),
        xor_mask=np.zeros(0, np.uint64),
    )
    assert model.number(site, empty) is None


def test_unknown_shape_is_refused(model, make_site):
    site = make_site("y", shape=None, kind="activation")
    with pytest.raises(FaultError, match=r"shape of site 'y' .* only at run time; give --inputs"):
        model.variants(site)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_combinations_number_every_choice_of_bits(data, make_site):
    kind = data.draw(st.sampled_from([ElementType.DOUBLE, ElementType.FLOAT, ElementType.INT16]))
    size = data.draw(st.integers(1, 6))
    site = make_site(element=kind, shape=(7,))
    model = BitFlip(count=size)
    numbers = np.array(data.draw(st.lists(st.integers(0, model.variants(site) - 1), min_size=1)))
    columns = model.columns(site, numbers, np.random.default_rng(0))
    assert np.bitwise_count(columns.xor_mask).tolist() == [size] * len(numbers)
    for place, number in enumerate(numbers.tolist()):
        assert model.number(site, group_of(site, columns, place)) == number


def test_exhaustive_pairs_of_bits(make_site):
    site = make_site(element=ElementType.INT8, shape=(1,))
    model = BitFlip(count=2)
    assert model.variants(site) == 28
    columns = model.columns(site, np.arange(28), np.random.default_rng(0))
    assert columns.xor_mask.tolist() == [
        1 << low | 1 << high for high in range(8) for low in range(high)
    ]


def test_flip_numbering_is_element_then_bit(make_site):
    site = make_site(shape=(3,))
    columns = BitFlip("30,31").columns(site, np.arange(6), np.random.default_rng(0))
    assert columns.index.tolist() == [0, 0, 1, 1, 2, 2]
    assert columns.xor_mask.tolist() == [1 << 30, 1 << 31] * 3
    assert columns.and_mask.tolist() == [2**32 - 1] * 6


def test_effects_equal_the_oracle_by_hand(make_site):
    site = make_site(element=ElementType.INT8, shape=(2,))
    words = np.array([0b1010, 0b0101], dtype=np.uint8)
    rng = np.random.default_rng(0)

    def after(model, number):
        columns = model.columns(site, np.array([number]), rng)
        return apply_masks(words, columns.index, columns.and_mask, columns.xor_mask).tolist()

    assert after(BitFlip(1), 0) == [0b1000, 0b0101]
    assert after(StuckAt(0, 1), 0) == [0b1000, 0b0101]
    assert after(StuckAt(0, 1), 1) == [0b1010, 0b0101]
    assert after(StuckAt(1, 1), 1) == [0b1010, 0b0111]
    assert after(SetValue(-1), 1) == [0b1010, 0xFF]
    assert after(Burst(3), 1) == [0b0100, 0b0101]
    assert after(Burst(2, along="elements", bits=0), 0) == [0b1011, 0b0100]
    assert after(Burst(along="row", effect="zero"), 0) == [0, 0]


def test_models_apply_where_their_bits_are(make_site):
    assert BitFlip("mantissa").variants(make_site(element=ElementType.INT8)) == 0
    assert BitFlip(count=2).variants(make_site(element=ElementType.BOOL)) == 0
    assert BitFlip().variants(make_site(element=ElementType.BOOL)) == 24
    assert StuckAt(1, "sign").variants(make_site()) == 24
    with pytest.raises(FaultError, match=r"bit 30 is out of range for site 'w' \(INT8, bits 0\.\."):
        BitFlip(30).variants(make_site(element=ElementType.INT8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BitFlip(count=0), r"count of flipped bits is 0, expected 1\.\.64"),
        (lambda: BitFlip("0-2", count=4), "only 3 are chosen"),
        (lambda: BitFlip(-3), "bit -3 does not exist"),
        (lambda: StuckAt(2), "stuck at 0 or 1, not at 2"),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
