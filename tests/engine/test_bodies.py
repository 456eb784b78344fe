"""Faults inside If, Loop and Scan bodies: both engines that can, against numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.engine import (
    EngineSettings,
    Scenarios,
    choose_engine,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites, site_named
from onnxfi.workload import sample_choice

LOOP = """
<ir_version: 10, opset_import: ["" : 17]>
accumulator (float[N, 4] x) => (float[N, 4] y, float[T, N, 4] trace)
<int64 four = {4}, bool go = {1}, float half = {0.5}>
{
  [loop] y, trace = Loop (four, go, x) <body = step (int64 i, bool c, float[M, 4] h)
      => (bool c2, float[M, 4] h2, float[M, 4] seen) {
    c2 = Identity (c)
    scaled = Mul (h, half)
    h2 = Add (scaled, x)
    seen = Relu (h2)
  }>
}
"""
SCAN = """
<ir_version: 10, opset_import: ["" : 17]>
scanner (float[N, 3, 2] x) => (float[N, 2] last, float[N, 3, 2] y)
<float half = {0.5}, int64[1] first = {0}, int64[1] axis = {1}>
{
  zero = Sub (x, x)
  start = ReduceSum <keepdims = 0> (zero, axis)
  [scan] last, y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
      body = step (float[M, 2] s, float[M, 2] now) => (float[M, 2] s2, float[M, 2] out) {
    scaled = Mul (s, half)
    s2 = Add (scaled, now)
    out = Relu (s2)
  }> (start, x)
}
"""
NESTED = """
<ir_version: 10, opset_import: ["" : 17]>
nested (float[N, 2] x) => (float[N, 2] y)
<int64 three = {3}, int64 two = {2}, int64 one = {1}, bool go = {1}, float half = {0.5}>
{
  [outer] y = Loop (three, go, x) <body = step (int64 i, bool c, float[M, 2] h)
      => (bool c2, float[M, 2] h3) {
    c2 = Identity (c)
    [inner] h2 = Loop (two, c, h) <body = again (int64 j, bool d, float[L, 2] g)
        => (bool d2, float[L, 2] g2) {
      d2 = Identity (d)
      g1 = Mul (g, half)
      g2 = Add (g1, x)
    }>
    late = Greater (i, one)
    [which] h3 = If (late) <
      then_branch = later () => (float[K, 2] p) { q = Neg (h2)
                                                 p = Add (q, x) },
      else_branch = sooner () => (float[K, 2] r) { r = Relu (h2) }>
  }>
}
"""
CHOICE = """
<ir_version: 10, opset_import: ["" : 17]>
choice (float[N, 2] x) => (float[N, 2] y)
<float zero = {0}, int64[2] axes = {0, 1}>
{
  total = ReduceSum <keepdims = 0> (x, axes)
  up = Greater (total, zero)
  [which] y = If (up) <
    then_branch = pos () => (float[K, 2] p) { q = Neg (x)
                                             p = Add (q, x) },
    else_branch = neg () => (float[K, 2] r) { r = Relu (x) }>
}
"""
COUNTED = """
<ir_version: 10, opset_import: ["" : 17]>
counted (int64[1] n, float[2] x) => (float[2] y)
<bool go = {1}, int64 one = {1}, int64[0] none = {}>
{
  times = Reshape (n, none)
  [loop] y = Loop (times, go, x) <body = step (int64 i, bool c, float[2] h)
      => (bool c2, float[2] h2) {
    c2 = Identity (c)
    [late] h2 = If (c) <
      then_branch = always () => (float[2] p) { p = Add (h, x) },
      else_branch = never () => (float[2] r) { r = Neg (h) }>
  }>
}
"""


def accumulator(x, fault):
    h, seen = x, []
    for step in range(4):
        h = fault("loop/body/h", step, h)
        scaled = fault("loop/body/scaled", step, h * np.float32(0.5))
        h = fault("loop/body/h2", step, scaled + x)
        seen.append(fault("loop/body/seen", step, np.maximum(h, np.float32(0))))
    return {"y": h, "trace": np.stack(seen)}


def scanner(x, fault):
    s, out = np.zeros_like(x[:, 0]), []
    for step in range(3):
        s = fault("scan/body/s", step, s)
        now = fault("scan/body/now", step, x[:, step])
        scaled = fault("scan/body/scaled", step, s * np.float32(0.5))
        s = fault("scan/body/s2", step, scaled + now)
        out.append(fault("scan/body/out", step, np.maximum(s, np.float32(0))))
    return {"last": s, "y": np.stack(out, axis=1)}


def nested(x, fault):
    h = x
    for i in range(3):
        g = h = fault("outer/body/h", i, h)
        for j in range(2):
            inner = "outer/body/inner/body"
            g = fault(f"{inner}/g", j, g)
            g1 = fault(f"{inner}/g1", j, g * np.float32(0.5))
            g = fault(f"{inner}/g2", j, g1 + x)
        h2 = fault("outer/body/h2", i, g)
        if i > 1:
            q = fault("outer/body/which/then_branch/q", i, -h2)
            h = fault("outer/body/which/then_branch/p", i, q + x)
        else:
            h = fault("outer/body/which/else_branch/r", i, np.maximum(h2, np.float32(0)))
        h = fault("outer/body/h3", i, h)
    return {"y": h}


def choice(x, fault):
    if x.sum() > 0:
        q = fault("which/then_branch/q", 0, -x)
        return {"y": fault("which/then_branch/p", 0, q + x)}
    return {"y": fault("which/else_branch/r", 0, np.maximum(x, np.float32(0)))}


MODELS = {
    "loop": (LOOP, accumulator, (6, 4)),
    "scan": (SCAN, scanner, (6, 3, 2)),
    "nested": (NESTED, nested, (6, 2)),
    "choice": (CHOICE, choice, (6, 2)),
}
# Whole numbers and a half: exact in float32, so that numpy's order of adding is no matter. Some are
# negative, for Relu and the If by sample.
VALUES = [-3.0, -1.5, 0.5, 1.0, 2.0, 4.5]


@pytest.fixture(scope="module", params=MODELS)
def case(request, model_of, prepare):
    text, oracle, shape = MODELS[request.param]
    model = model_of(text)
    values = np.random.default_rng(5).choice(VALUES, shape).astype(np.float32)
    # One of them decides by the sum over all samples of a run.
    workload = open_workload(model, {"x": values}, choice=sample_choice(["x=0"]))
    prepared = prepare(model, workload, optimization="disabled", output=model.outputs[0].name)
    inside = [name for name, site in prepared.sites.items() if site.body]
    return (
        prepared,
        oracle,
        values,
        [n for n in inside if prepared.sites[n].element.name == "FLOAT"],
    )


def group(name, index, mask):
    return FaultGroup(
        site=name,
        index=np.array([index]),
        and_mask=np.array([2**32 - 1], np.uint64),
        xor_mask=np.array([mask], np.uint64),
    )


def bits(values):
    return np.ascontiguousarray(values).view(np.uint32)


def hit(wanted, steps, index, mask):
    """Flips bits of one element of a sample in each row, in some steps of a value."""

    def fault(name, step, values):
        if name != wanted or (steps is not None and step not in steps):
            return values
        faulty = values.copy()
        rows = faulty.reshape(len(faulty), -1).view(np.uint32)
        rows[:, index] ^= np.uint32(mask)
        return faulty

    return fault


def outputs(engine, scenario):
    """Faulty outputs of all samples, by name, from runs of one or several."""
    found = [result.faulty for result in engine.results(scenario)]
    assert all(each is not None for each in found)
    return found


def compare(found, oracle, values, fault, size):
    for position, each in enumerate(found):
        rows = values[position * size : position * size + size]
        expected = oracle(rows, fault)
        for name, array in expected.items():
            padded = each[name]
            np.testing.assert_array_equal(bits(padded), bits(array), err_msg=name)


def test_what_bodies_compute_are_sites(case):
    prepared, _, _, inside = case
    assert inside
    for name in inside:
        site = prepared.sites[name]
        assert site.repeated == any(part in name for part in ("loop", "scan", "outer"))
        last = name.rpartition("/")[2]
        assert site.kind.value == ("state" if last in ("h", "s", "g") else "activation")
        assert (site.layout.steps is not None) == site.repeated


@pytest.mark.parametrize("engine", ["ports", "bake"])
def test_faults_enter_as_numpy_says(engine, case, closing):
    prepared, oracle, values, inside = case
    size = prepared.context.profile.batch_size
    rng = np.random.default_rng(6)
    for name in inside:
        site = prepared.sites[name]
        steps = [None, (0,), (site.layout.steps - 1,)] if site.repeated else [None]
        sites = [site if chosen is None else site.at(chosen[0]) for chosen in steps]
        opened = _engine(prepared, engine, sites, closing)
        for chosen, here in zip(steps, sites, strict=True):
            index = int(rng.integers(site.layout.elements))
            mask = int(1 << rng.integers(32))
            scenario = Scenario(number=0, groups=(group(here.name, index, mask),))
            found = outputs(opened, scenario)
            compare(found, oracle, values, hit(name, chosen, index, mask), size)


def _engine(prepared, name, sites, closing):
    unique = {site.name: site for site in sites}
    return closing(open_engine(name, replace(prepared.context, sites=tuple(unique.values()))))


def test_disarmed_is_golden(case, closing):
    prepared, oracle, values, inside = case
    sites = [prepared.sites[name] for name in inside]
    sites += [site.at(0) for site in sites if site.repeated]
    engine = _engine(prepared, "ports", sites, closing)
    none = FaultGroup(
        site=sites[0].name,
        index=np.zeros(0, np.int64),
        and_mask=np.zeros(0, np.uint64),
        xor_mask=np.zeros(0, np.uint64),
    )
    both = (none, group(sites[1].name, 0, 0)) if len(sites) > 1 else (none,)
    size = prepared.context.profile.batch_size
    found = outputs(engine, Scenario(number=0, groups=both))
    compare(found, oracle, values, lambda name, step, values: values, size)


def test_faults_in_several_steps_and_sites_at_once(case, closing):
    prepared, oracle, values, inside = case
    chosen = [prepared.sites[name] for name in inside[:2]]
    sites, groups, faults = [], [], []
    for place, site in enumerate(chosen):
        steps = (0, 1) if site.repeated and site.layout.steps > 1 else (None,)
        for step in steps:
            here = site if step is None else site.at(step)
            sites.append(here)
            groups.append(group(here.name, place, 1 << 30))
            faults.append(hit(site.name, None if step is None else (step,), place, 1 << 30))

    def fault(name, step, values):
        for each in faults:
            values = each(name, step, values)
        return values

    size = prepared.context.profile.batch_size
    for engine in ("ports", "bake"):
        opened = _engine(prepared, engine, sites, closing)
        found = outputs(opened, Scenario(number=0, groups=tuple(groups)))
        compare(found, oracle, values, fault, size)


def test_weights_and_bodies_at_once(prepare, model_of, closing):
    model = model_of(LOOP)
    values = np.random.default_rng(5).choice(VALUES, (6, 4)).astype(np.float32)
    workload = open_workload(model, {"x": values})
    prepared = prepare(model, workload, optimization="disabled", output="y")
    sites = [prepared.sites["half"], prepared.sites["loop/body/h2"].at(2)]
    groups = (group("half", 0, 1 << 23), group("loop/body/h2@2", 1, 1 << 31))
    found = {}
    for name in ("ports", "bake"):
        engine = _engine(prepared, name, sites, closing)
        found[name] = outputs(engine, Scenario(number=0, groups=groups))
    for mine, theirs in zip(found["ports"], found["bake"], strict=True):
        np.testing.assert_array_equal(bits(mine["y"]), bits(theirs["y"]))
        assert not np.array_equal(mine["y"], accumulator(values, lambda n, s, v: v)["y"][:6])


def test_only_engines_that_can_take_them(prepare, model_of):
    model = model_of(LOOP)
    workload = open_workload(model, {"x": np.ones((4, 4), np.float32)})
    prepared = prepare(model, workload, output="y")
    site = prepared.sites["loop/body/h"]
    for name in ("cut", "lift"):
        with pytest.raises(ConfigError, match="loop/body/h"):
            prepared.engine(name, site.name)
        with pytest.raises(ConfigError, match="can't run"):
            choose_engine(name, model, 4, [site], Scenarios(single_site=True))
    chosen = choose_engine(
        "auto", model, 4, [site, prepared.sites["half"]], Scenarios(single_site=True)
    )
    assert chosen.name in ("ports", "bake")


def test_a_fault_in_every_step_and_in_one_do_not_mix(prepare, model_of, closing):
    model = model_of(LOOP)
    workload = open_workload(model, {"x": np.ones((4, 4), np.float32)})
    prepared = prepare(model, workload, output="y")
    site = prepared.sites["loop/body/h"]
    both = (group(site.name, 1, 1), group("loop/body/h@2", 1, 2))
    for name in ("ports", "bake"):
        engine = _engine(prepared, name, [site, site.at(2)], closing)
        with pytest.raises(
            FaultError, match="element 1 of 'loop/body/h' has a fault in every step"
        ):
            list(engine.results(Scenario(number=0, groups=both)))


def table_of(model, workload):
    found = profile(model, workload, EngineSettings())
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)
    return table.by_name(), {left.name: left.reason for left in table.left_out}


@pytest.mark.parametrize(
    ("trips", "steps", "reason"),
    [
        ((3, 3, 3), 3, None),
        ((1, 4, 2), 4, None),
        ((0, 2, 0), 2, None),
        ((0, 0, 0), None, "its loop ran no iteration for any profiled sample"),
    ],
)
def test_trip_counts(trips, steps, reason, model_of):
    model = model_of(COUNTED)
    arrays = {"n": np.array(trips)[:, None], "x": np.ones((3, 2), np.float32)}
    sites, left = table_of(model, open_workload(model, arrays))
    if reason is None:
        assert sites["loop/body/h"].layout.steps == steps
        assert sites["loop/body/late/then_branch/p"].layout.shape == (2,)
        assert site_named(f"loop/body/h@{steps - 1}", sites).step == steps - 1
        branch = "it was computed for no profiled sample: a branch not taken, or a loop of no"
        assert left["loop/body/late/else_branch/r"].startswith(branch)
    else:
        assert left["loop/body/h"] == reason


def test_branches_that_are_not_taken(model_of):
    model = model_of(CHOICE)
    arrays = {"x": np.ones((3, 2), np.float32)}
    sites, left = table_of(model, open_workload(model, arrays))
    assert "which/then_branch/p" in sites
    assert left["which/else_branch/r"] == "its branch was not taken by any profiled sample"
