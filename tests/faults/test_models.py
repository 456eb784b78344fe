"""Our fault models, run through the conformance suite and checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import parser

from onnxfi.bits import ElementType, apply_masks
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    FAULT_MODELS,
    BitFlip,
    Burst,
    CustomFault,
    Fault,
    FaultGroup,
    FaultModel,
    GraphFault,
    SetValue,
    StuckAt,
)
from onnxfi.settings import CampaignSettings, settings_of
from onnxfi.testing import FaultModelSuite

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
DOUBLED = parser.parse_model(
    """<ir_version: 10, opset_import: ["" : 18]> g (float[n, k] x) => (float[n, k] y)
    <float two = {2.0}> { y = Mul(x, two) }"""
)


def one_flip(site, rng):
    element = int(rng.integers(site.layout.elements))
    return Fault(site=site.name, index=element, and_mask=~0, xor_mask=1)


def group_of(site, columns, row=None):
    keep = slice(None) if row is None else columns.owner == row
    return FaultGroup(
        site=site.name,
        index=columns.index[keep],
        and_mask=columns.and_mask[keep],
        xor_mask=columns.xor_mask[keep],
    )


class TestOurs(FaultModelSuite):
    def models(self):
        return [
            *MODELS,
            SetValue("random"),
            CustomFault(one_flip),
            GraphFault(DOUBLED),
            GraphFault(DOUBLED, whole=True),
        ]


@pytest.fixture(params=MODELS, ids=lambda model: model.spec())
def model(request) -> FaultModel:
    return request.param


def test_every_registered_model_is_tested():
    tested = {type(model) for model in TestOurs().models()}
    assert tested >= {FAULT_MODELS.get(name) for name in FAULT_MODELS.ours}


def test_foreign_masks_have_no_number(model, make_site):
    site = make_site(shape=(2, 3, 3))
    odd = np.array([0x12345678], dtype=np.uint64)
    lone = FaultGroup(site="w", index=np.array([2]), and_mask=odd, xor_mask=odd)
    assert model.number(site, lone) is None


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


def test_the_help_of_the_option_names_every_model():
    text = settings_of(CampaignSettings)["fault_models"].help
    for cls in dict.fromkeys(FAULT_MODELS.get(name) for name in FAULT_MODELS.ours):
        assert all(form in text for form in cls.forms if form != "burst:row"), cls.forms
