"""Element types and their onnx twins for the tests of the bits room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of, has_format

FORMATS = [element for element in ElementType if has_format(element)]


CHOICES = {
    "element": FORMATS,
    "float_element": [kind for kind in FORMATS if "exponent" in format_of(kind).fields],
    "signed_element": [kind for kind in FORMATS if format_of(kind).signed],
    "narrow_element": [kind for kind in FORMATS if format_of(kind).width <= 16],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, kinds in CHOICES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, kinds, ids=lambda item: item.name)


@pytest.fixture
def random_words() -> Callable[[ElementType, int, int], NDArray[np.unsignedinteger]]:
    """Uniformly random words, so NaN payloads, infinities and denormals all occur."""

    def make(element: ElementType, count: int, seed: int) -> NDArray[np.unsignedinteger]:
        form = format_of(element)
        raw = np.random.default_rng(seed).integers(0, 2**64, size=count, dtype=np.uint64)
        return (raw & np.uint64(form.mask)).astype(form.word)

    return make


@pytest.fixture
def onnx_type() -> Callable[[ElementType], int]:
    return lambda element: onnx.TensorProto.DataType.Value(element.name)
