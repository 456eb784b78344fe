from __future__ import annotations

import pickle

import ml_dtypes
import numpy as np
import onnx.helper
import pytest

from onnxfi.bits import ElementType, format_of, from_words, has_format
from onnxfi.errors import FaultError


def test_every_type_but_strings_and_complex_has_a_format():
    without = {element for element in ElementType if not has_format(element)}
    assert without == {ElementType.STRING, ElementType.COMPLEX64, ElementType.COMPLEX128}


@pytest.mark.parametrize("kind", [ElementType.STRING, ElementType.COMPLEX64])
def test_types_without_a_word_are_refused(kind):
    with pytest.raises(FaultError, match=f"{kind.name} elements are not single words"):
        format_of(kind)


def test_value_dtype_is_the_one_of_onnx(element, onnx_type):
    assert format_of(element).value == onnx.helper.tensor_dtype_to_np_dtype(onnx_type(element))


def test_fields_partition_the_bits(element):
    form = format_of(element)
    assert sorted(bit for bits in form.fields.values() for bit in bits) == list(range(form.width))
    assert form.mask == 2**form.width - 1
    assert form.width <= form.word.itemsize * 8
    assert all(bit in form.bits(form.field_of(bit)) for bit in range(form.width))


def test_float_fields_agree_with_finfo(float_element):
    form = format_of(float_element)
    info = ml_dtypes.finfo(form.value)
    assert len(form.bits("exponent")) == info.nexp
    assert len(form.fields.get("mantissa", ())) == info.nmant


def test_exponents_are_where_the_value_doubles(float_element):
    form = format_of(float_element)
    low = form.bits("exponent").start
    middle = 1 << form.bits("exponent").stop - 1
    words = np.array([middle, middle + (1 << low)], dtype=form.word)
    one, two = from_words(words, float_element, (2,)).astype(np.float64)
    assert two == 2 * one


def test_sign_bit_negates(signed_element):
    form = format_of(signed_element)
    assert form.bits("sign") == range(form.width - 1, form.width)
    word = np.array([1 << form.width - 1 | 1], dtype=form.word)
    assert from_words(word, signed_element, (1,)).astype(np.float64)[0] < 0


def test_formats_without_a_sign_decode_no_negative_number(narrow_element):
    form = format_of(narrow_element)
    words = np.arange(2**form.width).astype(form.word)
    with np.errstate(all="ignore"):
        values = from_words(words, narrow_element, words.shape).astype(np.float64)
    assert (values < 0).any() == form.signed == ("sign" in form.fields)


def test_there_is_one_format_for_each_type(element):
    form = format_of(element)
    assert pickle.loads(pickle.dumps(form)) is form  # noqa: S301
    assert {form: 1}[format_of(element)] == 1


def test_unknown_bits_and_fields_are_refused():
    form = format_of(ElementType.INT4)
    with pytest.raises(FaultError, match=r"bit 4 is out of range for INT4 \(bits 0\.\.3\)"):
        form.field_of(4)
    with pytest.raises(FaultError, match="INT4 has no field 'mantissa'; it has: magnitude, sign"):
        form.bits("mantissa")
