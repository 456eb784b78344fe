"""Faults in values between parts: what the host does to the whole array, on top of deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType, format_of, from_words
from onnxfi.engine.cut import Deviation, Region, ValueFaults, gathered, samples_of, with_faults
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, SiteKind
from onnxfi.inject import BatchWindow, faulty_array, window_columns

ELEMENTS = [
    ElementType.FLOAT,
    ElementType.DOUBLE,
    ElementType.FLOAT16,
    ElementType.BFLOAT16,
    ElementType.INT8,
    ElementType.UINT8,
    ElementType.BOOL,
    ElementType.FLOAT8E4M3FN,
]
ALL_BITS = 2**64 - 1


def _site(element, layout):
    return FaultSite(
        name="v",
        kind=SiteKind.ACTIVATION,
        element=element,
        node="n",
        op_type="Op",
        layer="n",
        layout=layout,
    )


def _random(rng, element, shape):
    form = format_of(element)
    words = rng.integers(0, form.mask, int(np.prod(shape)), np.uint64, endpoint=True)
    return from_words(words.astype(form.word), element, tuple(shape))


def _bits(value):
    return value.shape, value.dtype, value.tobytes()


def _group(index, and_mask, xor_mask, sample=None):
    return FaultGroup(
        site="v",
        index=np.array(index, np.int64),
        and_mask=np.array(and_mask, np.uint64),
        xor_mask=np.array(xor_mask, np.uint64),
        sample=None if sample is None else np.array(sample, np.int64),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A value, faults in it, and how it deviates before them."""

    site: FaultSite
    golden: np.ndarray
    deviation: Deviation | None
    group: FaultGroup
    window: BatchWindow
    block: int | None = None

    @property
    def layout(self):
        return self.site.layout

    def found(self):
        columns = window_columns(self.group, self.site, self.window)
        elements = int(np.prod(self.layout.run_shape(self.window.size)))
        faults = ValueFaults(site=self.site, columns=columns, elements=elements, block=self.block)
        return with_faults(self.golden, self.layout, self.deviation, faults, self.window.size)


@st.composite
def cases(draw, bound=False):
    element, axis = draw(st.sampled_from(ELEMENTS)), draw(st.sampled_from([0, 0, 1, None]))
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=3))
    if axis is not None:
        shape[axis] = draw(st.sampled_from([1, 3]))
    layout = SampleLayout(shape=tuple(shape), batch_axis=axis)
    size = 1 if bound and axis is None else draw(st.integers(1, 9))
    start = draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    golden = _random(rng, element, layout.run_shape(size))
    count = draw(st.integers(0, 6))
    some = rng.integers(0, ALL_BITS, (2, count), np.uint64, endpoint=True)
    and_mask = np.where(rng.integers(0, 2, count) > 0, np.uint64(ALL_BITS), some[0])
    xor_mask = np.where(rng.integers(0, 2, count) > 0, np.uint64(0), some[1])
    sample = rng.integers(start - 2, start + size + 2, count) if bound else None
    if sample is not None:
        sample[sample < 0] = -1
    deviation = None
    deviates = draw(st.sets(st.integers(0, size - 1)))
    if axis is not None and deviates:
        some = np.array(sorted(deviates), np.int64)
        values = _random(rng, element, layout.run_shape(len(some)))
        everywhere = len(some) == size and draw(st.booleans())
        deviation = Deviation(samples=None if everywhere else some, values=values)
    elif deviates:
        deviation = Deviation(samples=None, values=_random(rng, element, golden.shape))
    return Case(
        site=_site(element, layout),
        golden=golden,
        deviation=deviation,
        group=_group(rng.integers(0, layout.elements, count), and_mask, xor_mask, sample),
        window=BatchWindow(start=start, stop=start + size, size=size),
    )


