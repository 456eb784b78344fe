from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import FaultGroup, SetValue


def test_value_is_stored_in_each_format(make_site):
    rng = np.random.default_rng(0)
    for element, word in [
        (ElementType.FLOAT, 0x3F800000),
        (ElementType.FLOAT16, 0x3C00),
        (ElementType.INT4, 1),
        (ElementType.BOOL, 1),
    ]:
        columns = SetValue(1).columns(make_site(element=element), np.array([5, 0]), rng)
        assert columns.index.tolist() == [5, 0]
        assert columns.and_mask.tolist() == [0, 0]
        assert columns.xor_mask.tolist() == [word, word]


def test_a_value_that_a_site_can_not_hold_is_refused(make_site):
    site = make_site(element=ElementType.INT8)
    with pytest.raises(FaultError, match=r"0\.5 can't be stored as INT8.*site 'w'.*'set:0\.5'"):
        SetValue(0.5).variants(site)


def test_random_words_are_uniform_and_follow_the_generator(make_site):
    site = make_site(element=ElementType.INT4, shape=(3,))
    model = SetValue("random")
    assert not model.enumerable
    assert model.variants(site) == 3
    numbers = np.arange(16_000) % 3
    columns = model.columns(site, numbers, np.random.default_rng(4))
    again = model.columns(site, numbers, np.random.default_rng(4))
    np.testing.assert_array_equal(columns.xor_mask, again.xor_mask)
    np.testing.assert_array_equal(columns.index, numbers)
    assert not columns.and_mask.any()
    counts = np.bincount(columns.xor_mask.astype(int), minlength=16)
    # Chi-square with 15 degrees of freedom: 37.7 is the 0.1 % point.
    assert len(counts) == 16
    assert ((counts - 1000) ** 2 / 1000).sum() < 37.7


def test_random_words_reach_all_64_bits(make_site):
    site = make_site(element=ElementType.UINT64, shape=(1,))
    words = SetValue("random").columns(site, np.zeros(200, np.int64), np.random.default_rng(0))
    assert np.bitwise_or.reduce(words.xor_mask) == 2**64 - 1


def test_number_of_a_random_word_is_its_element(make_site):
    site = make_site(shape=(5,))
    word = np.array([77], np.uint64)
    group = FaultGroup(site="w", index=np.array([3]), and_mask=word - word, xor_mask=word)
    assert SetValue("random").number(site, group) == 3
    kept = FaultGroup(site="w", index=np.array([3]), and_mask=word, xor_mask=word)
    assert SetValue("random").number(site, kept) is None


def test_numpy_numbers_become_plain():
    assert SetValue(np.float32(0.5)).spec() == "set:0.5"
    assert SetValue(np.int8(3)) == SetValue(3)


@pytest.mark.parametrize("value", ["zero", None, True, (1,)])
def test_other_values_are_refused(value):
    with pytest.raises(ConfigError, match="a number or 'random'"):
        SetValue(value)
