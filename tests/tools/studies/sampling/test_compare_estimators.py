"""The comparison of estimators, on a population made up."""

from __future__ import annotations

import numpy as np
from evaluation.draws import PrioritySampler
from evaluation.estimators import Classes, compare, rising


def test_all_are_unbiased_and_steps_are_found():
    rng = np.random.default_rng(0)
    size = 20_000
    likely = rng.random(size) < 0.03
    weight = np.where(likely, 1.0, 0.01)
    weight = 0.9 * weight / weight.sum() + 0.1 / size
    failing = rng.random(size) < np.where(likely, 0.95, 0.0)
    copies = np.ones(size, np.int64)
    classes = Classes.by(weight, copies)
    assert classes.sizes.sum() == size
    found = compare(PrioritySampler(weight, copies, 300), classes, failing, 200, seed=1)
    errors = {}
    for name, trials in found.items():
        values = np.array([trial.value for trial in trials])
        assert abs(values.mean() / failing.mean() - 1) < 4 * values.std() / values.mean() / 14
        errors[name] = np.mean((values - failing.mean()) ** 2)
    assert errors["plain"] > errors["ratio"] > errors["difference"]
    assert errors["ratio"] > errors["isotonic"]


def test_steps_rise_and_fill_gaps():
    home = np.array([0, 0, 2, 2, 3, 5])
    y = np.array([0.0, 1.0, 0.0, 0.2, 0.6, 0.9])
    levels = rising(y, np.ones(6), home, 7)
    assert np.allclose(levels, [0.3, 0.3, 0.3, 0.6, 0.75, 0.9, 0.9])
    assert not rising(y[:0], y[:0], home[:0], 3).any()
