from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxfi.analysis import Observations, observe
from onnxfi.bits import ElementType
from onnxfi.faults import BitFlip, FaultModel, FaultSite, FaultSpace, SampleLayout, SiteKind
from onnxfi.outcome import InjectionRecord, OutcomeCounts


def make_site(
    name: str, elements: int, element: ElementType, layer: str, op_type: str = "Conv"
) -> FaultSite:
    return FaultSite(
        name=name,
        kind=SiteKind.BIAS if name.endswith("bias") else SiteKind.WEIGHT,
        element=element,
        node=layer,
        op_type=op_type,
        layer=layer,
        layout=SampleLayout(shape=(elements,), batch_axis=None),
    )


@pytest.fixture(scope="session")
def floats() -> list[FaultSite]:
    """Three float sites in two layers, 100 elements of 32 bits in all."""
    return [
        make_site("conv.weight", 50, ElementType.FLOAT, "conv"),
        make_site("conv.bias", 10, ElementType.FLOAT, "conv"),
        make_site("fc.weight", 40, ElementType.FLOAT, "fc", "Gemm"),
    ]


@pytest.fixture(scope="session")
def quantized() -> list[FaultSite]:
    """int8 weights beside an int32 bias."""
    return [
        make_site("conv.weight", 50, ElementType.INT8, "conv"),
        make_site("conv.bias", 5, ElementType.INT32, "conv"),
        make_site("fc.weight", 30, ElementType.INT8, "fc", "Gemm"),
    ]


@pytest.fixture(scope="session")
def space_of() -> Callable[..., FaultSpace]:
    def build(sites: Sequence[FaultSite], *models: FaultModel) -> FaultSpace:
        return FaultSpace(sites, models or [BitFlip()])

    return build


@pytest.fixture(scope="session")
def observed() -> Callable[..., Observations]:
    """Observations of scenarios of 10 samples, from the number of critical and of due samples."""

    def build(critical: NDArray[np.int64], due: NDArray[np.int64] | None = None) -> Observations:
        due = np.zeros(len(critical), np.int64) if due is None else due
        records = [
            InjectionRecord(
                scenario=k,
                counts=OutcomeCounts(
                    samples=10, masked=10 - int(c) - int(d), critical=int(c), due_nonfinite=int(d)
                ),
                run_s=0.0,
                worker="w",
                finished_at="2024-01-01T00:00:00Z",
            )
            for k, (c, d) in enumerate(zip(critical, due, strict=True))
        ]
        return observe(records, golden_correct=None, drop=0.05)

    return build
