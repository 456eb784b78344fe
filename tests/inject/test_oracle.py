"""Armed tensors equal the numpy oracle, bit for bit, for every type and fault model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, apply_masks, format_of
from onnxfi.faults import BitFlip, Burst, FaultSpace, Scenario, SetValue, StuckAt
from onnxfi.graph import verify_untouched

FLOATS = [ElementType.FLOAT, ElementType.FLOAT16, ElementType.BFLOAT16, ElementType.DOUBLE]
INTEGERS = [
    ElementType.INT8,
    ElementType.INT16,
    ElementType.INT32,
    ElementType.INT64,
    ElementType.UINT8,
    ElementType.UINT16,
    ElementType.UINT32,
    ElementType.UINT64,
]
TYPES = [*FLOATS, *INTEGERS, ElementType.BOOL]
ELEMENTS = 6  # of one sample


def special_words(element: ElementType) -> list[int]:
    """Zeros, all ones, and for floats: infinities, quiet and signalling NaNs, denormals."""
    form = format_of(element)
    words = [0, form.mask, 1 << (form.width - 1), 1]
    if "exponent" in form.fields:
        infinity = sum(1 << bit for bit in form.fields["exponent"])
        payload = form.fields["mantissa"]
        sign = 1 << (form.width - 1)
        words += [infinity, infinity | sign, infinity | 1, infinity | sign | 2]
        words += [infinity | (1 << payload[-1]) | 3, 1 << payload[0], sign | (1 << payload[-1])]
    return words


def tensors(element: ElementType, samples: int) -> st.SearchStrategy[np.ndarray]:
    form = format_of(element)
    word = st.sampled_from(special_words(element)) | st.integers(0, form.mask)
    size = ELEMENTS * samples
    return st.lists(word, min_size=size, max_size=size).map(lambda w: np.array(w, form.word))


def scenarios(element: ElementType, site) -> st.SearchStrategy[Scenario]:
    """One fault of any fault model, or several of them on one site."""
    width = format_of(element).width
    models = [BitFlip(), StuckAt(0), StuckAt(1), SetValue(0), SetValue("random")]
    models.append(Burst(length=min(2, width), along="bits"))
    models += [Burst(length=2, along="elements", effect=e) for e in ("flip", "stuck0", "stuck1")]
    models += [Burst(along="row", effect="zero"), Burst(along=2)]
    if width > 1:
        models += [BitFlip(count=2), BitFlip(bits=[0, width - 1])]
    space = FaultSpace([site], models)

    def build(drawn: tuple[list[int], int]) -> Scenario:
        numbers, seed = drawn
        rng = np.random.Generator(np.random.Philox(seed))
        groups = space.scenario_groups(np.array(numbers, np.int64), rng)
        return Scenario(number=0, groups=groups)

    numbers = st.lists(st.integers(0, space.size - 1), min_size=1, max_size=5)
    return st.tuples(numbers, st.integers(0, 9)).map(build)


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_faults_equal_the_oracle(open_site, element, data):
    opened = open_site(element)
    samples = data.draw(st.sampled_from([1, 3]))
    words = data.draw(tensors(element, samples))
    scenario = data.draw(scenarios(element, opened.site))
    (group,) = scenario.groups
    rows = [
        apply_masks(row, group.index, group.and_mask, group.xor_mask)
        for row in words.reshape(samples, ELEMENTS)
    ]
    np.testing.assert_array_equal(opened.faulty(words, scenario, samples), np.concatenate(rows))


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_both_scatter_flavours_agree(open_site, element, data):
    words = data.draw(tensors(element, 3))
    scenario = data.draw(scenarios(element, open_site(element).site))
    mine = open_site(element).faulty(words, scenario, 3)
    theirs = open_site(element, "nd").faulty(words, scenario, 3)
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
def test_disarmed_changes_no_bit(open_site, element):
    form = format_of(element)
    special = special_words(element)
    words = np.array((special * 18)[:18], form.word)
    np.testing.assert_array_equal(open_site(element).faulty(words, None, 3), words)


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
def test_every_special_word_under_every_flip(open_site, make_group, element):
    form = format_of(element)
    opened = open_site(element)
    for word in special_words(element):
        words = np.full(ELEMENTS, word, form.word)
        for bit in range(form.width):
            scenario = Scenario(number=0, groups=(make_group("t", (4, form.mask, 1 << bit)),))
            faulty = opened.faulty(words, scenario, 1)
            assert int(faulty[4]) == word ^ (1 << bit)
            np.testing.assert_array_equal(np.delete(faulty, 4), np.delete(words, 4))


@pytest.mark.parametrize("element", TYPES, ids=lambda element: element.name)
def test_nothing_else_is_touched(open_site, identity, element):
    verify_untouched(identity(element), open_site(element).instrumented.model)
