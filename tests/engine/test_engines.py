"""Engines: all carry out the same faults, and nothing else decides a result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import (
    ENGINES,
    EngineContext,
    EngineSettings,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.errors import BackendError, ConfigError, FaultError, GoldenError
from onnxfi.faults import BitFlip, FaultGroup, FaultSpace, Scenario, enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import Outcome, OutcomeCounts, choose_criterion, classify_samples
from onnxfi.sampling import BitErrorRateSampler, UniformSampler
from onnxfi.workload import sample_choice

STORED = ("w1", "b1", "w2", "b2")
COMPUTED = ("image", "c1", "r1", "p1", "t1", "t2", "t3", "f1", "scores")


def _bits(outputs):
    return {name: value.view(f"u{value.itemsize}") for name, value in outputs.items()}


def _assert_same(mine, theirs):
    for one, other in zip(mine, theirs, strict=True):
        assert one.window == other.window
        assert one.failure is other.failure is None
        for name, bits in _bits(one.faulty).items():
            np.testing.assert_array_equal(bits, _bits(other.faulty)[name])
        for name, bits in _bits(one.golden).items():
            np.testing.assert_array_equal(bits, _bits(other.golden)[name])


def _able(sites):
    """Engines that can fault all of these: lift takes stored tensors only."""
    return [kind.name for kind in ENGINES if all(kind.refuses(site) is None for site in sites)]


@pytest.mark.parametrize("site", STORED + COMPUTED)
def test_all_engines_give_the_same_bits(prepared, closing, scenario, site):
    assert site in prepared.sites
    able = _able([prepared.sites[site]])
    assert len(able) == len(ENGINES.names()) - (site in COMPUTED), "only lift needs a stored tensor"
    bake, *others = (closing(prepared.engine(name, site)) for name in able)
    last = prepared.sites[site].layout.elements - 1
    changed = 0
    for bit in (0, 22, 30, 31):
        faults = scenario((site, 0, bit), (site, last, bit))
        found = list(bake.results(faults))
        for other in others:
            _assert_same(found, other.results(faults))
        differ = [r for r in found if not np.array_equal(r.golden["scores"], r.faulty["scores"])]
        changed += len(differ)
        counts = bake.run(faults).counts
        assert all(other.run(faults).counts == counts for other in others)
    assert changed  # else the comparison proves nothing


def test_scenarios_of_several_sites(prepared, closing, scenario):
    faults = scenario(("w1", 3, 30), ("r1", 5, 29), ("w2", 0, 31), ("w1", 3, 2))
    bake, ports = (closing(prepared.engine(name)) for name in ("bake", "ports"))
    _assert_same(bake.results(faults), ports.results(faults))


def test_no_fault_is_masked_and_repeatable(prepared, closing, scenario):
    for name in _able(prepared.context.sites):
        engine = closing(prepared.engine(name))
        counts = engine.run(scenario()).counts
        assert counts == engine.golden_counts
        assert counts.masked == counts.samples == 11
        assert counts.correct is not None
        first, second = list(engine.results(scenario())), list(engine.results(scenario()))
        _assert_same(first, second)


def test_disarmed_stays_close_to_the_original(prepare, classifier, images, closing, scenario):
    prepared = prepare(classifier, images)
    original = golden_run(
        classifier, images, prepared.context.profile, prepared.context.settings
    ).samples("scores")
    engine = closing(prepared.engine("ports"))
    found = np.concatenate([result.golden["scores"] for result in engine.results(scenario())])
    np.testing.assert_allclose(found, original, rtol=1e-5, atol=1e-6)


def test_counts_do_not_depend_on_the_batch_size(prepare, classifier, images, closing, scenario):
    faults = [
        scenario(("w1", 3, 30)),
        scenario(("r1", 5, 30)),
        scenario(("t2", 60, 30)),
        scenario(("r1", 5, 30, 2), ("r1", 5, 29, -1), ("t2", 9, 31, 10)),
        scenario(("c1", 0, 30, 0)),
    ]
    counts = []
    for size in (1, 4, 11):
        prepared = prepare(classifier, images, batch_size=size, optimization="disabled")
        assert prepared.context.profile.batch_size == size
        engine = closing(prepared.engine("ports"))
        counts.append([engine.run(fault).counts for fault in faults])
    assert counts[0] == counts[1] == counts[2]
    assert counts[0][4].masked >= 10  # only the first sample saw the fault


def test_a_fault_bound_to_a_sample_changes_that_sample_only(prepared, closing, scenario):
    engine = closing(prepared.engine("ports", "f1"))
    bound, everywhere = scenario(("f1", 7, 30, 6)), scenario(("f1", 7, 30))
    for faults, expected in ((bound, [6]), (everywhere, range(11))):
        changed = []
        for result in engine.results(faults):
            start, layout = result.window.start, prepared.context.profile.outputs
            codes = classify_samples(
                result.golden, result.faulty, layout, prepared.context.criterion
            )
            changed += [start + k for k in np.flatnonzero(codes != Outcome.MASKED)]
        assert set(changed) <= set(expected)
        assert 6 in changed


def test_results_do_not_depend_on_order_or_memory(prepared, closing, scenario):
    faults = [scenario((site, 1, 30)) for site in ("w1", "r1", "w2", "t2", "w1", "r1")]
    roomy, tight = (
        closing(prepared.engine("ports")),
        closing(prepared.engine("ports", memory_limit_bytes=0)),
    )
    forth = [roomy.run(fault).counts for fault in faults]
    back = [tight.run(fault).counts for fault in reversed(faults)]
    assert forth == back[::-1]
    assert forth[0] == forth[4]


def test_engines_refuse_what_they_cannot_do(prepared, closing, scenario):
    with pytest.raises(ConfigError, match="unknown engine 'lift2'; did you mean 'lift'"):
        prepared.engine("lift2")
    for name in ENGINES.names():
        engine = closing(prepared.engine(name, "w1"))
        with pytest.raises(ConfigError, match="'w2' is not a site of this campaign"):
            engine.run(scenario(("w2", 0, 0)))
        with pytest.raises(FaultError, match="index 108 is out of range"):
            engine.run(scenario(("w1", 108, 0)))
    engine = closing(prepared.engine("bake", "r1"))
    with pytest.raises(FaultError, match="bound to one sample"):
        engine.run(scenario(("r1", 0, 0, 1)))


@pytest.mark.parametrize("name", ["resnet8_fashion_fp32", "resnet8_fashion_int8_qdq"])
def test_engines_agree_on_real_models_at_the_default_level(models, closing, name):
    model = load(models / f"{name}.onnx")
    workload = open_workload(model, models / "fashion_test1000.npz").take(48)
    settings = EngineSettings()
    found = profile(model, workload, settings)
    golden = golden_run(model, workload, found, settings)
    criterion = choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    totals = {}
    for kinds in (("weight", "bias"), ("activation",)):
        sites = tuple(site for site in table.sites if site.kind.value in kinds)
        space, sampler = FaultSpace(sites, [BitFlip()]), UniformSampler(n=8, seed=5)
        rows = {}
        for engine_name in _able(sites):
            context = EngineContext(
                model=model,
                workload=workload,
                profile=found,
                settings=settings,
                sites=sites,
                criterion=criterion,
            )
            engine = closing(open_engine(engine_name, context))
            rows[engine_name] = [engine.run(sampler.scenario(space, k)).counts for k in range(8)]
        for other in rows:
            for mine, theirs in zip(rows["bake"], rows[other], strict=True):
                assert (mine.critical, mine.due) == (theirs.critical, theirs.due)
        totals[kinds] = sum(rows["ports"], OutcomeCounts(samples=0))
    assert all(total.masked < total.samples for total in totals.values())


@pytest.mark.parametrize("per_sample", [False, True])
def test_bit_error_rates_through_ports(prepared, closing, per_sample):
    sites = tuple(prepared.sites[name] for name in ("w1", "r1", "t2"))
    space = FaultSpace(sites, [BitFlip()])
    sampler = BitErrorRateSampler(ber=3e-3, n=3, seed=2, per_sample=per_sample, samples=11)
    engine = closing(prepared.engine("ports", *(site.name for site in sites)))
    for k in range(3):
        drawn = sampler.scenario(space, k)
        assert drawn.size > 10
        counts = engine.run(drawn).counts
        assert counts.masked < counts.samples
        if not per_sample:
            assert counts == closing(prepared.engine("bake")).run(drawn).counts


def test_golden_counts(prepared, closing):
    golden = golden_run(
        prepared.context.model,
        prepared.context.workload,
        prepared.context.profile,
        prepared.context.settings,
    )
    right = (golden.samples("scores").argmax(axis=1) == prepared.context.workload.labels).sum()
    for name in _able(prepared.context.sites):
        counts = closing(prepared.engine(name)).golden_counts
        assert counts == OutcomeCounts(samples=11, masked=11, correct=int(right))


def test_without_labels(prepared, closing, scenario):
    bare = replace(prepared.context, workload=replace(prepared.context.workload, labels=None))
    engine = closing(open_engine("ports", bare))
    assert engine.run(scenario(("w1", 3, 30))).counts.correct is None


def test_a_model_that_does_not_load_with_a_site_open(prepared, closing, scenario, monkeypatch):

    def refuse(*_, **__):
        raise BackendError("onnxruntime says no")

    engine = closing(prepared.engine("ports", "w1"))
    monkeypatch.setattr("onnxfi.engine.engines.ports._ports.Session", refuse)
    monkeypatch.setattr("onnxfi.engine.engines.ports._replayed.Session", refuse)
    with pytest.raises(BackendError, match=r"with 'w1' open .*\(--engine bake may run it\): onnx"):
        engine.run(scenario(("w1", 0, 0)))


def test_tensors_that_cuda_cannot_index(prepared):
    from onnxfi.engine.engines.ports import check_sizes

    sites = [prepared.sites["w1"], prepared.sites["r1"]]
    check_sizes(sites, 64)
    with pytest.raises(BackendError, match=r"'r1' has \d+ elements .*smaller --batch-size"):
        check_sizes(sites, 2**24)


@pytest.mark.parametrize("sample", [0, 2])
def test_a_fault_bound_to_a_sample_in_a_value_of_the_run(
    model_of, prepare, closing, scenario, sample
):
    """All samples of a run share the value, so the scenario runs its samples singly."""
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x, float scale) => (float[batch, 3] y)
    { y = Mul(x, scale) }
    """)
    given = {"x": np.eye(5, 3, dtype=np.float32) + 1, "scale": np.array(2, np.float32)}
    prepared = prepare(model, open_workload(model, given), batch_size=5)
    engine = closing(prepared.engine("ports", "scale"))
    counts = engine.run(scenario(("scale", 0, 31, sample))).counts
    assert (counts.critical, counts.masked) == (1, 4)
    assert [r.window.samples for r in engine.results(scenario(("scale", 0, 31)))] == [5]


