"""The condensed tables of the evaluation of samplers."""

from __future__ import annotations

from typing import Any

import pytest
from evaluation.summary import summary


def row(task: str, method: str, precision: float, **more: Any) -> dict[str, Any]:
    gain = {"ratio": precision / 0.02, "ceiling": 50.0}
    return {
        "target": "net-weights",
        "drop": 0.05,
        "task": task,
        "method": method,
        "precision": {"value": precision},
        "gain": gain,
        **more,
    }


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    estimate = {
        "variance_reduction": 200.0,
        "variance_reduction_paid": 100.0,
        "coverage": 0.95,
        "bound_coverage": 0.99,
        "bias": 0.001,
    }
    found = [
        row("discovery", "sensitivity by rules", 0.8, probes=1.0),
        row("top", "sensitivity by rules", 0.9),
        row("discovery", "sensitivity by probes", 0.9, probes=100.0),
        row("top", "sensitivity by probes", 1.0),
        row("top", "top bit", 0.5),
        row("draws", "ISimDL GBIN", 0.0, expected=0.34, variance_reduction=1.5),
        row("draws", "ISimDL EBIN", 0.0, expected=0.2, variance_reduction=None),
        row("estimation", "sensitivity by rules", 0.0, **estimate),
        row("estimation", "sensitivity by probes", 0.0, **estimate),
    ]
    truth = {"target": "net-weights", "drop": 0.05, "task": "truth", "exact": True}
    truth["p0"] = {"value": 0.02}
    return [truth, *found]


def test_a_target_is_a_line_with_rivals_beside_our_scores(rows: list[dict[str, Any]]) -> None:
    found, rates, _ = (part.splitlines() for part in summary(rows).strip().split("\n\n"))
    assert found[2] == (
        "| net-weights | 2 % | 50× | 0.80 (40×) | 0.90 (45×) | 0.90 / 1.00 | 25× | 0.50 | - | 0.34"
        " | - |"
    )
    assert rates[2] == (
        "| net-weights | 200 | 200 | 100 | - | 1.5 | 0.950 | 0.950 | 0.990 | +0.1 % |"
    )


def test_where_nothing_fails_there_is_no_precision_but_a_bound(rows: list[dict[str, Any]]) -> None:
    rows[0] |= {"p0": {"value": 0.0}, "faults": 4096, "injected": 1000}
    for tier in ("rules", "probes"):
        rows.append(row("bound", f"sensitivity by {tier}", 0.0, bound=0.07, uniform_bound=0.0038))
    found, _, bounds = (part.splitlines() for part in summary(rows).strip().split("\n\n"))
    assert len(found) == 2
    assert bounds[2] == "| net-weights | 4,096 | 1,000 | 7 % | 7 % | 0.38 % |"


def test_more_found_than_a_sample_let_expect_has_no_ratio(rows: list[dict[str, Any]]) -> None:
    rows[0] |= {"exact": False, "p0": {"value": 0.01, "low": 0.004, "high": 0.02}}
    for row in rows[1:]:
        row["gain"] = {"ratio": 60.0, "ceiling": 50.0}
    found = summary(rows).splitlines()[2]
    assert found.startswith("| net-weights | 1 % (0.4–2) | - | 0.80 (-) | 0.90 (-) |")
