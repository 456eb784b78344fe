"""Tags: numbers written into stored values can be read back wherever they end up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.bits import ElementType, format_of, from_words, to_words
from onnxfi.engine.executable import Numbering, Traced, can_tag, converted, related
from onnxfi.faults import FaultSite, SampleLayout, SiteKind

KINDS = ElementType
TAGGED = [element for element in KINDS if can_tag(element)]


def site(name: str, element: ElementType, elements: int) -> FaultSite:
    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT,
        element=element,
        node="n",
        op_type="Conv",
        layer="n",
        layout=SampleLayout(shape=(elements,), batch_axis=None),
    )


@given(
    st.lists(st.tuples(st.sampled_from(TAGGED), st.integers(0, 70_000)), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_permuted_elements_are_found(parts, random):
    sites = [site(f"s{k}", element, count) for k, (element, count) in enumerate(parts)]
    numbering = Numbering.of(sites)
    passes = [numbering.tags(digit) for digit in range(numbering.passes)]
    for one in sites:
        elements = one.layout.elements
        order = np.random.default_rng(random.randrange(2**32)).permutation(elements)
        padded = [
            np.append(tags[one.name][order], np.zeros(3, tags[one.name].dtype)) for tags in passes
        ]
        numbers = numbering.read(padded, one.element)
        np.testing.assert_array_equal(numbering.elements_of(one.name, numbers)[:elements], order)
        assert (numbers[elements:] == -1).all()  # padding has no source
        for other in sites:
            if other is not one and related(other.element, one.element):
                assert (numbering.elements_of(other.name, numbers) == -1).all()


def test_several_passes_where_one_cannot_hold_all():
    assert Numbering.of([site("w", KINDS.FLOAT, 1 << 20)]).passes == 1
    assert Numbering.of([site("w", KINDS.FLOAT, (1 << 20) + 1)]).passes == 2
    assert Numbering.of([site("w", KINDS.INT8, 250)]).passes == 1
    assert Numbering.of([site("w", KINDS.INT8, 250 * 250 + 1)]).passes == 3
    half = [site("w", KINDS.FLOAT16, 1000), site("v", KINDS.FLOAT, 1000)]
    assert Numbering.of(half).passes == 2


def test_tags_avoid_what_is_special():
    for element in TAGGED:
        numbering = Numbering.of([site("w", element, 3000)])
        for digit in range(numbering.passes):
            values = from_words(numbering.tags(digit)["w"], element, (3000,)).astype(np.float64)
            assert not np.isin(values, (0, 1)).any()
            assert np.isfinite(values).all()


@pytest.mark.parametrize("element", [KINDS.FLOAT16, KINDS.BFLOAT16])
def test_numbers_survive_widening(element):
    numbering = Numbering.of([site("w", element, 5000)])
    wide = [
        converted(numbering.tags(digit)["w"], element, KINDS.FLOAT)
        for digit in range(numbering.passes)
    ]
    numbers = numbering.read(wide, KINDS.FLOAT)
    np.testing.assert_array_equal(numbering.elements_of("w", numbers), np.arange(5000))


def test_other_values_are_no_numbers():
    numbering = Numbering.of([site("w", KINDS.FLOAT, 9)])
    values = np.array([0, 1, -3, 2.5, np.nan, np.inf, 1e30, 11, 2], np.float32)
    numbers = numbering.read([to_words(values, KINDS.FLOAT)], KINDS.FLOAT)
    found = numbering.elements_of("w", numbers)
    np.testing.assert_array_equal(found, [-1] * 8 + [0])
    integers = np.array([2**64 - 1, 1, 2], np.uint64)
    numbering = Numbering.of([site("w", KINDS.INT64, 9)])
    np.testing.assert_array_equal(numbering.read([integers], KINDS.INT64) >= 0, [0, 0, 1])


def test_related_types_share_numbers():
    assert related(KINDS.FLOAT16, KINDS.FLOAT)
    assert not related(KINDS.INT8, KINDS.UINT8)
    assert not can_tag(KINDS.BOOL)
    assert (
        format_of(KINDS.FLOAT).word
        == converted(np.zeros(1, np.uint16), KINDS.FLOAT16, KINDS.FLOAT).dtype
    )


def test_images_find_every_copy():
    image = Traced(
        initializer="w",
        element=KINDS.FLOAT,
        source=np.array([0, 1, 1, 4]),
        position=np.array([7, 2, 5, 0]),
    )
    entries, owner = image.find(np.array([4, 1, 3]))
    position = image.positions(entries)
    assert sorted(zip(owner.tolist(), position.tolist(), strict=True)) == [(0, 0), (1, 2), (1, 5)]
    empty, nobody = image.find(np.array([2, 3]))
    assert empty.size == nobody.size == 0
