"""The bit weightings of ISimDL: shares that its code has been found to give, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.bitshares import Weighting, bit_shares

from onnxfi.bits import ElementType, to_words

VALUES = np.array([0.037, -1.0, 2.5, -3e-12, 6.1e9, 1.9999999], np.float32)


def shares(weighting, values=VALUES, element=ElementType.FLOAT):
    found = bit_shares(weighting, values, element)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    return found


def test_the_gradient_weighting_has_half_of_its_draws_on_the_top_exponent_bit():
    found = shares(Weighting.GRADIENT)
    for bit, share in ((30, 0.494), (29, 0.247), (28, 0.123), (31, 0.011)):
        np.testing.assert_allclose(found[:, bit], share, atol=0.0015)


def test_the_gradient_weighting_is_the_derivative_of_the_decoding_formula():
    words = to_words(VALUES, ElementType.FLOAT)
    bits = (words[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(np.float64)

    def decoded(bits):
        places = np.arange(32)
        exponent = (bits[:, 23:31] * 2.0 ** (places[23:31] - 23)).sum(axis=1) - 127
        mantissa = (bits[:, :23] * 2.0 ** (places[:23] - 23)).sum(axis=1)
        return (1 - 2 * bits[:, 31]) * 2.0**exponent * (1 + mantissa)

    np.testing.assert_allclose(decoded(bits), VALUES.astype(np.float64), rtol=1e-12)
    step = np.eye(32) * 1e-6
    slopes = np.stack([decoded(bits + h) - decoded(bits - h) for h in step], axis=1) / 2e-6
    expected = np.abs(slopes)
    found = shares(Weighting.GRADIENT)
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-3)


@pytest.mark.parametrize(
    ("weighting", "share"),
    [
        (Weighting.RANDOM, {0: 1 / 32, 31: 1 / 32}),
        (Weighting.LINEAR, {0: 1 / 528, 31: 32 / 528}),
        (Weighting.EXPONENTIAL, {31: 0.5, 30: 0.25, 0: 2.0**-32}),
    ],
)
def test_the_other_weightings_go_by_place_alone(weighting, share):
    found = shares(weighting)
    for bit, expected in share.items():
        np.testing.assert_allclose(found[:, bit], expected, rtol=1e-6)


def test_zeros_fall_back_to_powers_of_two():
    zeros = np.array([0.0, -0.0], np.float32)
    expected = shares(Weighting.EXPONENTIAL, zeros)
    np.testing.assert_array_equal(shares(Weighting.GRADIENT, zeros), expected)


def test_subnormal_numbers_have_shares():
    assert (shares(Weighting.GRADIENT, np.array([1e-40], np.float32)) > 0).all()


@pytest.mark.parametrize(
    ("element", "top"), [(ElementType.FLOAT16, 14), (ElementType.BFLOAT16, 14)]
)
def test_half_floats_have_the_top_exponent_bit_first(element, top):
    found = shares(Weighting.GRADIENT, np.array([0.3, -2.0]), element)
    assert found.shape == (2, 16)
    assert (found.argmax(axis=1) == top).all()
    np.testing.assert_allclose(found[:, top], 2 * found[:, top - 1])


def test_codes_have_no_exponent_and_go_by_place():
    codes = np.array([-7, 0, 100], np.int8)
    found = shares(Weighting.GRADIENT, codes, ElementType.INT8)
    np.testing.assert_array_equal(found, shares(Weighting.EXPONENTIAL, codes, ElementType.INT8))
