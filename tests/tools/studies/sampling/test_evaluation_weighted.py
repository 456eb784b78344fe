"""Inverse-weighted draws: unbiased, and intervals that hold as often as they should, or don't."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.weighted import Draws, coverage_of_draws, rate_of_draws

COPIES = np.array([1, 1, 4, 10])
FAILING = np.array([True, False, True, False])  # 5 of 16


def _coverage(*scores: float) -> float:
    rng = np.random.default_rng(8)
    return coverage_of_draws(np.array(scores), COPIES, FAILING, Draws(200, 1_000), rng)


def test_the_rate_is_weighted_back():
    chance = np.array([5.0, 1.0, 2.0, 0.5])
    chance /= (chance * COPIES).sum()
    row = np.random.default_rng(1).choice(4, 200_000, p=chance * COPIES)
    value, error = rate_of_draws(FAILING[row], chance[row], 16)
    assert value == pytest.approx(5 / 16, abs=4 * error)
    second = (1 / chance[0] + 4 / chance[2]) / 16**2
    assert len(row) * error**2 == pytest.approx(second - (5 / 16) ** 2, rel=0.02)


def test_intervals_hold():
    assert 0.93 <= _coverage(1, 1, 1, 1) <= 0.97
    assert _coverage(1, 0, 1, 0) == 1  # perfect draws leave no doubt


def test_intervals_of_what_can_not_all_be_drawn_do_not_hold():
    assert _coverage(0, 1, 1, 1) < 0.8
