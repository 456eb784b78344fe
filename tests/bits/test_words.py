from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, format_of, from_words, to_words
from onnxfi.errors import ConfigError


def test_words_survive_decoding(element, random_words):
    words = random_words(element, 257, 3)
    values = from_words(words, element, (257, 1))
    assert values.dtype == format_of(element).value
    assert values.shape == (257, 1)
    np.testing.assert_array_equal(to_words(values, element), words)


def test_every_narrow_word_survives_decoding(narrow_element):
    form = format_of(narrow_element)
    words = np.arange(2**form.width).astype(form.word)
    values = from_words(words, narrow_element, words.shape)
    np.testing.assert_array_equal(to_words(values, narrow_element), words)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), max_size=8))
def test_float_words_are_their_views(numbers):
    values = np.array(numbers, dtype=np.float32)
    np.testing.assert_array_equal(to_words(values, ElementType.FLOAT), values.view(np.uint32))


def test_integers_and_bool_decode_to_their_numbers():
    word = np.array([0, 1, 7, 8, 15], dtype=np.uint8)
    assert from_words(word, ElementType.INT4, (5,)).astype(int).tolist() == [0, 1, 7, -8, -1]
    assert from_words(word, ElementType.UINT4, (5,)).astype(int).tolist() == [0, 1, 7, 8, 15]
    assert from_words(word[:4] & 3, ElementType.INT2, (4,)).astype(int).tolist() == [0, 1, -1, 0]
    assert from_words(word, ElementType.BOOL, (5,)).tolist() == [False, True, True, False, True]


def test_results_are_copies_in_c_order():
    values = np.arange(6, dtype=np.int16).reshape(2, 3).T
    words = to_words(values, ElementType.INT16)
    assert words.tolist() == [0, 3, 1, 4, 2, 5]
    words[0] = 9
    assert values[0, 0] == 0
    back = from_words(words, ElementType.INT16, (3, 2))
    back[0, 0] = 5
    assert words[0] == 9


def test_scalars_and_empty_tensors():
    assert to_words(np.array(True), ElementType.BOOL).tolist() == [1]
    assert from_words(np.array([3], np.uint8), ElementType.INT8, ()).shape == ()
    assert to_words(np.zeros((0, 4), np.float32), ElementType.FLOAT).shape == (0,)


def test_big_endian_values_are_read_right():
    assert to_words(np.array([1], dtype=">i4"), ElementType.INT32).tolist() == [1]


def test_wrong_dtypes_and_shapes_are_refused():
    with pytest.raises(ConfigError, match="FLOAT values need dtype float32, got float64"):
        to_words(np.zeros(2), ElementType.FLOAT)
    with pytest.raises(ConfigError, match="FLOAT values need dtype float32, got float64"):
        to_words(np.zeros(2, dtype=">f8"), ElementType.FLOAT)
    with pytest.raises(ConfigError, match="FLOAT words need dtype uint32, got uint8"):
        from_words(np.zeros(2, np.uint8), ElementType.FLOAT, (2,))
    with pytest.raises(ConfigError, match=r"2 words do not fill a tensor of shape \[3\]"):
        from_words(np.zeros(2, np.uint8), ElementType.INT8, (3,))
