from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import select_bits
from onnxfi.faults.models import FIELDS


@pytest.mark.parametrize(
    ("given_bits", "expected"),
    [
        (None, range(32)),
        (30, [30]),
        (np.int64(3), [3]),
        ([1, 0, 1], [0, 1]),
        ("0-7,30", [*range(8), 30]),
        ("0..3", range(4)),
        ("sign", [31]),
        ("exponent", range(23, 31)),
        ("sign, 0-1", [0, 1, 31]),
        (["mantissa", 30], [*range(23), 30]),
        (np.array([2, 5]), [2, 5]),
    ],
)
def test_resolves_for_float(given_bits, expected, make_site):
    resolved = select_bits(given_bits).resolve(make_site())
    assert resolved.dtype == np.int64
    assert resolved.tolist() == list(expected)


def test_fields_follow_each_format(make_site):
    chosen = select_bits("sign,magnitude")
    assert chosen.resolve(make_site(element=ElementType.INT8)).tolist() == list(range(8))
    assert chosen.resolve(make_site(element=ElementType.UINT4)).tolist() == list(range(4))
    assert chosen.resolve(make_site(element=ElementType.FLOAT16)).tolist() == [15]
    assert select_bits("mantissa").resolve(make_site(element=ElementType.INT8)).tolist() == []


def test_bit_that_a_site_lacks_is_refused(make_site):
    site = make_site("conv1.weight", ElementType.INT4)
    with pytest.raises(FaultError) as caught:
        select_bits(7).resolve(site)
    assert str(caught.value) == (
        "bit 7 is out of range for site 'conv1.weight' (INT4, bits 0..3); use --bits 0..3"
    )


@given(
    st.sets(st.integers(0, 63), max_size=12),
    st.sets(st.sampled_from(FIELDS), max_size=3),
)
def test_spec_reads_back(numbers, fields):
    if not numbers and not fields:
        assert select_bits(None).spec() == ""
        return
    chosen = select_bits([*numbers, *fields])
    assert select_bits(chosen.spec()) == chosen
    assert chosen.numbers == tuple(sorted(numbers))
    assert set(chosen.fields) == fields


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (-1, "bit -1 does not exist"),
        ("-1", "bit -1 does not exist"),
        (64, "bit 64 does not exist"),
        ("0-64", "bit 64 does not exist"),
        ("7-0", "run backwards; write 0-7"),
        ("exponents", "did you mean 'exponent'"),
        ("x", "'x' is not a choice of bits"),
        ("", "'' is not a choice of bits"),
        ("1,,2", "'' is not a choice of bits"),
        ([], "no bits chosen"),
        (True, "True is not a bit number"),
        ([1.5], "1.5 is not a bit number"),
    ],
)
def test_what_is_no_choice_is_refused(bits, message):
    with pytest.raises(ConfigError, match=message):
        select_bits(bits)
