"""Statistics of values: what numpy says, however the elements are cut into parts."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.outcome import (
    PartialStatistics,
    statistics_document,
    statistics_from,
    value_statistics,
)

FIELDS = ("min", "max", "mean", "std", "sum", "zero_share")


def _numpy(values):
    wide = np.asarray(values, np.float64).ravel()
    finite = wide[np.isfinite(wide)]
    figures = {"elements": wide.size, "nonfinite": wide.size - finite.size}
    figures["zero_share"] = float((wide == 0).mean())
    if not finite.size:
        return figures | dict.fromkeys(("min", "max", "mean", "std", "sum"))
    return figures | {name: float(getattr(np, name)(finite)) for name in FIELDS[:-1]}


def _assert_as_numpy(found, values):
    for name, expected in _numpy(values).items():
        got = getattr(found, name)
        assert got == expected or got == pytest.approx(expected, rel=1e-12, abs=1e-12), name


@given(
    parts=st.lists(
        st.lists(st.floats(width=32, allow_nan=True, min_value=None), max_size=9),
        min_size=1,
        max_size=6,
    )
)
def test_parts_add_up_to_the_whole(parts):
    arrays = [np.array(part, np.float32) for part in parts]
    together = np.concatenate(arrays)
    found = sum(map(value_statistics, arrays), PartialStatistics()).whole()
    if not together.size:
        assert found.elements == 0
        assert found.mean is found.std is found.min is found.zero_share is None
        return
    wide = together.astype(np.float64)
    spread = np.abs(wide[np.isfinite(wide)]).max(initial=0)
    for name, expected in _numpy(together).items():
        got = getattr(found, name)
        close = expected is not None and got == pytest.approx(expected, rel=1e-9, abs=1e-9 * spread)
        assert got == expected or close, name


@pytest.mark.parametrize(
    "dtype",
    [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.int8, np.uint8, np.int64, np.bool_],
)
def test_every_type_of_number(dtype):
    values = np.random.default_rng(0).integers(0, 2, (5, 7, 3)).astype(dtype)
    _assert_as_numpy(value_statistics(values).whole(), values)


def test_more_elements_than_are_looked_at_together():
    values = np.random.default_rng(1).normal(3, 2, 700_001).astype(np.float32)
    _assert_as_numpy(value_statistics(values).whole(), values)


def test_infinite_and_nan_elements_are_counted_and_left_out():
    signalling = np.array([0x7F800001], np.uint32).view(np.float32)[0]
    values = np.array([1, np.nan, -np.inf, 0, -0.0, np.inf, signalling, 4], np.float32)
    found = value_statistics(values).whole()
    assert (found.elements, found.nonfinite) == (8, 4)
    assert (found.min, found.max, found.mean, found.sum) == (0, 4, 1.25, 5)
    assert found.zero_share == 2 / 8
    nothing = value_statistics(np.full(3, np.nan, np.float32)).whole()
    assert nothing.nonfinite == 3
    assert nothing.min is nothing.max is nothing.mean is nothing.std is nothing.sum is None


def test_what_float64_can_not_hold_is_no_figure():
    found = value_statistics(np.array([1.7e308, 1.7e308, 1.0])).whole()
    assert found.sum is found.mean is found.std is None
    assert found.max == 1.7e308


def test_changes_are_of_bits_and_of_the_sum():
    golden = np.array([[1, 2, 0], [np.nan, 5, np.inf]], np.float32)
    faulty = np.array([[1, 7, -0.0], [np.nan, np.nan, 2]], np.float32)
    found = value_statistics(faulty, golden).whole()
    assert found.changed_share == 4 / 6  # -0.0 is another word than 0.0, NaN of one payload is not
    assert found.sum_change == (7 - 2) + 0
    assert value_statistics(golden, golden).whole().changed_share == 0


def test_another_shape_is_all_changed():
    found = value_statistics(np.ones(5, np.float32), np.ones((2, 1), np.float32)).whole()
    assert (found.changed_share, found.sum_change) == (1, 3)


def test_spikes_are_counted_exactly():
    spikes = np.random.default_rng(2).integers(0, 2, (40, 1000)).astype(np.float32)
    parts = [value_statistics(part, np.zeros_like(part)) for part in np.array_split(spikes, 7)]
    found = sum(parts, PartialStatistics()).whole()
    assert found.sum == found.sum_change == int(spikes.sum())


def test_plain_dictionaries_and_back():
    found = {"x": value_statistics(np.array([1.0, np.inf])).whole()}
    document = statistics_document(found)
    assert statistics_from(document) == found
    assert all(v is None or math.isfinite(v) for v in document["x"].values())