@pytest.mark.parametrize("name", ["bake", "ports"])
def test_golden_has_the_same_nodes_as_the_faulty_model(models, prepare, closing, name):
    """At the default level fp16 kernels differ with the graph around them; no fault, no change."""
    model = load(models / "lenet5_mnist_fp16.onnx")
    workload = open_workload(model, models / "mnist_test1000.npz").take(8)
    prepared = prepare(model, workload)
    sites = [site.name for site in prepared.context.sites if site.op_type == "Conv"]
    for site in sites:
        nothing = FaultGroup(
            site=site,
            index=np.zeros(1, np.int64),
            and_mask=np.full(1, 2**64 - 1, np.uint64),
            xor_mask=np.zeros(1, np.uint64),
        )
        engine = closing(prepared.engine(name, site))
        assert engine.run(Scenario(number=0, groups=(nothing,))).counts.masked == 8
    plain = golden_run(model, workload, prepared.context.profile, EngineSettings())
    engine = closing(prepared.engine(name, *sites))
    groups = tuple(replace(nothing, site=site) for site in sites)
    golden = next(engine.results(Scenario(number=0, groups=groups))).golden
    # Without this the test would prove nothing: the untouched model does give other bits.
    assert not np.array_equal(golden["logits"], plain.outputs[0]["logits"])


