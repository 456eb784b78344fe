from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.faults import SampleLayout


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    samples=st.integers(1, 4),
    data=st.data(),
)
def test_flat_finds_the_sample_inside_the_batch(shape, samples, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    layout = SampleLayout(shape=tuple(shape), batch_axis=axis)
    run = np.arange(np.prod(layout.run_shape(samples))).reshape(layout.run_shape(samples))
    parts = np.split(run, samples, axis=axis)
    index = np.arange(layout.elements)
    for position, part in enumerate(parts):
        flat = layout.flat(index, np.full(len(index), position), samples)
        np.testing.assert_array_equal(flat, part.reshape(-1))
    assert layout.rows == shape[axis]


def test_per_run_values_have_one_place():
    layout = SampleLayout(shape=(2, 3), batch_axis=None)
    index = np.array([0, 5])
    flat = layout.flat(index, np.array([[0], [1]]), 2)
    assert flat.tolist() == [[0, 5], [0, 5]]
    flat[0, 0] = 9
    assert index[0] == 0
    assert (layout.rows, layout.run_shape(7), layout.elements) == (1, (2, 3), 6)
