"""Faults spread over the samples of a run, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, apply_masks
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, SiteKind
from onnxfi.inject import BatchWindow, whole_columns, window_columns

LAYOUTS = [
    SampleLayout(shape=(1, 4), batch_axis=0),
    SampleLayout(shape=(3, 2), batch_axis=0),
    SampleLayout(shape=(2, 1, 3), batch_axis=1),
    SampleLayout(shape=(2, 2, 2), batch_axis=1),
    SampleLayout(shape=(2, 3, 1), batch_axis=2),
    SampleLayout(shape=(5,), batch_axis=None),
]


def _site(layout: SampleLayout | None, kind: SiteKind = SiteKind.ACTIVATION) -> FaultSite:
    return FaultSite(
        name="t",
        kind=kind,
        element=ElementType.UINT16,
        node="n",
        op_type="Relu",
        layer="n",
        layout=layout,
    )


@st.composite
def groups(draw: st.DrawFn, elements: int, bound: bool) -> FaultGroup:
    count = draw(st.integers(0, 6))
    column = lambda values: draw(st.lists(values, min_size=count, max_size=count))  # noqa: E731
    masks = st.integers(0, 2**16 - 1)
    return FaultGroup(
        site="t",
        index=np.array(column(st.integers(0, elements - 1)), np.int64),
        and_mask=np.array(column(masks), np.uint64),
        xor_mask=np.array(column(masks), np.uint64),
        sample=np.array(column(st.integers(-1, 6)), np.int64) if bound else None,
    )


@settings(max_examples=100, deadline=None)
@given(data=st.data(), layout=st.sampled_from(LAYOUTS), bound=st.booleans())
def test_window_columns_equal_plain_loops(data, layout, bound):
    per_run = layout.batch_axis is None
    start = data.draw(st.integers(0, 4))
    samples = 1 if per_run else data.draw(st.integers(1, 3))
    size = samples + data.draw(st.integers(0, 2))
    group = data.draw(groups(layout.elements, bound))
    window = BatchWindow(start=start, stop=start + samples, size=size)
    shape = layout.run_shape(size)
    words = np.random.default_rng(1).integers(0, 2**16, shape).astype(np.uint16)

    expected = words.copy()
    rows = layout.rows
    for row in range(len(group)):
        for position in range(1 if per_run else size):
            wanted = -1 if group.sample is None else int(group.sample[row])
            # Rows beyond the samples are the last one again, with its faults.
            if wanted not in (-1, start + min(position, samples - 1)):
                continue
            axis = layout.batch_axis
            mine = [slice(None)] * len(shape)
            if axis is not None:
                mine[axis] = slice(position * rows, (position + 1) * rows)
            part = expected[tuple(mine)]
            flat = apply_masks(
                part.ravel(),
                group.index[row : row + 1],
                group.and_mask[row : row + 1],
                group.xor_mask[row : row + 1],
            )
            expected[tuple(mine)] = flat.reshape(part.shape)

    columns = window_columns(group, _site(layout), window)
    assert len(np.unique(columns.index)) == len(columns.index)
    got = apply_masks(words.ravel(), columns.index, columns.and_mask, columns.xor_mask)
    np.testing.assert_array_equal(got.reshape(shape), expected)


def test_index_out_of_range(make_group):
    window = BatchWindow(start=0, stop=1, size=1)
    for index in (4, -1):
        with pytest.raises(
            FaultError, match=rf"index {index} is out of range.*4 elements a sample"
        ):
            window_columns(make_group("t", (index, 0, 0)), _site(LAYOUTS[0]), window)
    stored = _site(SampleLayout(shape=(4,), batch_axis=None), SiteKind.WEIGHT)
    with pytest.raises(FaultError, match=r"which has 4 elements$"):
        whole_columns(make_group("t", (4, 0, 0)), stored)


def test_a_value_that_exists_once_per_run_needs_single_samples(make_group):
    site, group = _site(LAYOUTS[-1]), make_group("t", (0, 0, 0), sample=[1])
    for each in (make_group("t", (0, 0, 0), sample=[0]), group):
        with pytest.raises(FaultError, match="exists once per run"):
            window_columns(each, site, BatchWindow(start=0, stop=2, size=2))
    assert len(window_columns(group, site, BatchWindow(start=1, stop=2, size=1)).index) == 1
    assert len(window_columns(group, site, BatchWindow(start=0, stop=1, size=1)).index) == 0


def test_faults_bound_to_a_sample_are_refused_where_they_make_no_sense(make_group):
    group = make_group("t", (0, 0, 0), sample=[1])
    stored = _site(SampleLayout(shape=(4,), batch_axis=None), SiteKind.WEIGHT)
    for each in (make_group("t", (0, 0, 0), sample=[0]), group):
        with pytest.raises(FaultError, match="stored tensor is there for every sample"):
            whole_columns(each, stored)
    with pytest.raises(FaultError, match="run it with --engine ports"):
        whole_columns(group, _site(LAYOUTS[0]))
    everywhere = make_group("t", (0, 0, 0), sample=[-1])
    assert len(whole_columns(everywhere, stored).index) == 1


def test_unknown_shape(make_group):
    with pytest.raises(FaultError, match="no known run-time shape"):
        whole_columns(make_group("t", (0, 0, 0)), _site(None))
