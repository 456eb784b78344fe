"""Faults in every format: they land as numpy says, and every engine gives the same."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import apply_masks, format_of, to_words
from onnxfi.engine import (
    ENGINES,
    RunFailedError,
    Session,
    examine_engine,
    open_engine,
    profile,
)
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites
from onnxfi.graph import expose, initializer_words
from onnxfi.inject import bake

# What operators take and no kernel of onnxruntime's looks at, at the level that the format runs at.
_OF_THE_GEMM = {"b3_quantized_scale", "b3_quantized_zero_point"}
DEAD = {
    "qdq_uint8_int8": _OF_THE_GEMM,
    "qdq_uint8_uint8": _OF_THE_GEMM,
    "qdq_int8_int8": _OF_THE_GEMM,
}


def _flip(site, number=0, bits=None, *, everywhere=False):
    """All bits of an element, or some of them; or of every element."""
    form = format_of(site.element)
    rng = np.random.default_rng(len(site.name) + number)
    elements = site.layout.elements
    index = np.arange(elements) if everywhere else np.array([rng.integers(elements)])
    mask = form.mask if bits is None else sum(1 << bit for bit in bits)
    group = FaultGroup(
        site=site.name,
        index=index,
        and_mask=np.full(len(index), 2**64 - 1, np.uint64),
        xor_mask=np.full(len(index), mask, np.uint64),
    )
    return Scenario(number=number, groups=(group,))


def _first_of_each(sites):
    """A site of each kind, type and operator: the others go the same ways."""
    found = {}
    for site in sites:
        found.setdefault((site.kind, site.element, site.op_type), site)
    return list(found.values())


def _top(site):
    return [format_of(site.element).width - 1]


def test_every_stored_tensor_can_be_hit(format_name, study):
    found = study(format_name)
    model, context = found.model, found.context
    feeds = context.workload.batch(0, context.profile.batch_size)
    clean = Session(model, context.settings).run(feeds)
    stored = {site.name: site for site in found.table.sites if site.kind.stored}
    assert stored
    for site in stored.values():
        lost = True
        for bits in (_top(site), None):
            scenario = _flip(site, 0, bits, everywhere=True)
            faulty = bake(model, scenario, stored)
            (group,) = scenario.groups
            words = initializer_words(model, site.name)
            expected = apply_masks(words, group.index, group.and_mask, group.xor_mask)
            np.testing.assert_array_equal(initializer_words(faulty, site.name), expected)
            assert (words != expected).all()
            try:
                outputs = Session(faulty, context.settings).run(feeds)
            except RunFailedError:
                lost = False
                continue
            lost &= all(outputs[name].tobytes() == clean[name].tobytes() for name in clean)
        assert lost == (site.name in DEAD.get(format_name, ())), site.name


def test_computed_tensors_are_what_numpy_says(format_name, study):
    """In every engine: the tensor that is hit, as its readers and outputs see it."""
    found = study(format_name)
    settings = replace(found.context.settings, optimization="disabled", batch_size=2)
    computed = [site.name for site in found.table.sites if not site.kind.stored]
    model = expose(found.model, [name for name in computed if found.model.index.producer(name)])
    workload = found.context.workload.take(2)
    layouts = profile(model, workload, settings)
    table = enumerate_sites(model.index, model.inputs, model.outputs, layouts.layouts)
    sites = [site for site in table.sites if site.name in computed]
    context = replace(
        found.context,
        model=model,
        workload=workload,
        profile=layouts,
        settings=settings,
        sites=tuple(sites),
    )
    reached = set()
    for kind in ENGINES:
        name = kind.name
        able = [site for site in _first_of_each(sites) if kind.refuses(site) is None]
        shown = [site for site in able if model.index.producer(site.name)]
        if not shown:
            continue
        with closing(open_engine(name, replace(context, sites=tuple(able)))) as engine:
            for site in shown:
                scenario = _flip(site, 1, _top(site))
                for batch in engine.results(scenario):
                    assert batch.faulty is not None
                    _check(site, scenario.groups[0], batch)
                reached.add(site.name)
    assert reached >= {s.name for s in _first_of_each(sites) if model.index.producer(s.name)}


def _check(site, group, batch):
    """Exactly the element that is hit has changed, to what the oracle makes of it."""
    clean = to_words(batch.golden[site.name], site.element)
    rows = 1 if site.layout.batch_axis is None else batch.window.size
    each = site.layout.elements
    shape = batch.golden[site.name].shape
    place = np.arange(clean.size).reshape(shape)
    if site.layout.batch_axis is not None:
        place = np.moveaxis(place, site.layout.batch_axis, 0)
    hit = place.reshape(rows, each)[:, group.index[0]]
    masks = (np.repeat(mask, rows) for mask in (group.and_mask, group.xor_mask))
    expected = apply_masks(clean, hit, *masks)
    np.testing.assert_array_equal(to_words(batch.faulty[site.name], site.element), expected)


# Computed tensors without optimisation are compared with numpy above.
@pytest.mark.parametrize(
    ("optimization", "stored"),
    [("all", True), ("all", False), ("disabled", True)],
    ids=["all-stored", "all-computed", "disabled-stored"],
)
def test_engines_agree(format_name, stored, optimization, study, runs_optimized):
    if optimization == "all" and not runs_optimized(format_name):
        pytest.skip("onnxruntime can't optimise this model")
    context = study(format_name, optimization).context
    sites = [site for site in _first_of_each(context.sites) if site.kind.stored is stored]
    scenarios = [_flip(site, number, _top(site)) for number, site in enumerate(sites)]
    given = {}
    for kind in ENGINES:
        name = kind.name
        able = {site.name for site in sites if kind.refuses(site) is None}
        mine = [each for each in scenarios if each.sites[0] in able]
        if not mine or (name == "bake" and optimization == "all"):
            continue  # its kernels differ with the graph around them
        chosen = tuple(site for site in context.sites if site.name in able)
        campaign = replace(context, sites=chosen)
        if name == "lift" and examine_engine(name, campaign) is not None:
            continue  # a tensor that was folded away has no map
        engine = open_engine(name, campaign)
        with closing(engine):
            for scenario, injection in zip(mine, engine.run_many(mine), strict=True):
                given.setdefault(scenario.number, {})[name] = injection.counts
    assert given
    for number, counts in given.items():
        assert len(set(map(str, counts.values()))) == 1, (sites[number].name, counts)
        assert (
            len(counts) > 1
            or sites[number].element.value in ("int4", "uint4")
            or "float8" in (sites[number].element.value)
        )
