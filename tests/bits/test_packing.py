from __future__ import annotations

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from onnxfi.bits import (
    ElementType,
    change_packed,
    format_of,
    from_words,
    in_bytes,
    out_of_bytes,
    pack,
    packed_bytes,
    packed_words,
    to_words,
    unpack,
)
from onnxfi.errors import ConfigError, ModelError

COUNTS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 33]


@pytest.mark.parametrize("count", COUNTS)
def test_pack_equals_onnx(element, count, random_words, onnx_type):
    words = random_words(element, count, count)
    tensor = onnx.TensorProto(
        data_type=onnx_type(element), dims=[count], raw_data=pack(words, element)
    )
    assert len(tensor.raw_data) == packed_bytes(element, count)
    read = onnx.numpy_helper.to_array(tensor)
    np.testing.assert_array_equal(to_words(read, element), words)


@pytest.mark.parametrize("count", COUNTS)
def test_unpack_equals_onnx(element, count, random_words):
    words = random_words(element, count, 100 + count)
    tensor = onnx.numpy_helper.from_array(from_words(words, element, (count,)))
    unpacked = unpack(tensor.raw_data, element, count)
    np.testing.assert_array_equal(unpacked, words)
    assert unpacked.dtype == words.dtype
    assert unpacked.flags.writeable


def test_first_element_is_in_the_low_bits():
    assert pack(np.array([1, 2, 3], np.uint8), ElementType.UINT4) == b"\x21\x03"
    assert pack(np.array([1, 2, 3, 0, 1], np.uint8), ElementType.UINT2) == b"\x39\x01"
    assert pack(np.array([0x1234], np.uint16), ElementType.FLOAT16) == b"\x34\x12"


def test_any_bool_byte_but_zero_is_true():
    assert unpack(b"\x00\x01\x02\xff", ElementType.BOOL, 4).tolist() == [0, 1, 1, 1]


def test_wrong_sizes_are_refused():
    with pytest.raises(ModelError, match="has 3 bytes, expected 2 for 3 INT4 elements"):
        unpack(b"abc", ElementType.INT4, 3)
    with pytest.raises(ConfigError, match="DOUBLE words need dtype uint64, got uint32"):
        pack(np.zeros(1, np.uint32), ElementType.DOUBLE)


@pytest.mark.parametrize("narrow", [ElementType.UINT2, ElementType.UINT4])
def test_elements_in_arrays_of_bytes(narrow, random_words):
    """Read, changed and put back one by one, they are those of the packed tensor."""
    shape = (3, 2, 8)
    words = random_words(narrow, 48, 7)
    held = in_bytes(words, narrow, shape)
    assert held.shape == (3, 2, 8 * format_of(narrow).width // 8)
    np.testing.assert_array_equal(out_of_bytes(held, narrow), words)
    index = np.array([0, 1, 2, 3, 21, 47])  # several in a byte
    np.testing.assert_array_equal(packed_words(held.reshape(-1), index, narrow), words[index])
    new = words.copy()
    new[index] ^= 1
    change_packed(held.reshape(-1), index, new[index], narrow)
    np.testing.assert_array_equal(out_of_bytes(held, narrow), new)
