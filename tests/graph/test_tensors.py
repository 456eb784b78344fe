import ml_dtypes
import numpy as np
import onnx.helper
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from onnxfi.bits import ElementType, format_of, from_words, has_format, pack, to_words
from onnxfi.errors import FaultError, ModelError, UnsupportedModelError
from onnxfi.graph.proto import (
    count_elements,
    element_from_onnx,
    element_of_dtype,
    element_to_onnx,
    set_words,
    tensor_words,
)

WORDED = [element for element in ElementType if has_format(element)]


def no_file(tensor):
    raise AssertionError("no external data here")


def random_words(element, count, seed=0):
    form = format_of(element)
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << min(form.width, 63), count, dtype=np.uint64)
    if form.width == 64:
        words |= rng.integers(0, 2, count, dtype=np.uint64) << np.uint64(63)
    return words.astype(form.word)


@pytest.mark.parametrize("element", list(ElementType))
def test_element_types_have_onnx_numbers(element):
    assert element_from_onnx(element_to_onnx(element)) is element


def test_unknown_numbers_and_dtypes():
    assert element_from_onnx(TensorProto.UNDEFINED) is None
    assert element_from_onnx(987) is None
    assert element_of_dtype(np.dtype(">f4")) is ElementType.FLOAT
    assert element_of_dtype(np.dtype(ml_dtypes.bfloat16)) is ElementType.BFLOAT16
    with pytest.raises(ModelError, match="no ONNX element type"):
        element_of_dtype(np.dtype("M8[s]"))


@pytest.mark.parametrize("element", WORDED)
@pytest.mark.parametrize("count", [0, 1, 5, 8])
def test_words_survive_a_tensor(element, count):
    words = random_words(element, count)
    tensor = TensorProto(name="t", dims=[count], data_type=element_to_onnx(element))
    set_words(tensor, words)
    np.testing.assert_array_equal(tensor_words(tensor, no_file), words)
    assert tensor.raw_data == pack(words, element)
    if element is not ElementType.BOOL:
        theirs = numpy_helper.to_array(tensor)
        np.testing.assert_array_equal(to_words(theirs, element), words)


@pytest.mark.parametrize("element", WORDED)
def test_words_in_typed_fields(element):
    """The form that onnx.helper.make_tensor writes, and many exporters."""
    count = 7
    words = random_words(element, count)
    if element in (ElementType.FLOAT, ElementType.DOUBLE):
        words[np.isnan(from_words(words, element, (count,)))] = 0
    values = from_words(words, element, (count,))
    raw = numpy_helper.from_array(values, "t")
    plain = values.tolist() if values.dtype.kind in "biuf" else values
    typed = onnx.helper.make_tensor("t", raw.data_type, [count], plain)
    if typed.HasField("raw_data"):
        pytest.skip(f"onnx keeps {element.value} raw")
    expected = to_words(numpy_helper.to_array(typed), element)
    np.testing.assert_array_equal(tensor_words(typed, no_file), expected)
    if values.dtype.kind in "biuf":
        np.testing.assert_array_equal(expected, words)
    assert count_elements(typed, element) == count


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=90))
@example([0x7F800001] * 5000)
def test_float_fields_keep_every_bit(patterns):
    """Signalling NaNs would become quiet on the way through Python floats."""
    words = np.array(patterns, dtype="<u4")
    # The wire form of float_data: field 4, length-delimited.
    length = len(words) * 4
    varint = bytearray()
    while True:
        varint.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            break
    head = TensorProto(name="t", dims=[len(words)], data_type=TensorProto.FLOAT)
    wire = head.SerializeToString() + b"\x22" + bytes(varint) + words.tobytes()
    np.testing.assert_array_equal(tensor_words(TensorProto.FromString(wire), no_file), words)


def test_double_fields_keep_signalling_nans():
    words = np.array([0x7FF0000000000001, 0xFFF8000000000123], dtype="<u8")
    head = TensorProto(name="t", dims=[2], data_type=TensorProto.DOUBLE)
    wire = head.SerializeToString() + b"\x52\x10" + words.tobytes()
    np.testing.assert_array_equal(tensor_words(TensorProto.FromString(wire), no_file), words)


def test_wrong_words_are_refused():
    tensor = TensorProto(name="t", dims=[2], data_type=TensorProto.FLOAT)
    for words in (np.zeros(3, np.uint32), np.zeros(2, np.uint16)):
        with pytest.raises(ModelError, match="takes 2 words of uint32"):
            set_words(tensor, words)


def test_elements_without_words():
    text = onnx.helper.make_tensor("t", TensorProto.STRING, [1], ["a"])
    with pytest.raises(UnsupportedModelError, match="strings"):
        tensor_words(text, no_file)
    wide = onnx.helper.make_tensor("t", TensorProto.COMPLEX64, [1], [1 + 2j])
    with pytest.raises(FaultError, match="single words"):
        tensor_words(wide, no_file)
    with pytest.raises(UnsupportedModelError, match="number 987"):
        tensor_words(TensorProto(name="t", data_type=987), no_file)
