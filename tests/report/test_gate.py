"""Conditions of --fail-if."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.analysis import Interval
from onnxfi.errors import ConfigError
from onnxfi.report import parse_condition

OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
RATES = {
    "failure": Interval(value=0.02, low=0.01, high=0.04, confidence=0.95, n=500, method="wilson")
}


@given(
    bound=st.sampled_from(["value", "low", "high"]),
    sign=st.sampled_from(sorted(OPERATORS)),
    number=st.floats(0, 1),
    space=st.sampled_from(["", " ", "  "]),
)
def test_a_condition_compares_as_it_reads(bound: str, sign: str, number: float, space: str) -> None:
    condition = parse_condition(f"{space}failure.{bound}{space}{sign}{space}{number!r}{space}")
    expected = OPERATORS[sign](getattr(RATES["failure"], bound), number)
    assert condition.holds(RATES) is expected


def test_without_a_suffix_the_upper_bound_is_meant() -> None:
    assert parse_condition("failure > 0.03").holds(RATES)
    assert not parse_condition("failure.value > 0.03").holds(RATES)


def test_percent_is_understood() -> None:
    assert parse_condition("failure.high >= 4%").holds(RATES)
    assert parse_condition("failure > 1%").number == pytest.approx(0.01)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "failure",
        "failure 0.1",
        "failure == 0.1",
        "failure > ",
        "failure > 1 or failure < 1",
        "failure > nan",
        "failure > inf",
        "failure > 1e999",
        "failure > 1.2.3",
        "failure.mean > 0.1",
        "__import__('os').system('true') > 0",
        "failure.value.low > 0.1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_condition(text)
    assert f"'{text}'" in str(caught.value)


def test_a_rate_that_was_not_measured_is_an_error_and_not_a_pass() -> None:
    with pytest.raises(ConfigError, match=r"accuracy.*there are: failure"):
        parse_condition("accuracy.low < 0.9").holds(RATES)
    with pytest.raises(ConfigError, match="none yet"):
        parse_condition("failure > 0").holds({})