def _assert_as_the_whole_array(case):
    clean = _bits(case.golden)
    before = gathered(case.golden, case.layout, case.deviation, None).copy()
    expected = faulty_array(before, case.group, case.site, case.window)
    found = case.found()
    assert _bits(case.golden) == clean, "golden values are never written to"
    after = gathered(case.golden, case.layout, found, None)
    assert _bits(after) == _bits(expected)
    return found, expected


@st.composite
def images(draw):
    """Images in blocks of channels, faults in a few places or all over, some of them idle."""
    block, size = draw(st.sampled_from([4, 8])), draw(st.integers(1, 5))
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    layout = SampleLayout(shape=(1, 2 * block, height, width), batch_axis=0)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    golden = _random(rng, ElementType.FLOAT, layout.run_shape(size))
    count = draw(st.integers(0, 5))
    near = int(rng.integers(layout.elements))
    spread = draw(st.sampled_from([block, 3 * block, layout.elements]))
    index = (near + rng.integers(0, spread, count)) % layout.elements
    # Stuck at 1: half of the bits are so anyway.
    bits = np.uint64(1) << rng.integers(0, 32, count).astype(np.uint64)
    sample = rng.integers(-1, size, count) if draw(st.booleans()) else None
    deviation = None
    if draw(st.booleans()):
        some = np.array(sorted(draw(st.sets(st.integers(0, size - 1), min_size=1))), np.int64)
        top, left = int(rng.integers(height)), int(rng.integers(width))
        region = Region(
            top=top,
            bottom=int(rng.integers(top, height)) + 1,
            left=left,
            right=int(rng.integers(left, width)) + 1,
            block=block,
        )
        shape = (some.size, 2 * block, region.bottom - top, region.right - left)
        values = _random(rng, ElementType.FLOAT, shape)
        deviation = Deviation(
            samples=None if some.size == size else some, values=values, region=region
        )
    return Case(
        site=_site(ElementType.FLOAT, layout),
        golden=golden,
        deviation=deviation,
        group=_group(index, ALL_BITS - bits, bits, sample),
        window=BatchWindow(start=0, stop=size, size=size),
        block=block,
    )


@given(images())
def test_faults_in_images_in_blocks(case):
    found, expected = _assert_as_the_whole_array(case)
    if case.deviation is None and _bits(expected) == _bits(case.golden):
        assert found is None


def test_few_faults_close_together_deviate_in_a_region():
    layout, block = SampleLayout(shape=(1, 16, 8, 8), batch_axis=0), 8
    golden = np.zeros((3, 16, 8, 8), np.float32)
    place = ((1 * 8 + 5) * 8 + 2) * block + 3  # second block, row 5, column 2, fourth channel
    case = Case(
        site=_site(ElementType.FLOAT, layout),
        golden=golden,
        deviation=None,
        group=_group([place, place + block], [ALL_BITS] * 2, [1 << 31] * 2, [-1, 1]),
        window=BatchWindow(start=0, stop=3, size=3),
        block=block,
    )
    found, _ = _assert_as_the_whole_array(case)
    assert found.region == Region(top=5, bottom=6, left=2, right=4, block=block)
    assert found.values.shape == (3, 16, 1, 2)


@given(cases())
def test_faults_in_every_sample(case):
    _assert_as_the_whole_array(case)


@given(cases(bound=True))
def test_faults_bound_to_samples(case):
    """With samples outside of the window and faults in every sample among them."""
    found, expected = _assert_as_the_whole_array(case)
    if case.deviation is None and _bits(expected) == _bits(case.golden):
        assert found is None


