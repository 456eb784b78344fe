"""Deviations, as properties against samples kept one by one in a list."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.engine.cut import Deviation, deviating, gathered, put, samples_of, united
from onnxfi.faults import SampleLayout

DTYPES = [
    np.dtype(kind)
    for kind in (
        np.float16,
        np.float32,
        np.float64,
        np.int8,
        np.uint8,
        np.bool_,
        ml_dtypes.bfloat16,
    )
]


def _random(rng, dtype, shape):
    """Any bit pattern, so NaNs of all payloads and both zeros."""
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    word = np.dtype(f"u{dtype.itemsize}")
    return rng.integers(0, 2 ** (8 * word.itemsize), shape, np.uint64).astype(word).view(dtype)


def _other(rng, dtype, value):
    """The same array but for one bit of one element."""
    found = np.ascontiguousarray(value).copy()
    flat = found.reshape(-1).view(f"u{dtype.itemsize}")
    bit = 0 if dtype == np.bool_ else int(rng.integers(8 * dtype.itemsize))
    flat[rng.integers(flat.size)] ^= flat.dtype.type(1 << bit)
    return found


def _whole(pieces, layout):
    return np.concatenate(pieces, axis=layout.batch_axis)


def _bits(value):
    return value.shape, value.dtype, value.tobytes()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A value of a run: what its samples are without and with faults."""

    layout: SampleLayout
    clean: list
    faulty: list
    differ: set

    def __repr__(self):
        dtype, count = self.clean[0].dtype, len(self.clean)
        return f"Case({dtype}, {self.layout}, samples={count}, differ={sorted(self.differ)})"

    @property
    def golden(self):
        return _whole(self.clean, self.layout)

    def mixed(self, samples):
        """What the value is where these samples are faulty."""
        pieces = [self.faulty[k] if k in samples else self.clean[k] for k in range(len(self.clean))]
        return _whole(pieces, self.layout)

    def part(self, samples, pieces=None):
        return _whole([(pieces or self.faulty)[k] for k in samples], self.layout)


