"""Options and costs of measuring: ranges, sums."""

from __future__ import annotations

from typing import Any

import pytest

from onnxfi.errors import ConfigError
from onnxfi.sensitivity import Cost
from onnxfi.settings import SensitivityOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"tier": 2},
        {"tier": -1},
        {"drop": 0.0},
        {"drop": 1.5},
        {"samples": 0},
        {"max_channels": 0},
        {"max_element_channels": 0},
        {"kept_bytes": 0},
        {"seed": -1},
    ],
)
def test_what_nothing_can_be_measured_with_is_refused(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ConfigError, match=name):
        SensitivityOptions(**wrong)


def test_costs_add_up_and_count_as_injections_rounded_up() -> None:
    cost = Cost(samples=100, runs=10) + Cost(samples=1, runs=2)
    assert cost == Cost(samples=101, runs=12)
    assert cost.injections(50) == 3
    assert Cost().injections(50) == 0
