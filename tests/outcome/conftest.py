from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout
from onnxfi.outcome import BoundCriterion, Outcome, classify_samples, parse_criterion


def row_layout(array: NDArray[Any], rows: int = 1, axis: int = 0) -> SampleLayout:
    shape = list(array.shape)
    shape[axis] = rows
    return SampleLayout(shape=tuple(shape), batch_axis=axis)


@pytest.fixture(scope="session")
def layout_of() -> Callable[..., SampleLayout]:
    return row_layout


@pytest.fixture(scope="session")
def judge() -> Callable[..., list[Outcome]]:
    """Outcomes of one output 'y' judged by a criterion's text."""

    def run(
        golden: NDArray[Any],
        faulty: NDArray[Any],
        criterion: str = "top1",
        labels: list[int] | None = None,
        layout: SampleLayout | None = None,
    ) -> list[Outcome]:
        bound = BoundCriterion(criterion=parse_criterion(criterion), output="y")
        codes = classify_samples(
            {"y": golden},
            {"y": faulty},
            {"y": layout or row_layout(golden)},
            bound,
            None if labels is None else np.array(labels),
        )
        assert codes.dtype == np.int8
        return [Outcome(int(code)) for code in codes]

    return run
