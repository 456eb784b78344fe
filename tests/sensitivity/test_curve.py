"""Curves: few probes find what all of them would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.sensitivity.probes import Curve
from onnxfi.sensitivity.scores import DOSES

GRID = np.array(DOSES)


def apart(before, after):
    return after - before > 0.1


def measured(curve, response):
    """Probe until the curve is content; how many probes that took."""
    count = 0
    while amounts := list(curve.wanted()):
        for amount in amounts:
            curve.add(amount, response(amount))
            count += 1
    return count


def test_what_never_loses_takes_one_probe():
    curve = Curve(GRID, GRID, apart)
    assert measured(curve, lambda _: 0.0) == 1
    np.testing.assert_array_equal(curve.lost(), np.zeros(len(GRID)))


@pytest.mark.parametrize("edge", range(len(DOSES)))
def test_a_step_is_found_by_halving(edge):
    curve = Curve(GRID, GRID, apart)
    assert measured(curve, lambda amount: float(amount >= GRID[edge])) <= 5
    np.testing.assert_array_equal(curve.lost(), GRID[edge] <= GRID)


@given(st.lists(st.floats(0, 1), min_size=len(DOSES), max_size=len(DOSES)))
def test_near_the_full_grid_wherever_that_never_falls(heights):
    true = np.sort(heights)
    curve = Curve(GRID, GRID, apart)
    measured(curve, lambda amount: true[np.searchsorted(GRID, amount)])
    found = curve.lost()
    assert (np.abs(found - true) <= 0.1 + 1e-12).all()
    assert (np.diff(found) >= 0).all()


@given(st.lists(st.floats(0, 1), min_size=len(DOSES), max_size=len(DOSES)))
def test_never_falls_even_where_the_response_does(heights):
    curve = Curve(GRID, GRID, apart)
    measured(curve, lambda amount: heights[int(np.searchsorted(GRID, amount))])
    assert (np.diff(curve.lost()) >= 0).all()


def test_doses_that_add_the_same_are_probed_once():
    amounts = np.minimum(np.rint(GRID), 16.0)  # 0 for 0.25 and 0.5, 16 from 16 on
    curve = Curve(GRID, amounts, apart)
    seen = []
    measured(curve, lambda amount: seen.append(amount) or float(amount >= 2))
    assert len(set(seen)) == len(seen)
    assert set(seen) <= {1.0, 2.0, 4.0, 8.0, 16.0}
    np.testing.assert_array_equal(curve.lost(), amounts >= 2)


def test_nothing_to_add_is_nothing_to_lose():
    curve = Curve(GRID, np.zeros(len(GRID)), apart)
    assert measured(curve, lambda _: 1.0) == 0
    np.testing.assert_array_equal(curve.lost(), np.zeros(len(GRID)))
