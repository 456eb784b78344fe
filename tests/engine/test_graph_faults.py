"""Graph faults in engines: what onnx's own evaluator makes of the gathered values, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from onnx import parser

from onnxfi.engine import open_engine, open_workload, trace
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import BitFlip, FaultSpace, GraphFault, Scenario, check_graph, snippet_of
from onnxfi.graph import load, run_snippet

HEAD = '<ir_version: 10, opset_import: ["" : {opset}]>'
COMPUTED = ("image", "c1", "r1", "p1", "t1", "t2", "t3", "f1", "scores")


def _fault(body, element="float", opset=17, whole=False, shape="[n, k]"):
    text = f"{HEAD.format(opset=opset)} g ({element}{shape} x) => ({element}{shape} y) {body}"
    return GraphFault(parser.parse_model(text), whole=whole)


SINE = "<float c = {3.0}> { a = Mul(x, c) b = Floor(a) y = Sub(b, x) }"
# What an element becomes depends on its place among the chosen ones of its sample.
RANKED = """{ axis = Constant<value_int = 1>() y = CumSum(x, axis) }"""


def _scenario(prepared, model, *places):
    """A graph at (site, element) places."""
    groups = []
    for site in dict.fromkeys(site for site, _ in places):
        numbers = np.array([index for name, index in places if name == site])
        space = FaultSpace([prepared.sites[site]], [model])
        groups += space.scenario_groups(numbers)
    return Scenario(number=0, groups=tuple(groups))


def _expected(golden, site, model, index):
    """A value of a run with the graph on some elements of each sample, by onnx's evaluator."""
    layout = site.layout
    axis = layout.batch_axis
    rows = golden[np.newaxis] if axis is None else np.moveaxis(golden, axis, 0)
    table = rows.reshape(len(rows) // (1 if axis is None else layout.rows), -1).copy()
    if axis:  # elements count in the order of the layout
        order = np.moveaxis(np.arange(layout.elements).reshape(layout.shape), axis, 0).ravel()
        sorted_table = np.empty_like(table)
        sorted_table[:, order] = table
        table = sorted_table
    chosen = np.arange(table.shape[1]) if model.whole else np.unique(index)
    table[:, chosen] = run_snippet(snippet_of(model.graph), table[:, chosen])
    if axis:
        table = table[:, order]
    table = table.reshape(rows.shape)
    return table[0] if axis is None else np.moveaxis(table, 0, axis)


@pytest.fixture
def engines(prepared, closing):
    def make(*sites, prepared=prepared, monitors=(), **settings):
        context = prepared.context
        how = replace(context.settings, **settings)
        chosen = tuple(prepared.sites[site] for site in sites)
        context = replace(context, sites=chosen, monitors=monitors, settings=how)
        return [closing(open_engine(name, context)) for name in ("bake", "ports")]

    return make


@pytest.mark.parametrize("site", COMPUTED)
@pytest.mark.parametrize("body", [SINE, RANKED])
@pytest.mark.parametrize("whole", [False, True])
def test_every_site_against_the_evaluator(prepared, engines, site, body, whole):
    model = _fault(body, whole=whole)
    last = prepared.sites[site].layout.elements - 1
    index = [0] if whole else [last, 2, 0, 2]
    faults = _scenario(prepared, model, *((site, k) for k in index))
    inner = () if site == "image" else (site,)
    both = [list(each.results(faults)) for each in engines(site, monitors=inner)]
    changed = 0
    for bake, ports in zip(*both, strict=True):
        for name, golden in bake.golden.items():
            assert golden.tobytes() == ports.golden[name].tobytes()
            assert bake.faulty[name].tobytes() == ports.faulty[name].tobytes()
        if inner:
            expected = _expected(bake.golden[site], prepared.sites[site], model, index)
            np.testing.assert_array_equal(expected, bake.faulty[site])
        changed += not np.array_equal(bake.golden["scores"], bake.faulty["scores"])
    assert changed


def test_disarmed_it_leaves_every_bit(prepared, closing, engines, scenario):
    """Golden of a model with the graph in it is that of the model without."""
    model = _fault("<float c = {7.0}> { y = Mul(x, c) }", whole=True)
    plain = list(closing(prepared.engine("ports")).results(scenario()))
    for engine in engines("c1", "t2"):
        found = engine.results(_scenario(prepared, model, ("c1", 0), ("t2", 0)))
        for mine, theirs in zip(found, plain, strict=True):
            assert mine.golden["scores"].tobytes() == theirs.golden["scores"].tobytes()


def test_together_with_other_faults(prepared, engines):
    model = _fault(SINE)
    places = _scenario(prepared, model, ("r1", 3), ("t2", 1))
    flips = FaultSpace([prepared.sites["w1"], prepared.sites["f1"]], [BitFlip("30")])
    more = flips.scenario_groups(np.array([5, 120]))
    faults = Scenario(number=0, groups=(*places.groups, *more))
    first, second = (each.run(faults) for each in engines("r1", "t2", "w1", "f1"))
    assert first.counts == second.counts
    assert first.counts.masked < 11


def test_engines_that_would_not_run_it_say_so(prepared, closing):
    faults = _scenario(prepared, _fault(SINE), ("r1", 3))
    with pytest.raises(FaultError, match="use engine bake or ports"):
        closing(prepared.engine("cut", "r1")).run(faults)
    engine = closing(prepared.engine("ports", "r1"))
    other = _scenario(prepared, _fault(SINE), ("t2", 3))
    with pytest.raises(ConfigError, match="not a site of this campaign"):
        engine.run(other)


def test_a_trace(prepared):
    found = trace(prepared.context, _scenario(prepared, _fault(SINE), ("t2", 3)))
    assert found.first.name == "t2"
    assert found.first.divergence.changed <= 11


OTHER = """
<ir_version: 10, opset_import: ["" : 13]>
g ({type}[n, 6] x) => ({type}[n, 6] y) {{ h = Identity(x)  y = Identity(h) }}
"""


@pytest.mark.parametrize(
    "name", ["float16", "bfloat16", "double", "int8", "uint8", "int32", "bool"]
)
@pytest.mark.parametrize("shape", ["[n, k]", "[k]"])
def test_every_type(prepare, model_of, engines, name, shape):
    dtype = {"bfloat16": ml_dtypes.bfloat16, "double": np.float64, "bool": np.bool_}.get(name)
    dtype = dtype or np.dtype(name)
    model = model_of(OTHER.format(type=name))
    values = np.arange(24).reshape(4, 6) % (2 if name == "bool" else 50)
    workload = open_workload(model, {"x": values.astype(dtype)})
    prepared = prepare(model, workload)
    body = "{ y = Not(x) }" if name == "bool" else "{ y = Sum(x) }"
    if name not in ("bool", "bfloat16"):
        body = "{ y = Add(x, x) }"
    if name == "bfloat16":
        body = "{ a = Cast<to = 1>(x) b = Neg(a) y = Cast<to = 16>(b) }"
    # Newer than the model, which is raised.
    fault = _fault(body, name, opset=18, shape=shape)
    faults = _scenario(prepared, fault, ("h", 1), ("h", 4))
    first, second = (list(each.results(faults)) for each in engines("h", prepared=prepared))
    for bake, ports in zip(first, second, strict=True):
        expected = _expected(bake.golden["y"], prepared.sites["h"], fault, [1, 4])
        assert expected.tobytes() == bake.faulty["y"].tobytes() == ports.faulty["y"].tobytes()
        assert bake.golden["y"].tobytes() != bake.faulty["y"].tobytes()


def test_values_that_exist_once_per_run(prepare, model_of, engines):
    text = '<ir_version: 10, opset_import: ["" : 18]> g (float[2, 3] x) => (float[3] y)'
    body = "{ axis = Constant<value_ints = [0]>() h = ReduceSum<keepdims = 0>(x, axis) y = Neg(h) }"
    model = model_of(f"{text} {body}")
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    prepared = prepare(model, open_workload(model, {"x": values}))
    if prepared.sites["h"].layout.batch_axis is not None:
        pytest.skip("the profile found samples in it")
    faults = _scenario(prepared, _fault("{ y = Neg(x) }"), ("h", 2))
    first, second = (each.run(faults).counts for each in engines("h", prepared=prepared))
    assert first == second


def test_integer_model_and_little_memory(models, prepare, engines):
    model = load(models / "resnet8_fashion_int8_qdq.onnx")
    workload = open_workload(model, models / "fashion_test1000.npz").take(8)
    prepared = prepare(model, workload, output="logits", batch_size=4, memory_limit_bytes=0)
    computed = [site for site in prepared.context.sites if site.kind.value == "activation"]
    site = next(site for site in computed if site.element.name == "FLOAT")
    faults = _scenario(
        prepared, _fault("<float c = {0.0}> { y = Mul(x, c) }", whole=True), (site.name, 0)
    )
    first, second = (each.run(faults).counts for each in engines(site.name, prepared=prepared))
    assert first.failed == second.failed > 0


LOOP = """
<ir_version: 10, opset_import: ["" : 18]>
g (float[n, 3] x) => (float[n, 3] y)
<int64 trips = {3}, bool on = {1}>
{
  y = Loop(trips, on, x) <body = b (int64 i, bool c, float[n, 3] s) => (bool d, float[n, 3] t) {
    d = Identity(c)
    h = Add(s, s)
    t = Neg(h)
  }>
}
"""


def test_in_a_loop_it_acts_in_every_iteration(prepare, model_of, engines):
    model = model_of(LOOP)
    values = np.arange(12, dtype=np.float32).reshape(4, 3) - 5
    prepared = prepare(model, open_workload(model, {"x": values}))
    inside = next(name for name in prepared.sites if name.endswith("/h"))
    faults = _scenario(prepared, _fault("<float c = {10.0}> { y = Add(x, c) }"), (inside, 1))
    expected = values.copy()
    for _ in range(3):
        expected += expected
        expected[:, 1] += 10
        expected = -expected
    for engine in engines(inside, prepared=prepared):
        for result in engine.results(faults):
            rows = slice(result.window.start, result.window.stop)
            np.testing.assert_array_equal(result.faulty["y"], expected[rows])
    once = replace(faults.groups[0], site=f"{inside}@1")
    assert prepared.sites[inside].at(1) is not None
    with pytest.raises(FaultError, match="in every step"):
        check_graph(once, prepared.sites[inside].at(1))