@pytest.mark.parametrize("name", ENGINES.names())
def test_engines_refuse_models_that_are_not_reproducible(
    model_of, prepare, closing, scenario, name
):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[batch, 3] x) => (float[batch, 3] y)
    <float[3] w = {1.0, 2.0, 3.0}>
    { r = RandomNormalLike(x)  s = Add(x, r)  y = Mul(s, w) }
    """)
    workload = open_workload(model, {"x": np.ones((4, 3), np.float32)})
    engine = closing(prepare(model, workload).engine(name, "w"))
    with pytest.raises(GoldenError, match="not reproducible"):
        engine.run(scenario(("w", 0, 0)))


MIXING = """
<ir_version: 10, opset_import: ["" : 17]>
mixing (float[3, 4] x) => (float[3, 4] y)
{ a = Relu(x)  top = ReduceMax<axes = [0, 1], keepdims = 1>(a)  y = Div(a, top) }
"""


def test_engines_agree_where_rows_of_a_fixed_batch_mix(model_of, prepare, closing, scenario):
    model = model_of(MIXING)
    x = np.random.default_rng(1).uniform(1, 2, (5, 4)).astype(np.float32)
    said = sample_choice(["x=0"])
    prepared = prepare(model, open_workload(model, {"x": x}, choice=said))
    assert prepared.context.profile.batch_size == 1
    bake, ports, late = (closing(prepared.engine(name, "a")) for name in ("bake", "ports", "cut"))
    for element in range(4):
        # Clearing the exponent makes the largest element small in all three copies of a sample.
        faults = scenario((("a", element, 30)), ("a", element, 29))
        _assert_same(bake.results(faults), ports.results(faults))
        _assert_same(bake.results(faults), late.results(faults))
        singled = [("a", element, bit, 2) for bit in (29, 30)]
        bound = list(ports.results(scenario(*singled)))[2]
        _assert_same(ports.results(scenario(*singled)), late.results(scenario(*singled)))
        whole = list(ports.results(faults))[2]
        np.testing.assert_array_equal(bound.faulty["y"], whole.faulty["y"])