@st.composite
def cases(draw):
    dtype, axis = draw(st.sampled_from(DTYPES)), draw(st.sampled_from([0, 1]))
    shape = draw(st.lists(st.integers(1, 5), min_size=2, max_size=3))
    shape[axis] = draw(st.sampled_from([1, 3]))
    count = draw(st.integers(1, 20))
    differ = draw(st.sets(st.integers(0, count - 1)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    clean = [_random(rng, dtype, shape) for _ in range(count)]
    faulty = [_other(rng, dtype, v) if k in differ else v for k, v in enumerate(clean)]
    layout = SampleLayout(shape=tuple(shape), batch_axis=axis)
    return Case(layout=layout, clean=clean, faulty=faulty, differ=differ)


@st.composite
def with_samples(draw):
    """A case and some of its samples, ascending, at least one."""
    case = draw(cases())
    chosen = draw(st.sets(st.integers(0, len(case.clean) - 1), min_size=1))
    return case, np.array(sorted(chosen), np.int64)


@given(with_samples())
def test_taken(given_):
    case, samples = given_
    found = samples_of(case.golden, case.layout, samples)
    assert _bits(found) == _bits(case.part(samples, case.clean))
    golden = case.golden
    assert samples_of(golden, case.layout, None) is golden


@given(with_samples())
def test_put(given_):
    case, samples = given_
    values = case.golden
    put(values, case.layout, samples, case.part(samples))
    assert _bits(values) == _bits(case.mixed(set(samples.tolist())))
    put(values, case.layout, None, case.golden)
    assert _bits(values) == _bits(case.golden)


@given(with_samples(), st.data())
def test_gathered(given_, data):
    """Faulty where the value deviates, golden elsewhere, in any samples around."""
    case, wanted = given_
    inner = data.draw(st.sets(st.sampled_from(wanted.tolist()), min_size=1))
    mine = np.array(sorted(inner), np.int64)
    deviation = Deviation(samples=mine, values=case.part(mine))
    golden = case.golden
    expected = case.mixed(inner)
    found = gathered(golden, case.layout, deviation, wanted)
    assert _bits(found) == _bits(samples_of(expected, case.layout, wanted))
    assert _bits(gathered(golden, case.layout, deviation, None)) == _bits(expected)
    everywhere = Deviation(samples=None, values=expected)
    assert gathered(golden, case.layout, everywhere, None) is expected
    none = gathered(golden, case.layout, None, wanted)
    assert _bits(none) == _bits(case.part(wanted, case.clean))
    assert _bits(golden) == _bits(case.golden), "golden values are never written to"


@given(st.integers(1, 12), st.data())
def test_united(total, data):
    whole = st.sets(st.integers(0, total - 1), min_size=1)
    sets = data.draw(st.lists(st.one_of(st.none(), whole), max_size=4))
    deviations = [
        Deviation(samples=None if s is None else np.array(sorted(s)), values=np.empty(0))
        for s in sets
    ]
    found = united(deviations, total)
    expected = (
        set(range(total)) if None in sets else set().union(*(s for s in sets if s is not None))
    )
    if found is None:
        assert expected == set(range(total))
    else:
        assert found.tolist() == sorted(expected)
        assert len(expected) < total, "all samples are None, so that nothing is copied"


@given(with_samples(), st.sampled_from([None, 0.0, 0.3, 0.999]))
def test_deviating(given_, near):
    """What comes back makes the faulty value again, and names no golden sample if that pays."""
    case, samples = given_
    size = len(case.clean)
    part = case.part(samples)
    before = _bits(part)
    found = deviating(part, case.golden, case.layout, samples, near)
    expected = case.differ.intersection(samples.tolist())
    if not expected:
        assert found is None
        return
    whole = gathered(case.golden, case.layout, found, None)
    assert _bits(whole) == _bits(case.mixed(expected))
    if len(expected) <= 7 / 8 * samples.size:
        assert set(found.samples.tolist()) == expected
    else:
        assert found.values is part  # leaving them out would cost more than it saves
        assert found.samples is samples
    assert found.near == near
    assert _bits(part) == before
    everywhere = deviating(case.mixed(case.differ), case.golden, case.layout, None, near)
    again = gathered(case.golden, case.layout, everywhere, None)
    assert _bits(again) == _bits(case.mixed(case.differ))
    assert everywhere.samples is None or set(everywhere.samples.tolist()) == case.differ
    assert (everywhere.samples is None) == (len(case.differ) > 7 / 8 * size)


@given(cases(), st.booleans())
def test_values_that_exist_once_per_run(case, other):
    layout = SampleLayout(shape=case.golden.shape, batch_axis=None)
    golden = case.golden
    found = case.mixed(case.differ) if other else golden.copy()
    assert samples_of(golden, layout, np.array([0])) is golden
    deviation = deviating(found, golden, layout, None)
    if not (other and case.differ):
        assert deviation is None
        return
    assert deviation.samples is None
    assert gathered(golden, layout, deviation, None) is found
    partly = Deviation(samples=np.array([0]), values=found)  # from a run of some samples
    assert _bits(gathered(golden, layout, partly, None)) == _bits(found)


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize(
    ("clean", "faulty"),
    [
        (np.float32(0.0), np.float32(-0.0)),
        (np.float16(-0.0), np.float16(0.0)),
        (np.uint32(0x7FC00000).view(np.float32), np.uint32(0x7FC00001).view(np.float32)),
        (np.uint64(0xFFF8 << 48).view(np.float64), np.uint64(0x7FF8 << 48).view(np.float64)),
    ],
)
def test_bits_count_not_numbers(clean, faulty, axis):
    golden = np.full((10, 10), clean)
    found = golden.copy()
    found[3, 3] = faulty
    shape = {0: (1, 10), 1: (10, 1), None: (10, 10)}[axis]
    layout = SampleLayout(shape=shape, batch_axis=axis)
    deviation = deviating(found, golden, layout, None)
    assert deviation is not None
    assert _bits(gathered(golden, layout, deviation, None)) == _bits(found)
    if axis is not None:
        assert deviation.samples.tolist() == [3]
    # The same number in the same bits is no deviation, NaN or not.
    assert deviating(golden.copy(), golden, layout, None) is None


def test_a_value_of_another_shape_deviates_as_a_whole():
    golden = np.zeros((4, 2), np.float32)
    layout = SampleLayout(shape=(1, 2), batch_axis=0)
    found = np.zeros((3, 2), np.float32)
    deviation = deviating(found, golden, layout, None)
    assert deviation.samples is None
    assert gathered(golden, layout, deviation, None) is found


@pytest.mark.parametrize("shape", [(4, 0), (0, 4)])
def test_values_without_elements_never_deviate(shape):
    golden = np.zeros(shape, np.float32)
    layout = SampleLayout(shape=(1, shape[1]), batch_axis=0)
    assert deviating(golden.copy(), golden, layout, None) is None


def test_a_view_that_is_not_contiguous():
    rng = np.random.default_rng(1)
    golden = rng.normal(size=(3, 5, 4)).astype(np.float32)
    layout = SampleLayout(shape=(5, 1, 3), batch_axis=1)
    found = golden.copy()
    found[2, 0, 1] = 7  # sample 1 after the transposition below, one of four
    turned = [np.transpose(value, (1, 2, 0)) for value in (found, golden)]
    deviation = deviating(*turned, layout, None)
    assert deviation.samples.tolist() == [1]
    assert _bits(gathered(turned[1], layout, deviation, None)) == _bits(turned[0])
