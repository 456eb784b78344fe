"""Faults in values between parts: what the host does to the whole array, on top of deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType, format_of, from_words
from onnxfi.engine.cut import ValueFaults, with_faults
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
    before: np.ndarray | None
    group: FaultGroup
    window: BatchWindow

    @property
    def layout(self):
        return self.site.layout

    def found(self):
        columns = window_columns(self.group, self.site, self.window)
        elements = int(np.prod(self.layout.run_shape(self.window.size)))
        faults = ValueFaults(site=self.site, columns=columns, elements=elements)
        return with_faults(self.golden, self.before, faults)


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
    deviates = draw(st.booleans())
    return Case(
        site=_site(element, layout),
        golden=golden,
        before=_random(rng, element, golden.shape) if deviates else None,
        group=_group(rng.integers(0, layout.elements, count), and_mask, xor_mask, sample),
        window=BatchWindow(start=start, stop=start + size, size=size),
    )


def _assert_as_the_whole_array(case):
    clean = _bits(case.golden)
    before = case.golden if case.before is None else case.before
    kept = _bits(before)
    expected = faulty_array(before.copy(), case.group, case.site, case.window)
    found = case.found()
    assert _bits(case.golden) == clean, "golden values are never written to"
    assert _bits(before) == kept
    assert _bits(case.golden if found is None else found) == _bits(expected)
    return found, expected


@given(cases())
def test_faults_in_every_sample(case):
    _assert_as_the_whole_array(case)


@given(cases(bound=True))
def test_faults_bound_to_samples(case):
    """With samples outside of the window and faults in every sample among them."""
    found, expected = _assert_as_the_whole_array(case)
    if case.before is None and _bits(expected) == _bits(case.golden):
        assert found is None


@given(cases())
def test_faults_that_change_nothing(case):
    """Bits stuck at what they are: no deviation where there was none."""
    words = np.uint64(ALL_BITS), np.uint64(0)
    count = len(case.group)
    idle = _group(case.group.index, [words[0]] * count, [words[1]] * count)
    idle = Case(site=case.site, golden=case.golden, before=None, group=idle, window=case.window)
    assert idle.found() is None


def test_padding_repeats_the_faults_of_the_last_sample():
    layout = SampleLayout(shape=(1, 2), batch_axis=0)
    case = Case(
        site=_site(ElementType.INT8, layout),
        golden=np.ones((6, 2), np.int8),
        before=None,
        group=_group([1], [ALL_BITS], [2], [3]),
        window=BatchWindow(start=0, stop=4, size=6),
    )
    found, _ = _assert_as_the_whole_array(case)
    assert np.flatnonzero((found != 1).any(axis=1)).tolist() == [3, 4, 5]


@pytest.mark.parametrize("deviates", [False, True])
def test_values_smaller_than_the_layout_says(deviates):
    layout = SampleLayout(shape=(1, 4), batch_axis=0)
    small = np.zeros((2, 4), np.float32)
    golden = np.zeros((3, 4), np.float32) if deviates else small
    case = Case(
        site=_site(ElementType.FLOAT, layout),
        golden=golden,
        before=small if deviates else None,
        group=_group([1], [ALL_BITS], [1]),
        window=BatchWindow(start=0, stop=3, size=3),
    )
    with pytest.raises(FaultError, match="'v' has 8 elements in this run, fewer than the profile"):
        case.found()
