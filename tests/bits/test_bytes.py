"""Masks of bytes do to memory what masks of elements do to words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType, apply_masks, byte_masks, format_of, pack

COUNT = 37  # odd: the last byte of a packed tensor has room left


def _faults(seed: int, faults: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random masks, with bits above the element's width; elements may occur several times."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, COUNT, faults)
    return index, *(rng.integers(0, 2**64, faults, dtype=np.uint64) for _ in range(2))


def _words(element: ElementType, seed: int) -> np.ndarray:
    form = format_of(element)
    raw = np.random.default_rng([1, seed]).integers(0, 2**64, COUNT, dtype=np.uint64)
    return (raw & np.uint64(form.mask)).astype(form.word)


def _memory(words: np.ndarray, element: ElementType) -> np.ndarray:
    return np.frombuffer(pack(words, element), np.uint8)


def _applied(memory: np.ndarray, masks: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    offset, keep, flip = masks
    changed = memory.copy()
    changed[offset] = (memory[offset] & keep) ^ flip
    return changed


@given(seed=st.integers(0, 2**32 - 1), faults=st.integers(0, 60))
def test_bytes_follow_the_oracle(element, seed, faults):
    words = _words(element, seed)
    columns = _faults(seed, faults)
    masks = byte_masks(*columns, element)
    expected = apply_masks(words, *columns) & format_of(element).word.type(format_of(element).mask)
    got = _applied(_memory(words, element), masks)
    np.testing.assert_array_equal(got, _memory(expected, element))


def test_offsets_ascend_and_occur_once(element):
    offset, keep, flip = byte_masks(*_faults(5, 300), element)
    assert (np.diff(offset) > 0).all()
    assert offset.dtype == np.int64
    assert keep.dtype == flip.dtype == np.uint8


def test_bytes_that_do_not_change_are_left_out():
    keep, flip = (np.array([mask], np.uint64) for mask in (2**64 - 1, 1 << 17))
    offset, kept, flipped = byte_masks(np.array([3]), keep, flip, ElementType.FLOAT)
    assert (offset.tolist(), kept.tolist(), flipped.tolist()) == ([14], [0xFF], [2])
    nothing = byte_masks(np.array([3]), keep, np.zeros(1, np.uint64), ElementType.FLOAT)
    assert not any(len(column) for column in nothing)


@pytest.mark.parametrize("place", [0, 1])
def test_the_neighbour_in_the_byte_keeps_its_bits(place):
    """Setting a 4-bit element replaces its half of the byte only."""
    masks = (np.zeros(1, np.uint64), np.array([0x5], np.uint64))
    offset, keep, flip = byte_masks(np.array([6 + place]), *masks, ElementType.INT4)
    assert offset.tolist() == [3]
    assert keep.tolist() == [0x0F if place else 0xF0]
    assert flip.tolist() == [0x50 if place else 0x05]
