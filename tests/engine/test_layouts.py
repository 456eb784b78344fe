"""Layouts from shapes and from what replacing a sample does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.engine.runtime import changed, same
from onnxfi.engine.study import Replacement, by_growth, by_replacement, proven
from onnxfi.faults import SampleLayout


@pytest.mark.parametrize(
    ("two", "three", "layout"),
    [
        ((2, 5), (3, 5), SampleLayout(shape=(1, 5), batch_axis=0)),
        ((8, 5), (12, 5), SampleLayout(shape=(4, 5), batch_axis=0)),
        ((7, 2), (7, 3), SampleLayout(shape=(7, 1), batch_axis=1)),
        ((2, 3), (2, 3), SampleLayout(shape=(2, 3), batch_axis=None)),
        ((), (), SampleLayout(shape=(), batch_axis=None)),
    ],
)
def test_growth(two, three, layout):
    assert by_growth(two, three) == layout


@pytest.mark.parametrize(
    ("two", "three", "reason"),
    [
        ((2, 2), (3, 3), "several axes change"),
        ((2, 5), (3, 5, 1), "its rank changes"),
        ((2, 17), (2, 23), "depends on the data"),
        ((4, 5), (7, 5), "depends on the data"),
        ((6, 1), (4, 1), "depends on the data"),
    ],
)
def test_no_growth(two, three, reason):
    assert reason in str(by_growth(two, three))


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    samples=st.integers(2, 4),
    rows=st.integers(1, 3),
    apart=st.booleans(),
    data=st.data(),
)
def test_replacing_samples_finds_the_layout(shape, samples, rows, apart, data):
    """A tensor whose elements are marked with their sample, rows together or apart."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    owner = np.arange(samples * rows) % samples if apart else np.arange(samples * rows) // rows
    shape[axis] = samples * rows
    along = np.broadcast_to(
        owner.reshape([-1 if place == axis else 1 for place in range(len(shape))]), shape
    )
    changes = [
        Replacement.between(sample, along, np.where(along == sample, -1, along))
        for sample in (0, samples - 1)
    ]
    found = by_replacement(tuple(shape), changes, samples)
    assert isinstance(found, SampleLayout)
    for sample in (0, samples - 1):
        index = np.arange(found.elements)
        flat = found.flat(index, np.full(1, sample), samples)
        assert set(along.ravel()[flat]) == {sample}


def test_a_changed_shape_proves_nothing():
    base, grown = np.zeros((4, 2)), np.zeros((5, 2))
    change = Replacement.between(0, base, grown)
    layout = SampleLayout(shape=(1, 2), batch_axis=0)
    assert proven([layout], [change], 4) == "its shape depends on the data"


def test_bits_and_not_values_are_compared():
    zero, minus = np.array([0.0, 1.0]), np.array([-0.0, 1.0])
    assert changed(zero, minus).tolist() == [True, False]
    assert not same(zero, minus)
    nan = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    assert same(nan, nan.copy())
    assert not same(nan, nan[::-1].copy())
    assert not same(zero, zero.astype(np.float32))
    assert not same(zero, zero[:1])


def test_other_types_are_compared_too():
    wide = np.array([1 + 2j, 0], np.complex128)
    assert changed(wide, wide + np.array([0, 1j])).tolist() == [False, True]
    text = np.array(["a", "b"], dtype=object)
    assert changed(text, np.array(["a", "c"], dtype=object)).tolist() == [False, True]
    scalar = np.array(3)
    assert changed(scalar, scalar).shape == ()
