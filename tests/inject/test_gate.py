"""Faults bound to iterations of a loop, for every element type, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.bits import ElementType, apply_masks, format_of, from_words, to_words
from onnxfi.engine import EngineSettings, Session
from onnxfi.errors import FaultError
from onnxfi.faults import PORT_TYPES, FaultGroup, FaultSite, SampleLayout, Scenario, SiteKind
from onnxfi.graph import load, verify_untouched
from onnxfi.inject import BatchWindow, arm, bake, instrument

SHAPE = (2, 3)
TRIPS = 4
NAME = "loop/body/t"
TYPES = sorted(PORT_TYPES, key=lambda element: element.value)


def looped(number):
    """``seen`` is what ``t``, a copy of x, was in each iteration."""

    def info(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["c2"]),
            helper.make_node("Identity", ["x"], ["t"]),
            helper.make_node("Identity", ["t"], ["out"]),
        ],
        "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, [])],
        [info("c2", TensorProto.BOOL, []), info("out", number, None)],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["trips", "go"], ["seen"], name="loop", body=body)],
        "looped",
        [info("x", number, ["n", *SHAPE])],
        [info("seen", number, None)],
        [
            helper.make_tensor("trips", TensorProto.INT64, [], [TRIPS]),
            helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        ],
    )
    return load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def site_of(element, step=None):
    layout = SampleLayout(shape=(1, *SHAPE), batch_axis=0, steps=TRIPS)
    site = FaultSite(
        name=NAME,
        kind=SiteKind.ACTIVATION,
        element=element,
        node="loop/body/Identity#2",
        op_type="Identity",
        layer="x",
        layout=layout,
        repeated=True,
        body="loop/body",
    )
    return site if step is None else site.at(step)


def flips(site, index, sample=None):
    width = format_of(site.element).width
    many = len(index)
    return FaultGroup(
        site=site.name,
        index=np.array(index),
        and_mask=np.full(many, 2**width - 2, np.uint64),
        xor_mask=np.full(many, 1 << (width - 1), np.uint64),
        sample=None if sample is None else np.full(many, sample),
    )


def words_in(element, samples):
    rng = np.random.default_rng(3)
    width = format_of(element).width
    top = 2 if element is ElementType.BOOL else 2**width
    size = samples * 6
    words = rng.integers(0, top, size, dtype=np.uint64, endpoint=False)
    return words.astype(format_of(element).word)


def faulty(words, element, index):
    """The oracle: the fault in the same elements of each sample."""
    width = format_of(element).width
    where = (np.arange(0, len(words), 6)[:, None] + np.array(index)).ravel()
    keep = np.full(len(where), 2**width - 2, np.uint64)
    toggle = np.full(len(where), 1 << (width - 1), np.uint64)
    return apply_masks(words, where, keep, toggle)


@pytest.mark.parametrize("scatter", ["elements", "nd"])
@pytest.mark.parametrize("element", TYPES, ids=lambda each: each.value)
def test_each_iteration_has_its_own_faults(element, scatter, onnx_number):
    model = looped(onnx_number(element))
    sites = [site_of(element), site_of(element, 1), site_of(element, 3)]
    opened = instrument(model, sites, scatter=scatter)
    assert len(opened.ports) == 1
    verify_untouched(model, opened.model)
    session = Session(opened.model, EngineSettings())
    words = words_in(element, 2)
    feeds = {"x": from_words(words, element, (2, *SHAPE))}
    window = BatchWindow(start=0, stop=2, size=2)

    def seen(*groups):
        scenario = Scenario(number=0, groups=groups)
        extra = arm(opened, scenario, window=window, stored_words={})
        return to_words(session.run({**feeds, **extra})["seen"], element).reshape(TRIPS, -1)

    clean = [words] * TRIPS
    np.testing.assert_array_equal(seen(), clean)
    once = seen(flips(sites[1], [4]))
    np.testing.assert_array_equal(once, [words, faulty(words, element, [4]), words, words])
    twice = seen(flips(sites[1], [4]), flips(sites[2], [0, 4]))
    expected = [words, faulty(words, element, [4]), words, faulty(words, element, [0, 4])]
    np.testing.assert_array_equal(twice, expected)
    mixed = seen(flips(sites[0], [2]), flips(sites[2], [5]))
    always = faulty(words, element, [2])
    expected = [always, always, always, faulty(words, element, [2, 5])]
    np.testing.assert_array_equal(mixed, expected)
    bound = seen(flips(sites[1], [4], sample=1))
    expected[:] = [words] * TRIPS
    expected[1] = np.concatenate([words[:6], faulty(words, element, [4])[6:]])
    np.testing.assert_array_equal(bound, expected)


@pytest.mark.parametrize("element", TYPES, ids=lambda each: each.value)
def test_baked_iterations(element, onnx_number):
    model = looped(onnx_number(element))
    sites = {site.name: site for site in (site_of(element), site_of(element, 2))}
    words = words_in(element, 3)
    feeds = {"x": from_words(words, element, (3, *SHAPE))}
    groups = (flips(sites[NAME], [1]), flips(sites[f"{NAME}@2"], [3, 0]))
    for number, expected in [
        (1, [faulty(words, element, [1])] * TRIPS),
        (2, [faulty(words, element, [0, 1, 3] if at == 2 else [1]) for at in range(TRIPS)]),
    ]:
        baked = bake(model, Scenario(number=0, groups=groups[:number]), sites)
        verify_untouched(model, baked)
        found = Session(baked, EngineSettings()).run(feeds)["seen"]
        np.testing.assert_array_equal(to_words(found, element).reshape(TRIPS, -1), expected)


def test_only_loops_have_iterations(identity, make_site):
    site = make_site("t")
    object.__setattr__(site, "repeated", True)
    with pytest.raises(FaultError, match="'t' is in no loop"):
        instrument(identity(ElementType.FLOAT), [site.at(0)])


def test_a_step_of_a_sequence_is_no_iteration(onnx_number):
    element = ElementType.FLOAT
    site = site_of(element, 2)
    scenario = Scenario(number=0, groups=(flips(site, [1]),))
    model = looped(onnx_number(element))
    with pytest.raises(FaultError, match="one step of a sequence"):
        bake(model, scenario, {site.name: site}, in_sequences=True)
