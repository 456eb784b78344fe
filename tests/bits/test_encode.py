from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, encode, format_of, from_words
from onnxfi.errors import ConfigError

NARROW = [
    ElementType.FLOAT16,
    ElementType.BFLOAT16,
    ElementType.FLOAT8E4M3FN,
    ElementType.FLOAT8E5M2FNUZ,
    ElementType.FLOAT4E2M1,
]


def decode(word: int, element: ElementType) -> float:
    words = np.array([word], dtype=format_of(element).word)
    with np.errstate(all="ignore"):
        return float(from_words(words, element, (1,)).astype(np.float64)[0])


def test_every_number_encodes_to_a_word_of_it(element):
    form = format_of(element)
    rng = np.random.default_rng(5)
    words = rng.integers(0, 2**64, 40, dtype=np.uint64) & np.uint64(form.mask)
    for value in from_words(words.astype(form.word), element, (40,)):
        number = float(value) if "exponent" in form.fields else int(value)
        if math.isfinite(number):
            assert from_words(np.array([encode(number, element)], form.word), element, (1,)) == (
                np.array([value])
            )


@pytest.mark.parametrize("kind", NARROW)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rounds_to_the_nearest_number_ties_to_even(kind, data):
    form = format_of(kind)
    sign = data.draw(st.sampled_from([0, 1 << form.width - 1]))
    word = sign | data.draw(st.integers(0, (form.mask >> 1) - 1))
    low, high = decode(word, kind), decode(word + 1, kind)
    if not (math.isfinite(low) and math.isfinite(high)):
        return
    share = data.draw(st.sampled_from([0.0, 0.25, 0.499999, 0.5, 0.500001, 0.75, 1.0]))
    value = low + (high - low) * share
    got = decode(encode(value, kind), kind)
    distances = [abs(Fraction(number) - Fraction(value)) for number in (low, high)]
    if distances[0] == distances[1]:
        assert encode(value, kind) == (word if word % 2 == 0 else word + 1)
    else:
        assert got == (low if distances[0] < distances[1] else high)


def test_rounds_once():
    # Through float32, as ml_dtypes does it, this would tie and give 1.0.
    assert decode(encode(1 + 2**-8 + 2**-40, ElementType.BFLOAT16), ElementType.BFLOAT16) > 1


def test_specials():
    assert encode(math.inf, ElementType.FLOAT) == 0x7F800000
    assert encode(-math.inf, ElementType.FLOAT8E5M2) == 0xFC
    assert encode(math.nan, ElementType.FLOAT16) == 0x7E00
    assert encode(math.nan, ElementType.FLOAT8E8M0) == 0xFF
    assert encode(math.nan, ElementType.FLOAT8E4M3FNUZ) == 0x80
    assert encode(-0.0, ElementType.DOUBLE) == 1 << 63
    assert encode(-0.0, ElementType.FLOAT4E2M1) == 8
    assert encode(-0.0, ElementType.FLOAT8E5M2FNUZ) == 0
    assert encode(-1, ElementType.INT4) == 15
    assert encode(2.0, ElementType.INT8) == 2
    assert encode(2**63, ElementType.UINT64) == 2**63
    assert encode(-(2**63), ElementType.INT64) == 2**63
    assert encode(True, ElementType.BOOL) == 1


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (0.5, ElementType.INT8, "0.5 can't be stored as INT8: not an integer"),
        (math.nan, ElementType.INT8, "not an integer"),
        (math.inf, ElementType.INT64, "not an integer"),
        (128, ElementType.INT8, r"128 can't be stored as INT8: out of range -128\.\.127"),
        (-1, ElementType.UINT4, r"out of range 0\.\.15"),
        (2, ElementType.BOOL, r"out of range 0\.\.1"),
        (1e39, ElementType.FLOAT, "out of range"),
        (10**400, ElementType.DOUBLE, "out of range"),
        (65520, ElementType.FLOAT16, "out of range"),
        (7.0, ElementType.FLOAT4E2M1, "out of range"),
        (-480, ElementType.FLOAT8E4M3FN, "out of range"),
        (math.inf, ElementType.FLOAT8E4M3FN, "not in this format"),
        (math.nan, ElementType.FLOAT4E2M1, "not in this format"),
        (0.0, ElementType.FLOAT8E8M0, "out of range"),
        (-1.0, ElementType.FLOAT8E8M0, "out of range"),
    ],
)
def test_numbers_a_format_lacks_are_refused(value, kind, why):
    with pytest.raises(ConfigError, match=why):
        encode(value, kind)
