"""Specs of model inputs, without a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from onnxfi.bits import ElementType
from onnxfi.graph import TensorSpec
from onnxfi.workload import Signature, Workload, open_source, sample_choice

MakeSpec = Callable[..., TensorSpec]
Read = Callable[..., Workload]


@pytest.fixture
def spec() -> MakeSpec:
    """``spec("x", "batch", 3)``: a float32 input with these dimensions."""

    def make(
        name: str, *shape: int | str | None, element: ElementType = ElementType.FLOAT
    ) -> TensorSpec:
        return TensorSpec(name=name, element=element, shape=shape)

    return make


@pytest.fixture(scope="session")
def read() -> Read:
    """The workload of the first reading that a source allows, untried."""

    def make(
        source: Any, inputs: Any, stream: Any = None, outputs: Any = (), **said: Any
    ) -> Workload:
        signature = Signature(inputs=inputs, outputs=outputs, stream=stream)
        opened = open_source(source, signature, sample_choice(**said))
        ways = opened.ways()
        first = (*ways.ways, ways.fallback)[0]
        assert first is not None
        return opened.workload(first)

    return make
