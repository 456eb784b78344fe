"""The marks of `tools/bench.py`: which row counts, and what is said of it."""

from __future__ import annotations

import pytest
from benchmark.injections import IN_A_BLOCK
from benchmark.load import QUIET, Others
from benchmark.marks import MARKS, judged, marks_table
from benchmark.rows import Row


def _row(task, model, engine, figures, case=""):
    return Row(task=task, model=model, engine=engine, case=case, figures=figures)


def _found(rows, task, model, case=""):
    kept = [
        mark for mark in MARKS if (mark.task, mark.model) == (task, model) and case in mark.cases
    ]
    number = MARKS.index(kept[0])
    return judged(rows)[number]


@pytest.mark.parametrize(
    ("measured", "reached"), [(0.12, "aim"), (0.2, "yes"), (0.27, "yes"), (0.271, "no")]
)
def test_a_ratio_is_reached_or_not(measured, reached):
    row = _row("t1", "resnet20", "cut", {"with_setup_ratio": (measured, 0.1, 0.3)})
    found = _found([row], "t1", "resnet20")
    assert found.reached == reached
    assert (found.low, found.high) == (0.1, 0.3)


def test_the_best_engine_counts_and_a_block_before_single_runs():
    rows = [
        _row("t1", "resnet20", "bake", {"with_setup_ratio": (1.2, 1.1, 1.3)}),
        _row("t1", "resnet20", "cut", {"with_setup_ratio": (0.2, 0.1, 0.3)}),
    ]
    found = _found(rows, "t1", "resnet20")
    assert (found.engine, found.measured, found.reached) == ("cut", 0.2, "yes")
    assert "set-up over 1,000" in found.extent
    rows.append(_row("t1", "resnet20", "cut", {"with_setup_ratio": 0.25}, IN_A_BLOCK))
    found = _found(rows, "t1", "resnet20")
    assert (found.measured, found.reached, found.low) == (0.25, "yes", None)
    assert "one block" in found.extent


@pytest.mark.parametrize(("speedup", "reached"), [(1.7, "no"), (1.8, "yes"), (1.96, "aim")])
def test_a_speed_up_has_to_be_large(speedup, reached):
    figures = {"speedup": speedup, "others_cores": 0.0}
    row = _row("t5", "resnet8_fp32", "auto", figures, "2 workers")
    assert _found([row], "t5", "resnet8_fp32", "2 workers").reached == reached


def test_other_work_makes_a_speed_up_worth_nothing():
    figures = {"speedup": 1.99, "others_cores": QUIET + 0.1}
    row = _row("t5", "resnet8_fp32", "auto", figures, "2 workers")
    assert "other work" in _found([row], "t5", "resnet8_fp32", "2 workers").reached


def test_memory_may_take_what_its_own_row_says():
    figures = {"peak_mib": 1500.0, "allowed_mib": 1832.0, "allowed_without_workload_mib": 1258.0}
    case = "weight faults"
    rows = [
        _row("t6", "efficientnet_lite0", "cut", figures, case),
        _row("t6", "efficientnet_lite0", "bake", {**figures, "peak_mib": 700.0}, case),
    ]
    found = _found(rows, "t6", "efficientnet_lite0", case)
    assert (found.engine, found.reached, found.must) == ("cut", "yes", 1832.0)


def test_what_was_not_measured_is_said_to_be():
    found = judged([])
    assert {each.reached for each in found} == {"not measured"}
    table = list(marks_table(found))
    assert len(table) == 2 + len(MARKS)
    assert len({line.count("|") for line in table}) == 1


def test_own_work_is_not_that_of_others():
    others = Others()
    sum(range(3_000_000))
    assert others.cores() >= 0.0
