"""Faults carried out on the host equal the oracle, for every type that arrays hold."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType, apply_masks, format_of, from_words, has_format, to_words
from onnxfi.errors import FaultError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, SiteKind
from onnxfi.inject import BatchWindow, can_start, faulty_array

WHOLE = [
    element
    for element in ElementType
    if has_format(element) and (format_of(element).width >= 8 or element is ElementType.BOOL)
]


def _site(element: ElementType, layout: SampleLayout | None) -> FaultSite:
    return FaultSite(
        name="v",
        kind=SiteKind.ACTIVATION,
        element=element,
        node="n",
        op_type="Op",
        layer="n",
        layout=layout,
    )


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("element", WHOLE, ids=lambda element: element.name)
def test_the_host_equals_the_oracle(element, axis):
    rng, samples = np.random.default_rng(1), 3
    layout = SampleLayout(
        shape=(2, 4) if axis is None else (1, 4) if axis == 0 else (4, 1), batch_axis=axis
    )
    shape, form = layout.run_shape(samples), format_of(element)
    words = rng.integers(0, form.mask, shape, np.uint64, endpoint=True).astype(form.word).ravel()
    values = from_words(words, element, shape)
    index = np.array([3, 0, 3], np.int64)
    masks = rng.integers(0, form.mask, (2, 3), np.uint64, endpoint=True)
    group = FaultGroup(site="v", index=index, and_mask=masks[0], xor_mask=masks[1])
    window = BatchWindow(start=0, stop=samples, size=samples)
    found = faulty_array(values, group, _site(element, layout), window)
    copies = range(1) if axis is None else range(samples)
    flat = [layout.flat(index, np.array(sample), samples) for sample in copies]
    expected = apply_masks(
        to_words(values, element),
        np.concatenate(flat),
        np.tile(masks[0], len(flat)),
        np.tile(masks[1], len(flat)),
    )
    np.testing.assert_array_equal(to_words(found, element), expected)
    np.testing.assert_array_equal(to_words(values, element), words)  # the clean array stays


def test_a_run_that_is_smaller_than_the_layout_says():
    site = _site(ElementType.FLOAT, SampleLayout(shape=(1, 4), batch_axis=0))
    one = np.ones(1, np.uint64)
    group = FaultGroup(site="v", index=np.array([3], np.int64), and_mask=one, xor_mask=one)
    window = BatchWindow(start=0, stop=2, size=2)
    with pytest.raises(FaultError, match="'v' has 4 elements in this run, fewer than"):
        faulty_array(np.zeros((1, 4), np.float32), group, site, window)


def test_where_a_model_can_be_started():
    layout = SampleLayout(shape=(1, 4), batch_axis=0)
    assert can_start(_site(ElementType.FLOAT8E5M2, layout)) is None
    assert can_start(_site(ElementType.BOOL, layout)) is None
    assert can_start(_site(ElementType.INT4, layout)) is None
    assert "not single words" in str(can_start(_site(ElementType.COMPLEX64, layout)))
    assert "give a workload" in str(can_start(_site(ElementType.FLOAT, None)))
