from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import BitFlip, Columns, FaultSite, FaultSpace, SampleLayout, SiteKind


class AnyValue:
    """A random fault model: one number a site element, another value each time."""

    enumerable = False

    def spec(self) -> str:
        return "any"

    def variants(self, site: FaultSite) -> int:
        return site.layout.elements if site.layout else 0

    def columns(self, site, numbers, rng):
        words = rng.bit_generator.random_raw(len(numbers)) & np.uint64(0xFF)
        keep = np.zeros(len(numbers), np.uint64)
        return Columns(owner=np.arange(len(numbers)), index=numbers, and_mask=keep, xor_mask=words)

    def number(self, site, group):
        return None


def make_site(name: str, elements: int, kind: SiteKind, element: ElementType) -> FaultSite:
    axis = None if kind.stored else 0
    shape = (elements,) if axis is None else (1, elements)
    return FaultSite(
        name=name,
        kind=kind,
        element=element,
        node=f"{name}/node",
        op_type="Conv",
        layer=f"{name}/node",
        layout=SampleLayout(shape=shape, batch_axis=axis),
    )


@pytest.fixture(scope="session")
def weights() -> Callable[..., FaultSpace]:
    """A space of int8 weights with the given number of bits (a multiple of 8)."""

    def build(bits: int, model: object = None) -> FaultSpace:
        site = make_site("w", bits // 8, SiteKind.WEIGHT, ElementType.INT8)
        return FaultSpace([site], [model or BitFlip()])

    return build


@pytest.fixture(scope="session")
def mixed() -> FaultSpace:
    """Two stored and two computed tensors, interleaved."""
    return FaultSpace(
        [
            make_site("conv.weight", 50, SiteKind.WEIGHT, ElementType.INT8),
            make_site("conv.out", 20, SiteKind.ACTIVATION, ElementType.FLOAT),
            make_site("fc.weight", 30, SiteKind.WEIGHT, ElementType.FLOAT16),
            make_site("fc.out", 10, SiteKind.ACTIVATION, ElementType.INT8),
        ],
        [BitFlip()],
    )


@pytest.fixture(scope="session")
def random_model() -> AnyValue:
    return AnyValue()
