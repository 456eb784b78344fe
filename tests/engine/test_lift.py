"""The lift engine: the faults of the other engines, on inputs that are restored after each run."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    RunFailedError,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.engine.executable import map_weights, optimized
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import BitFlip, FaultSpace, enumerate_sites
from onnxfi.graph import initializer_words, load
from onnxfi.outcome import OutcomeCounts, choose_criterion
from onnxfi.sampling import BitErrorRateSampler, UniformSampler

STORED = ("w1", "b1", "w2", "b2")
ZOO = (
    "lenet5_mnist_fp16",
    "lenet5_mnist_fp32",
    "lenet5_mnist_int8_dynamic",
    "lenet5_mnist_int8_qdq",
    "lenet5_mnist_int8_qoperator",
    "resnet8_fashion_fp16",
    "resnet8_fashion_fp32",
    "resnet8_fashion_int8_dynamic",
    "resnet8_fashion_int8_qdq",
    "resnet8_fashion_int8_qoperator",
    "snn_snntorch_mnist",
    "snn_spikingjelly_mnist",
)
INTEGER = [name for name in ZOO if "int8" in name]


@pytest.fixture(scope="session")
def context_of(models):
    """Weights and biases of a zoo model that have a map."""

    @functools.cache
    def make(name: str, level: str = "all", samples: int = 24) -> EngineContext:
        model = load(models / f"{name}.onnx")
        data = "fashion" if "fashion" in name else "mnist"
        workload = open_workload(model, models / f"{data}_test1000.npz").take(samples)
        settings = EngineSettings(optimization=level)
        found = profile(model, workload, settings, [])
        table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
        sites = [site for site in table.sites if site.kind.value in ("weight", "bias")]
        images = map_weights(model, optimized(model, settings), sites, settings).images
        golden = golden_run(model, workload, found, settings)
        return EngineContext(
            model=model,
            workload=workload,
            profile=found,
            settings=settings,
            sites=tuple(site for site in sites if site.name in images),
            criterion=choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels),
        )

    return make


def _same_bits(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        bits = [v.view(f"u{v.itemsize}") for v in (value, second[name])]
        np.testing.assert_array_equal(*bits)


def _scenarios(context, singles=8):
    space = FaultSpace(context.sites, [BitFlip()])
    one = UniformSampler(n=singles, seed=5)
    many = BitErrorRateSampler(ber=1e-4, n=3, seed=6)
    return [one.scenario(space, k) for k in range(singles)] + [
        many.scenario(space, k) for k in range(3)
    ]


@pytest.mark.parametrize("name", ZOO)
def test_disarmed_is_the_plain_session(context_of, closing, scenario, name):
    context = context_of(name)
    plain = golden_run(context.model, context.workload, context.profile, context.settings)
    engine = closing(open_engine("lift", context))
    sites = {site.op_type: site for site in context.sites}
    nothing = [scenario(), *(_without_effect(scenario, site.name) for site in sites.values())]
    for faults in nothing:
        for result, clean in zip(engine.results(faults), plain.outputs, strict=True):
            _same_bits(result.golden, result.faulty)
            for output, values in clean.items():
                if name in INTEGER or not faults.groups:
                    _same_bits({output: result.golden[output]}, {output: values})
                else:  # a lifted matrix is not packed, which moves the last bits
                    np.testing.assert_allclose(result.golden[output], values, rtol=0, atol=2e-5)
        assert engine.run(faults).counts.masked == context.workload.samples


def _without_effect(scenario, name):
    kept = scenario((name, 0, 0))
    (group,) = kept.groups
    return replace(kept, groups=(replace(group, xor_mask=np.zeros(1, np.uint64)),))


@pytest.mark.parametrize("name", ZOO)
def test_lift_agrees_with_bake(context_of, closing, name):
    context = context_of(name)
    lift, bake = (closing(open_engine(engine, context)) for engine in ("lift", "bake"))
    total = OutcomeCounts(samples=0)
    for faults in _scenarios(context):
        mine, theirs = lift.run(faults).counts, bake.run(faults).counts
        assert (mine.critical, mine.due) == (theirs.critical, theirs.due)
        assert (mine.correct, mine.samples) == (theirs.correct, theirs.samples)
        if name in INTEGER:
            assert mine == theirs
        total += mine
    assert total.masked < total.samples


@pytest.mark.parametrize("name", ZOO)
def test_all_engines_give_the_same_bits_without_optimisation(context_of, closing, name):
    context = context_of(name, "disabled", samples=8)
    bake, lift, ports = (closing(open_engine(n, context)) for n in ("bake", "lift", "ports"))
    for faults in _scenarios(context, singles=5):
        found = zip(bake.results(faults), lift.results(faults), ports.results(faults), strict=True)
        for first, *others in found:
            for other in others:
                assert first.failure is other.failure is None
                _same_bits(first.golden, other.golden)
                _same_bits(first.faulty, other.faulty)


@pytest.mark.parametrize("name", ["lenet5_mnist_fp32", "resnet8_fashion_int8_qdq"])
def test_everything_is_restored(context_of, closing, scenario, name):
    context = context_of(name, samples=4)
    engine = closing(open_engine("lift", context))
    before = list(engine.results(scenario()))
    for faults in _scenarios(context):
        first, second = list(engine.results(faults)), list(engine.results(faults))
        for one, other in zip(first, second, strict=True):
            _same_bits(one.faulty, other.faulty)
    for one, other in zip(before, engine.results(scenario()), strict=True):
        _same_bits(one.faulty, other.faulty)
        _same_bits(one.golden, other.faulty)


@pytest.mark.parametrize("error", [RunFailedError, KeyboardInterrupt])
def test_everything_is_restored_after_errors(prepared, closing, scenario, monkeypatch, error):
    from onnxfi.engine.runtime import Session

    engine = closing(prepared.engine("lift", *STORED))
    faults = scenario(("w1", 3, 30), ("b1", 1, 30))
    expected = engine.run(faults).counts
    clean = initializer_words(prepared.context.model, "w1").view(np.float32)[3]
    real = Session.run

    def broken(self, feeds, names=(), *, hurried=False):
        if feeds["w1"].reshape(-1)[3] != clean:
            raise error("on purpose")
        return real(self, feeds, names, hurried=hurried)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", broken)
        if error is RunFailedError:
            assert engine.run(faults).counts.due == 11
        else:
            with pytest.raises(KeyboardInterrupt):
                engine.run(faults)
    assert engine.run(scenario()).counts.masked == 11
    assert engine.run(faults).counts == expected


def test_two_scenarios_in_turns(prepared, closing, scenario):
    engine = closing(prepared.engine("lift", *STORED))
    one, other = scenario(("b1", 1, 30)), scenario(("b1", 1, 30), ("b1", 2, 31))
    pairs = list(zip(engine.results(one), engine.results(other), strict=True))
    for (mine, theirs), first, second in zip(
        pairs, engine.results(one), engine.results(other), strict=True
    ):
        _same_bits(mine.faulty, first.faulty)
        _same_bits(theirs.faulty, second.faulty)


def test_several_faults_on_one_element_compose(prepared, closing, scenario):
    engine, bake = (closing(prepared.engine(name, *STORED)) for name in ("lift", "bake"))
    faults = scenario(("w1", 3, 30), ("w1", 3, 29), ("w1", 3, 30), ("b2", 0, 31))
    for mine, theirs in zip(engine.results(faults), bake.results(faults), strict=True):
        _same_bits(mine.faulty, theirs.faulty)


def test_results_do_not_depend_on_order_or_memory(prepare, classifier, images, closing, scenario):
    prepared = prepare(classifier, images)
    roomy = closing(prepared.engine("lift", *STORED))
    tight = closing(prepared.engine("lift", *STORED, memory_limit_bytes=0))
    faults = [scenario((site, 1, 30)) for site in (*STORED, *STORED)]
    faults.append(scenario(*((site, 1, 30) for site in STORED)))
    forth = [[r.faulty for r in roomy.results(each)] for each in faults]
    back = [[r.faulty for r in tight.results(each)] for each in reversed(faults)]
    for mine, theirs in zip(forth, reversed(back), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            _same_bits(one, other)


def test_packed_tensors_are_lifted_alone(prepare, classifier, images, closing, scenario):
    engine = closing(prepare(classifier, images).engine("lift", *STORED))
    (packed,) = (engine.graph.images[name][0].initializer for name in ("w2",))
    assert len(engine.graph.packed) == 2  # the matrix product's weights and its bias
    assert packed in engine.graph.packed
    for sites, count in ((("w1",), 0), (("b1", "w1"), 0), (("w2",), 1), (("w2", "b1", "b2"), 2)):
        engine.run(scenario(*((name, 0, 30) for name in sites)))
        lifted = engine.lifted[-1].feeds
        assert len(engine.graph.packed.intersection(lifted)) == count


def test_refusals(prepared, closing, scenario):
    with pytest.raises(ConfigError, match="engine lift can't fault site 'r1': it is computed"):
        prepared.engine("lift", "r1")
    engine = closing(prepared.engine("lift", "w1"))
    with pytest.raises(ConfigError, match="'w2' is not a site of this campaign"):
        engine.run(scenario(("w2", 0, 0)))
    with pytest.raises(FaultError, match="index 108 is out of range"):
        engine.run(scenario(("w1", 108, 0)))
    with pytest.raises(FaultError, match="bound to one sample"):
        engine.run(scenario(("w1", 0, 0, 1)))


def test_golden_counts_and_outcomes(prepared, closing, scenario):
    lift, bake = (closing(prepared.engine(name, *STORED)) for name in ("lift", "bake"))
    assert lift.golden_counts == bake.golden_counts
    infinite = scenario(("w2", 0, 30))
    for result in lift.results(infinite):
        assert result.failure is None
    assert lift.run(infinite).counts == bake.run(infinite).counts
