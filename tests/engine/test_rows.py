"""Rows of many scenarios: kept by key, joined for runs, compared with golden bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.engine.cut import Rows, differing, entries_of, value_of
from onnxfi.engine.cut._joined import Joined, joined_keys, pieces
from onnxfi.faults import SampleLayout

LAYOUTS = [
    SampleLayout(shape=(1, 3), batch_axis=0),
    SampleLayout(shape=(2, 3), batch_axis=0),
    SampleLayout(shape=(3, 1, 2), batch_axis=1),
    SampleLayout(shape=(3, 2), batch_axis=1),
]
SIZE = 5


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_samples_first_and_back(layout):
    value = np.arange(np.prod(layout.run_shape(SIZE))).reshape(layout.run_shape(SIZE))
    entries = entries_of(value, layout)
    assert len(entries) == SIZE
    np.testing.assert_array_equal(value_of(entries, layout), value)
    alone = value_of(entries[3:4], layout)
    assert alone.shape == layout.run_shape(1)


@given(st.integers(0, 300), st.sampled_from([(64, 16, 4, 1), (16, 4, 2), (8,), (1,)]))
def test_pieces_hold_every_row_once(count, sizes):
    found = list(pieces(count, sizes))
    assert [k for low, high, _ in found for k in range(low, high)] == list(range(count))
    assert all(size in sizes and high - low <= size for low, high, size in found)
    assert all(high - low == size for low, high, size in found[:-1])


@st.composite
def tables(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        keys = rng.permutation(4 * SIZE)[: rng.integers(1, 4 * SIZE)]
        found.append(Rows(keys=keys, entries=rng.standard_normal((keys.size, 1, 3))))
    return found


@given(tables(), st.sampled_from([(4, 1), (3,), (16, 4)]))
def test_what_parts_read_is_what_each_row_sees(made, sizes):
    layout = SampleLayout(shape=(1, 1, 3), batch_axis=0)
    once = SampleLayout(shape=(2,), batch_axis=None)
    golden = np.arange(SIZE * 3.0).reshape(SIZE, 1, 3)
    names = [f"v{k}" for k in range(len(made))]
    keys = joined_keys(made, np.array([2, 3]))
    assert sorted(keys) == sorted(set(np.concatenate([t.keys for t in made])) - {2, 3})
    joined = Joined(
        keys,
        SIZE,
        dict.fromkeys([*names, "clean"], layout) | {"once": once},
        dict.fromkeys([*names, "clean"], golden) | {"once": np.ones(2)},
        dict(zip(names, made, strict=True)),
    )
    for low, high, size in pieces(keys.size, sizes):
        feeds = joined.feeds(low, high, size)
        assert feeds["once"].shape == (2,)
        for row in range(size):
            key = keys[min(low + row, high - 1)]
            np.testing.assert_array_equal(feeds["clean"][row], golden[key % SIZE])
            for name, table in zip(names, made, strict=True):
                mine = np.flatnonzero(table.keys == key)
                wanted = table.entries[mine[0]] if mine.size else golden[key % SIZE]
                np.testing.assert_array_equal(feeds[name][row], wanted)


@given(st.sampled_from([3, 200, 70_000]), st.integers(0, 2**32))
def test_one_bit_anywhere_differs(width, seed):
    rng = np.random.default_rng(seed)
    golden = rng.standard_normal((SIZE, width)).astype(np.float32)
    samples = rng.integers(0, SIZE, 12)
    found = golden[samples].copy()
    hit = rng.integers(0, 2, 12) > 0
    for row in np.flatnonzero(hit):
        found.view(np.uint32)[row, rng.integers(width)] ^= np.uint32(1 << rng.integers(32))
    assert differing(found, golden, samples).tolist() == hit.tolist()
    nothing = differing(found[:, :0], golden[:, :0], samples)
    assert not nothing.any()
