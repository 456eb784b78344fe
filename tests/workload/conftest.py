"""Specs of model inputs, without a model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onnxfi.bits import ElementType
from onnxfi.graph import TensorSpec

MakeSpec = Callable[..., TensorSpec]


@pytest.fixture
def spec() -> MakeSpec:
    """``spec("x", "batch", 3)``: a float32 input with these dimensions."""

    def make(
        name: str, *shape: int | str | None, element: ElementType = ElementType.FLOAT
    ) -> TensorSpec:
        return TensorSpec(name=name, element=element, shape=shape)

    return make
