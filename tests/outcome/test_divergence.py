"""Divergences: what numpy says of two arrays, however they are cut into parts."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.outcome import Divergence, divergence


def test_error_norms_changes_and_samples():
    golden = np.array([[1, 2, 3], [4, 0, 0], [5, 6, 7]], np.float32)
    faulty = golden.copy()
    faulty[0, 1], faulty[2, 0], faulty[2, 2] = 5, 4.5, np.nan
    found = divergence(golden, faulty, 3)
    assert (found.elements, found.changed, found.samples, found.nonfinite) == (9, 3, 2, 1)
    assert found.max_abs == 3
    assert found.changed_share == 1 / 3
    expected = np.sqrt(3**2 + 0.5**2) / np.linalg.norm(golden)
    assert found.relative_error == pytest.approx(expected)


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    golden = rng.normal(size=(60, 11_000)).astype(np.float32)
    faulty = np.where(rng.random(golden.shape) < 0.01, golden * 1.5, golden)
    whole = divergence(golden, faulty, 60)
    parts = Divergence()
    for k in range(0, 60, 7):
        part = golden[k : k + 7]
        parts += divergence(part, faulty[k : k + 7], len(part))
    for name in ("elements", "changed", "samples", "max_abs"):
        assert getattr(parts, name) == getattr(whole, name)
    error = np.linalg.norm(faulty.astype(float) - golden) / np.linalg.norm(golden.astype(float))
    assert whole.relative_error == pytest.approx(error, rel=1e-9)
    assert parts.relative_error == pytest.approx(error, rel=1e-9)


def test_equal_bits_differ_nowhere():
    values = np.array([np.nan, -0.0, 1], np.float32)
    found = divergence(values, values.copy())
    assert (found.changed, found.relative_error, found.max_abs) == (0, 0.0, 0.0)
    signs = divergence(np.zeros(2, np.float32), np.array([-0.0, 0.0], np.float32))
    assert (signs.changed, signs.relative_error) == (1, 0.0)


def test_an_error_where_all_was_zero_has_no_relative_norm():
    assert divergence(np.zeros(2), np.array([0.0, 1.0])).relative_error is None


def test_another_shape_has_no_errors():
    found = divergence(np.ones((3, 1), np.float32), np.ones((5, 1), np.float32), 3)
    assert found.reshaped
    assert (found.changed, found.elements, found.samples) == (5, 5, 3)
    assert found.relative_error is None


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_, np.float16])
def test_other_types(dtype):
    golden = np.array([1, 0, 1, 1]).astype(dtype)
    found = divergence(golden, np.array([1, 1, 1, 0]).astype(dtype), 4)
    assert (found.changed, found.samples, found.max_abs) == (2, 2, 1)
