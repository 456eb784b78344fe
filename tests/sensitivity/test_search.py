"""Searching for doses: few trials where nothing is lost, many where losses begin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.sensitivity.scores import DOSES, DOWN, UP
from onnxfi.sensitivity.trials import Rung, curves, search

TOP = len(DOSES) - 1
ALL = {(way, place): 3 for way in (UP, DOWN) for place in range(len(DOSES))}


class Truth:
    """Losses by a rule, and which were asked for."""

    def __init__(self, begins: dict[int, int]) -> None:
        self.begins = begins
        self.asked: list[Rung] = []

    def __call__(self, rung: Rung) -> float:
        self.asked.append(rung)
        way, place = rung
        return float(place >= self.begins[way])


def test_harmless_directions_cost_their_largest_dose() -> None:
    truth = Truth({UP: 99, DOWN: 99})
    measured = search(ALL, truth, 24)
    assert measured == {(UP, TOP): 0.0, (DOWN, TOP): 0.0}
    assert not curves(measured).any()


@pytest.mark.parametrize("begins", range(len(DOSES)))
def test_a_step_is_found_by_halving(begins: int) -> None:
    truth = Truth({UP: begins, DOWN: 99})
    measured = search(ALL, truth, 24)
    assert len(truth.asked) <= 2 + np.ceil(np.log2(len(DOSES)))
    found = curves(measured)
    assert (found[UP, begins:] == 1).all()
    assert (found[UP, : max(begins - 1, 0)] < 0.3).all()
    assert not found[DOWN].any()


def test_trials_are_not_overspent_and_only_reached_doses_are_tried() -> None:
    sizes = {(UP, 2): 3, (UP, 5): 3, (DOWN, 7): 2}
    truth = Truth({UP: 0, DOWN: 0})
    measured = search(sizes, truth, 7)
    assert set(measured) == {(UP, 5), (DOWN, 7)}
    assert set(search(sizes, truth, 8)) == set(sizes)
    assert search({}, truth, 24) == {}


def test_a_direction_that_no_fault_takes_is_as_the_other() -> None:
    found = curves({(DOWN, 4): 0.5})
    np.testing.assert_array_equal(found[UP], found[DOWN])
    assert found[UP, 3] == 0.125  # half the dose, a quarter of the loss
    assert found[UP, -1] == 0.5
    assert not curves({}).any()


@given(
    st.dictionaries(
        st.tuples(st.sampled_from([UP, DOWN]), st.integers(0, TOP)), st.floats(0, 1), max_size=12
    )
)
def test_curves_rise_and_stay_in_range(measured: dict[Rung, float]) -> None:
    found = curves(measured)
    assert found.shape == (2, len(DOSES))
    assert (np.diff(found, axis=1) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= max(measured.values(), default=0) + 1e-12
