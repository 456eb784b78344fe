"""Monitors: statistics of values inside the model, the same in every engine and for any batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import EngineSettings, golden_statistics, open_engine, open_workload, profile
from onnxfi.faults import BitFlip, FaultSpace
from onnxfi.graph import load
from onnxfi.outcome import Outcome, PartialStatistics, value_statistics
from onnxfi.sampling import UniformSampler

WATCHED = ("c1", "r1", "t2", "scores")


@pytest.fixture
def watched(prepared, closing):
    """Engines for some sites that monitor values."""

    def make(name, *sites, monitors=WATCHED, prepared=prepared, **settings):
        context = prepared.context
        chosen = tuple(prepared.sites[site] for site in sites) or context.sites
        how = replace(context.settings, **settings)
        context = replace(context, monitors=monitors, sites=chosen, settings=how)
        return closing(open_engine(name, context))

    return make


def _by_hand(engine, scenario, layouts):
    """The statistics from the arrays of all runs."""
    found = dict.fromkeys(WATCHED, PartialStatistics())
    for result in engine.results(scenario):
        for name in WATCHED:
            axis = layouts[name].batch_axis
            assert result.faulty[name].shape[axis] == result.window.samples
            found[name] += value_statistics(result.faulty[name], result.golden[name])
    return {name: part.whole() for name, part in found.items()}


@pytest.mark.parametrize("site", ["w1", "r1", "image", "scores"])
def test_every_engine_gives_the_same(prepared, watched, scenario, site):
    faults = scenario((site, 1, 30), (site, 0, 22))
    found = {}
    for name in ("bake", "ports", "cut", *(["lift"] if site == "w1" else [])):
        engine = watched(name, site)
        found[name] = engine.run(faults)
        layouts = {**prepared.context.profile.layouts, **prepared.context.profile.outputs}
        assert found[name].monitors == _by_hand(engine, faults, layouts)
    first, *others = found.values()
    assert all(other[0] == first[0] and other[2] == first[2] for other in others)
    assert first.monitors["scores"].changed_share > 0
    behind = {"r1": ("c1",), "scores": ("c1", "r1", "t2")}.get(site, ())
    assert all(first.monitors[name].changed_share == 0 for name in behind)


def test_outcomes_are_those_of_the_outputs_alone(prepared, watched, closing, scenario):
    faults = scenario(("t2", 3, 0), ("b1", 0, 1))
    plain = closing(prepared.engine("ports"))
    assert watched("ports").run(faults).counts == plain.run(faults).counts
    # Masked says nothing of what happened inside.
    inside = scenario(("c1", 0, 31))
    injection = watched("cut", "c1", monitors=("c1",)).run(inside)
    assert injection.monitors["c1"].changed_share > 0
    assert watched("cut", "c1").golden_counts.masked == 11


def test_values_are_seen_with_the_fault_in_them(prepared, watched, scenario):
    clean = watched("ports", "r1").run(scenario()).monitors["r1"]
    faulty = watched("ports", "r1").run(scenario(("r1", 0, 31))).monitors["r1"]
    assert clean.changed_share == 0
    # One element a sample, of which the sign bit is always changed.
    assert faulty.changed_share == 11 / faulty.elements


@pytest.mark.parametrize("size", [1, 3, 11])
def test_any_batch_size_gives_the_same_up_to_rounding(prepared, watched, scenario, size):
    faults = scenario(("w1", 1, 23))
    expected = watched("ports", "w1").run(faults).monitors
    context = prepared.context
    found = profile(
        context.model, context.workload, EngineSettings(optimization="disabled", batch_size=size)
    )
    other = replace(prepared, context=replace(context, profile=found))
    got = watched("ports", "w1", prepared=other).run(faults).monitors
    for name, one in expected.items():
        for field in one.__slots__:
            before, after = getattr(one, field), getattr(got[name], field)
            close = before is not None and after == pytest.approx(before, rel=1e-5)
            assert after == before or close, (name, field)


def test_little_memory_changes_nothing(watched, scenario):
    faults = scenario(("w2", 1, 30))
    expected = watched("ports", "w2").run(faults).monitors
    tight = watched("ports", "w2", memory_limit_bytes=0)
    assert tight.run(faults).monitors == expected
    assert tight.run(faults).monitors == expected


def test_golden_statistics(prepared, watched, scenario):
    context = prepared.context
    study = context.model, context.workload, context.profile, context.settings
    found = golden_statistics(*study, WATCHED)
    assert golden_statistics(*study, ()) == {}
    disarmed = watched("ports").run(scenario()).monitors
    assert all(found[name].mean == pytest.approx(disarmed[name].mean) for name in WATCHED)
    assert found["r1"].min == 0 < found["r1"].zero_share


PADDED = """
<ir_version: 10, opset_import: ["" : 18]>
g (float[4, 2] x) => (float[4, 2] y) { h = Neg(x)  y = Relu(h) }
"""


def test_padding_is_not_counted(prepare, model_of, watched, scenario):
    model = model_of(PADDED)
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    prepared = prepare(model, open_workload(model, {"x": values}))
    found = (
        watched("ports", monitors=("h",), prepared=prepared).run(scenario(("h", 1, 31))).monitors
    )
    assert found["h"].elements == 12
    assert found["h"].changed_share == 0.5
    assert found["h"].sum == -values[:, 0].sum() + values[:, 1].sum()


GATHERS = """
<ir_version: 10, opset_import: ["" : 18]>
g (int64[n, 2] x) => (float[n, 2] y)
<float[3] table = {1, 2, 3}>
{ h = Add(x, x)  z = Sub(h, x)  y = Gather(table, z) }
"""


def test_runs_without_outputs_are_left_out(prepare, model_of, watched, scenario):
    model = model_of(GATHERS)
    values = np.array([[0, 1], [1, 2], [2, 0]])
    prepared = prepare(model, open_workload(model, {"x": values}))
    engine = watched("ports", monitors=("h", "y"), prepared=prepared)
    whole = engine.run(scenario(("z", 0, 40)))
    assert whole.counts.due_exception == 3
    assert whole.monitors["h"].elements == 0
    assert whole.monitors["h"].mean is None
    one = engine.run(scenario(("z", 0, 40, 1)))
    assert one.counts.due_exception == 1
    assert one.monitors["y"].elements == 4
    assert one.monitors["h"].sum == 2 * (values[0].sum() + values[2].sum())
    assert one.monitors["h"].changed_share == 0
    assert [r.failure for r in engine.results(scenario(("z", 0, 40, 1)))].count(
        Outcome.DUE_EXCEPTION
    ) == 1


@pytest.mark.parametrize(
    "name",
    [pytest.param("resnet8_fashion_int8_qdq", marks=pytest.mark.heavy), "lenet5_mnist_fp16"],
)
def test_real_models_in_all_engines(models, prepare, watched, name):
    model = load(models / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = open_workload(model, models / f"{data}_test1000.npz").take(6)
    prepared = prepare(model, workload, output="logits", batch_size=4)
    names = [node.outputs[0] for node in model.index.nodes if node.op_type == "Relu"] + ["logits"]
    weights = [site for site in prepared.context.sites if site.kind.value == "weight"]
    space = FaultSpace(weights, [BitFlip()])
    drawn = [UniformSampler(n=12, seed=2).scenario(space, k) for k in range(12)]
    sites = [site.name for site in weights]
    engines = [
        watched(engine, *sites, monitors=tuple(names), prepared=prepared)
        for engine in ("lift", "ports", "cut", "bake")
    ]
    changed = 0
    for faults in drawn:
        results = [engine.run(faults) for engine in engines]
        lift, ports, cut, bake = ((each.counts, each.monitors) for each in results)
        assert lift == ports
        # A product of floats runs narrow in cut, with the kernel that is deployed.
        assert cut in (lift, bake)
        changed += any(each.changed_share for each in results[0].monitors.values())
    assert changed
