"""A sensitivity made by hand: two stored tensors and two computed ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import FaultSite, SampleLayout, SiteKind
from onnxfi.sensitivity import Cost, Sensitivity, SensitivityScores
from onnxfi.sensitivity.scores import (
    WHOLE,
    Axis,
    BitScores,
    ComputedScores,
    Gain,
    Response,
    StoredScores,
)
from onnxfi.settings import SensitivityOptions


def _site(name: str, kind: SiteKind, shape: tuple[int, ...], element: ElementType) -> FaultSite:
    layout = SampleLayout(shape=shape, batch_axis=None if kind.stored else 0)
    return FaultSite(
        name=name,
        kind=kind,
        element=element,
        node="layer",
        op_type="Gemm",
        layer="layer",
        layout=layout,
    )


@pytest.fixture
def sites() -> tuple[FaultSite, ...]:
    """Their sites."""
    return (
        _site("w", SiteKind.WEIGHT, (3, 4), ElementType.FLOAT),
        _site("b", SiteKind.BIAS, (3,), ElementType.INT8),
        _site("y", SiteKind.ACTIVATION, (1, 3), ElementType.FLOAT),
        _site("z", SiteKind.ACTIVATION, (1, 2), ElementType.INT8),
    )


def _response(rng: np.random.Generator) -> Response:
    lost = np.sort(rng.random((3, 2, 4)), axis=2)
    return Response(
        value="y",
        spread=1 / 3,
        doses=np.array([0.5, 1.0, 10.0, 1e6]),
        lost=lost,
        broken=np.array([1.0, 0.9, 0.1]),
    )


@pytest.fixture
def found() -> Sensitivity:
    """Two stored tensors that share a response, a computed one, and one known by its bits."""
    rng = np.random.default_rng(0)
    response = _response(rng)
    weight = Gain(
        out=Axis(stride=4, size=3),
        into=Axis(stride=1, size=4),
        unit=np.array([0.1]),
        up=rng.random(4),
        down=rng.random(4),
    )
    bias = Gain(
        out=Axis(stride=1, size=3), into=WHOLE, unit=np.ones(3), up=np.ones(1), down=np.zeros(1)
    )
    words = rng.normal(size=12).astype(np.float32).view(np.uint32)
    seen = rng.normal(size=(2, 3)).astype(np.float32).view(np.uint32)
    scores: dict[str, Any] = {
        "w": StoredScores(element=ElementType.FLOAT, words=words, gain=weight, response=response),
        "b": StoredScores(
            element=ElementType.INT8,
            words=np.array([1, 127, 255], np.uint8),
            gain=bias,
            response=response,
        ),
        "y": ComputedScores.of_words(
            element=ElementType.FLOAT,
            words=seen,
            axis=Axis(stride=1, size=3),
            response=_response(rng),
        ),
    }
    scores["z"] = BitScores(element=ElementType.INT8, by_bit=np.arange(8) / 9)
    return Sensitivity(
        scores=SensitivityScores.of_sites(scores, drop=0.07),
        options=SensitivityOptions(drop=0.07, samples=2),
        model_sha256="m" * 64,
        inputs_sha256="i" * 64,
        criterion="top1",
        cost=Cost(samples=123, runs=4),
        methods={"w": "probes", "b": "probes", "y": "rule", "z": "trials"},
        notes=("a note",),
    )
