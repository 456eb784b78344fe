"""Numbers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.analysis import Interval
from onnxfi.report import (
    bytes_text,
    count_text,
    duration_text,
    interval_text,
    rate_text,
    share_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.04231, "0.0423"),
        (1.0, "1.0000"),
        (0.001, "0.0010"),
        (0.000123, "1.2e-04"),
        (float("nan"), "-"),
    ],
)
def test_rates_keep_two_digits_however_small(value: float, text: str) -> None:
    assert rate_text(value) == text


@given(st.floats(0, 1))
def test_a_rate_above_zero_never_reads_as_zero(value: float) -> None:
    assert (float(rate_text(value)) == 0) == (value == 0)


def test_intervals_show_value_and_ends() -> None:
    interval = Interval(value=0.5, low=0.25, high=0.75, confidence=0.95, n=8, method="wilson")
    assert interval_text(interval) == "0.5000 [0.2500, 0.7500]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (3 * 86400 + 4 * 3600, "3 d 04 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"),
        (0, 10, "0.0 %"),
        (10, 10, "100.0 %"),
        (99_999, 100_000, "99.9 %"),
        (1, 100_000, "0.1 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_shares_are_never_rounded_to_all_or_nothing(part: int, whole: int, text: str) -> None:
    assert share_text(part, whole) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 50, "3072.0 TiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_counts_have_thousands_apart() -> None:
    assert count_text(1234567) == "1,234,567"
