from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import (
    ElementType,
    Masks,
    apply_masks,
    compose,
    flip,
    format_of,
    from_words,
    merge,
    set_word,
    stuck_at_one,
    stuck_at_zero,
)

WORD = st.integers(0, 2**64 - 1)
COLUMN = st.lists(st.tuples(st.integers(0, 7), WORD, WORD), max_size=40)


def columns(rows):
    index = np.array([row[0] for row in rows], dtype=np.int64)
    and_mask = np.array([row[1] for row in rows], dtype=np.uint64)
    xor_mask = np.array([row[2] for row in rows], dtype=np.uint64)
    return index, and_mask, xor_mask


def do(word: int, masks: Masks) -> int:
    return (word & masks.and_mask) ^ masks.xor_mask


@given(WORD, st.integers(0, 63))
def test_models_touch_exactly_their_bit(word, bit):
    mask = 1 << bit
    assert do(word, flip(mask)) == word ^ mask
    assert do(do(word, flip(mask)), flip(mask)) == word
    assert do(word, stuck_at_zero(mask)) == word & ~mask
    assert do(word, stuck_at_one(mask)) == word | mask


@given(WORD, WORD, st.sampled_from([1, 4, 8, 32, 64]))
def test_masks_stay_inside_the_width(mask, word, width):
    full = 2**width - 1
    inside = mask & full
    for masks in (
        flip(inside, width),
        stuck_at_zero(inside, width),
        stuck_at_one(inside, width),
        set_word(mask, width),
    ):
        assert 0 <= masks.and_mask <= full
        assert 0 <= masks.xor_mask <= full
    assert do(word & full, set_word(mask, width)) == inside


@given(st.lists(WORD, min_size=1, max_size=5), st.sampled_from([flip, stuck_at_zero, stuck_at_one]))
def test_arrays_give_what_ints_give(masks, model):
    many = model(np.array(masks, dtype=np.uint64))
    assert many.and_mask.dtype == many.xor_mask.dtype == np.uint64
    for place, mask in enumerate(masks):
        one = model(mask)
        assert (int(many.and_mask[place]), int(many.xor_mask[place])) == one


@given(WORD, st.tuples(WORD, WORD), st.tuples(WORD, WORD))
def test_compose_does_one_after_the_other(word, first, second):
    assert do(word, compose(Masks(*first), Masks(*second))) == do(
        do(word, Masks(*first)), Masks(*second)
    )


@settings(max_examples=100)
@given(COLUMN)
def test_merge_equals_composing_in_list_order(rows):
    expected: dict[int, Masks] = {}
    for place, and_mask, xor_mask in rows:
        before = expected.get(place, Masks(2**64 - 1, 0))
        expected[place] = compose(before, Masks(and_mask, xor_mask))
    index, and_mask, xor_mask = merge(*columns(rows))
    assert index.tolist() == sorted(expected)
    assert and_mask.tolist() == [expected[place].and_mask for place in sorted(expected)]
    assert xor_mask.tolist() == [expected[place].xor_mask for place in sorted(expected)]


@settings(max_examples=60)
@given(COLUMN, st.sampled_from([ElementType.FLOAT, ElementType.DOUBLE, ElementType.INT8]))
def test_merged_faults_equal_the_oracle(rows, kind):
    form = format_of(kind)
    words = (np.arange(8, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(form.word)
    slow = apply_masks(words, *columns(rows))
    index, and_mask, xor_mask = merge(*columns(rows))
    fast = words.copy()
    fast[index] = (fast[index] & and_mask.astype(form.word)) ^ xor_mask.astype(form.word)
    np.testing.assert_array_equal(fast, slow)


def test_merge_leaves_its_arguments_alone():
    index, and_mask, xor_mask = columns([(1, 5, 6), (1, 7, 8), (0, 1, 2)])
    merge(index, and_mask, xor_mask)
    assert index.tolist() == [1, 1, 0]
    assert and_mask.tolist() == [5, 7, 1]
    assert xor_mask.tolist() == [6, 8, 2]


def test_merge_of_a_million_faults_on_one_element():
    count = 1_000_000
    full = np.full(count, 2**64 - 1, dtype=np.uint64)
    toggles = np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)
    index, and_mask, xor_mask = merge(np.zeros(count, np.int64), full, toggles)
    assert index.tolist() == [0]
    assert and_mask.tolist() == [2**64 - 1]
    assert xor_mask[0] == np.bitwise_xor.reduce(toggles)


def test_oracle_by_hand():
    one = np.array([0x3F800000, 0x3F800000], dtype=np.uint32)
    index, and_mask, xor_mask = columns([(1, 2**64 - 1, 1 << 30), (0, 2**64 - 1, 1 << 31)])
    faulty = apply_masks(one, index, and_mask, xor_mask)
    assert from_words(faulty, ElementType.FLOAT, (2,)).tolist() == [-1.0, np.inf]
    assert one.tolist() == [0x3F800000, 0x3F800000]


def test_oracle_refuses_columns_of_different_lengths():
    with pytest.raises(ValueError, match="shorter"):
        apply_masks(np.zeros(2, np.uint8), *columns([(0, 1, 1)])[:2], np.zeros(0, np.uint64))
