from __future__ import annotations

import numpy as np
import pytest

from onnxfi.analysis import difference_total


def sample(seed: int, n: int = 40, size: int = 1_000):
    rng = np.random.default_rng(seed)
    weight = rng.random(size) ** 4
    weight /= weight.sum()
    probability = np.minimum(1, n * weight)
    return weight, probability, rng.random(size) < probability, rng


def test_what_is_a_line_in_the_weight_has_no_error():
    weight, probability, seen, _ = sample(0)
    values = 0.3 + 40 * weight
    found = difference_total(values[seen], weight[seen], probability[seen], 1_000)
    assert found is not None
    assert found.total == pytest.approx(values.sum())
    assert np.allclose(found.residual, 0, atol=1e-9)


def test_it_is_a_difference_from_the_best_line():
    weight, probability, seen, rng = sample(1)
    values = (rng.random(1_000) < 5 * weight * 20).astype(float)
    found = difference_total(values[seen], weight[seen], probability[seen], 1_000)
    assert found is not None
    drawn = seen & (probability < 1)
    y, w, p = values[drawn], weight[drawn], probability[drawn]
    slope, *_ = np.linalg.lstsq(
        np.stack([np.ones(len(w)), w], 1) * (np.sqrt(1 - p) / p)[:, None],
        y * np.sqrt(1 - p) / p,
        rcond=None,
    )
    line = slope[0] + slope[1] * weight
    certain = probability == 1
    by_hand = values[certain].sum() + line[~certain].sum() + ((y - line[drawn]) / p).sum()
    assert found.total == pytest.approx(by_hand)
    assert found.residual == pytest.approx(y - line[drawn])


def test_too_few_left_to_chance():
    one = np.ones(5)
    assert difference_total(one, one / 5, one, 5) is None
    two = np.array([0.2, 0.2])
    assert difference_total(one[:2], two, two, 50) is None


def test_weights_that_are_all_alike_leave_the_mean():
    values = np.array([1.0, 0, 0, 1, 0])
    found = difference_total(values, np.full(5, 0.01), np.full(5, 0.05), 100)
    assert found is not None
    assert found.total == pytest.approx(40)