@given(cases())
def test_faults_that_change_nothing(case):
    """Bits stuck at what they are: no deviation where there was none."""
    words = np.uint64(ALL_BITS), np.uint64(0)
    count = len(case.group)
    idle = _group(case.group.index, [words[0]] * count, [words[1]] * count)
    idle = Case(site=case.site, golden=case.golden, deviation=None, group=idle, window=case.window)
    assert idle.found() is None


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("rows", [1, 2])
def test_only_samples_that_a_fault_changes_deviate(axis, rows):
    """Stuck at 1 where half of the samples hold a 1 already."""
    shape = (rows, 3) if axis == 0 else (3, rows)
    layout, size = SampleLayout(shape=shape, batch_axis=axis), 8
    golden = np.zeros(layout.run_shape(size), np.uint8)
    ones = samples_of(golden, layout, np.arange(4)) + 1
    golden = np.concatenate([ones, samples_of(golden, layout, np.arange(4))], axis=axis)
    case = Case(
        site=_site(ElementType.UINT8, layout),
        golden=golden,
        deviation=None,
        group=_group([1], [ALL_BITS - 1], [1]),
        window=BatchWindow(start=0, stop=size, size=size),
    )
    found, _ = _assert_as_the_whole_array(case)
    if axis == 0:  # elsewhere samples are left out when the next part has run
        assert found.samples.tolist() == [4, 5, 6, 7]
        assert found.values.shape == (4 * rows, 3)


def test_one_sample_deviates_where_the_fault_is_bound_to_it():
    layout, size = SampleLayout(shape=(2, 3), batch_axis=0), 5
    golden = np.arange(30, dtype=np.float32).reshape(10, 3)
    case = Case(
        site=_site(ElementType.FLOAT, layout),
        golden=golden,
        deviation=None,
        group=_group([4, 5, 0], [ALL_BITS] * 3, [1 << 31] * 3, [12, 12, 99]),
        window=BatchWindow(start=10, stop=15, size=size),
    )
    found, _ = _assert_as_the_whole_array(case)
    assert found.samples.tolist() == [2]
    np.testing.assert_array_equal(found.values, [[12, 13, 14], [15, -16, -17]])
    assert found.near == pytest.approx(4 / 6)


def test_padding_repeats_the_faults_of_the_last_sample():
    layout = SampleLayout(shape=(1, 2), batch_axis=0)
    case = Case(
        site=_site(ElementType.INT8, layout),
        golden=np.ones((6, 2), np.int8),
        deviation=None,
        group=_group([1], [ALL_BITS], [2], [3]),
        window=BatchWindow(start=0, stop=4, size=6),
    )
    found, _ = _assert_as_the_whole_array(case)
    assert found.samples.tolist() == [3, 4, 5]


@pytest.mark.parametrize("deviates", [False, True])
def test_values_smaller_than_the_layout_says(deviates):
    layout = SampleLayout(shape=(1, 4), batch_axis=0)
    small = np.zeros((2, 4), np.float32)
    golden = np.zeros((3, 4), np.float32) if deviates else small
    case = Case(
        site=_site(ElementType.FLOAT, layout),
        golden=golden,
        deviation=Deviation(samples=None, values=small) if deviates else None,
        group=_group([1], [ALL_BITS], [1]),
        window=BatchWindow(start=0, stop=3, size=3),
    )
    with pytest.raises(FaultError, match="'v' has 8 elements in this run, fewer than the profile"):
        case.found()


def test_samples_that_can_not_be_told_apart():
    """Where the chain takes a value as a whole, faults bound to samples are still put in."""
    layout, size = SampleLayout(shape=(1, 3), batch_axis=0), 4
    site = _site(ElementType.FLOAT, layout)
    golden = np.arange(12, dtype=np.float32).reshape(4, 3)
    window = BatchWindow(start=0, stop=size, size=size)
    group = _group([1, 2], [ALL_BITS] * 2, [1 << 31] * 2, [1, 3])
    faults = ValueFaults(site=site, columns=window_columns(group, site, window), elements=12)
    per_run = SampleLayout(shape=golden.shape, batch_axis=None)
    found = with_faults(golden, per_run, None, faults, size)
    assert found.samples is None
    assert _bits(found.values) == _bits(faulty_array(golden, group, site, window))
