"""Faults wherever a file keeps its numbers, carried out for real by every engine that can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, parser

from onnxfi.engine import Scenarios, choose_engine, open_engine, open_workload
from onnxfi.errors import BackendError, ConfigError
from onnxfi.faults import Scenario
from onnxfi.graph import load
from onnxfi.outcome import BoundCriterion, Tolerance
from onnxfi.workload import sample_choice

X = np.random.default_rng(5).normal(size=(5, 4)).astype(np.float32)
HANDED = """
    s = ReduceSum<keepdims = 0>(x)
    z = Constant<value_float = 0.0>()
    c = Greater(s, z)
    w = If (c) <
        then_branch = one () => (float[4] a) { a = Constant<value = float[4] {1, 2, 3, 4}>() },
        else_branch = two () => (float[4] b) { b = Constant<value = float[4] {3, 4, 5, 6}>() }>
    y = Mul(x, w)
"""
BODY = "w = Constant<value = float[4] {1, 2, 0.5, 4}>()"
LOOP = f"""
    n = Constant<value_int = 3>()
    t = Constant<value = bool {{1}}>()
    y = Loop (n, t, x) <body = b (int64 i, bool go, float[N,4] s) => (bool on, float[N,4] u)
        {{ on = Identity(go) {BODY} u = Mul(s, w) }}>
"""
SCAN = f"""
    z = Constant<value = float[4] {{0, 0, 0, 0}}>()
    f, y = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] r) => (float[4] s2, float[4] o)
        {{ {BODY} o = Mul(r, w) s2 = Identity(s) }}> (z, x)
"""
REGRESSOR = """
    [lin] y = ai.onnx.ml.LinearRegressor
        <coefficients = [1.0, 2.0, 3.0, 4.0], intercepts = [0.5]>(x)
"""
FUNCTION = """
<ir_version: 10, opset_import: ["" : 17, "l" : 1]> g (float[N,4] x) => (float[N,4] y)
{ a = l.f(x) y = l.f(a) }
<domain: "l", opset_import: ["" : 17]> f (x) => (y)
{ w = Constant<value = float[4] {1, 2, 0.5, 4}>() y = Mul(x, w) }
"""


def _samples(model):
    """Rows of X, though a branch be taken for all of them."""
    return open_workload(model, {"x": X}, choice=sample_choice(["x=0"]))


def graph(body, outputs="float[N,4] y", inputs="float[N,4] x", stored=""):
    header = '<ir_version: 10, opset_import: ["" : 17, "ai.onnx.ml" : 3]>'
    return parser.parse_model(f"{header} g ({inputs}) => ({outputs}) {stored} {{ {body} }}")


def sparse(*, coo, constant):
    proto = graph("y = MatMul(x, w)", outputs="float[N,3] y")
    places = ([3, 2], [0, 0, 1, 2, 3, 1]) if coo else ([3], [0, 5, 10])
    tensor = helper.make_sparse_tensor(
        helper.make_tensor("" if constant else "w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        helper.make_tensor("i", TensorProto.INT64, *places),
        [4, 3],
    )
    if constant:
        proto.graph.node.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=tensor))
    else:
        proto.graph.sparse_initializer.append(tensor)
    return proto


WEIGHTS = "<float[4] w = {1, 2, 3, 4}>"
ALL = ("bake", "lift", "ports", "cut")
NOT_LIFTED = ("bake", "ports", "cut")
# A model, the sites that faults go to, the engines that reach them.
PLACES = {
    "sparse": (lambda: sparse(coo=False, constant=False), ("w", "w/indices"), ("bake",)),
    "sparse, by coordinates": (lambda: sparse(coo=True, constant=False), ("w",), ("bake",)),
    "sparse Constant": (lambda: sparse(coo=True, constant=True), ("w", "w/indices"), ("bake",)),
    "attribute": (
        lambda: graph(REGRESSOR, outputs="float[N,1] y"),
        ("lin/coefficients", "lin/intercepts"),
        ("bake",),
    ),
    "attribute that fills": (
        lambda: graph("s = Shape(x) c = ConstantOfShape<value = float[1] {2}>(s) y = Mul(x, c)"),
        ("ConstantOfShape#1/value",),
        ("bake",),
    ),
    "handed out": (
        lambda: graph(HANDED),
        ("If#1/then_branch/a", "If#1/else_branch/b"),
        NOT_LIFTED,
    ),
    "in a loop": (lambda: graph(LOOP), ("Loop#1/body/w",), NOT_LIFTED),
    "in a scan": (lambda: graph(SCAN), ("Scan#1/body/w",), NOT_LIFTED),
    "returned": (
        lambda: graph("y = Relu(x)", "float[N,4] y, float[4] w", stored=WEIGHTS),
        ("w",),
        ALL,
    ),
    "returned and read": (
        lambda: graph("y = Mul(x, w)", "float[N,4] y, float[4] w", stored=WEIGHTS),
        ("w",),
        ALL,
    ),
    "shared": (
        lambda: graph("a = Mul(x, w) b = Relu(a) y = Add(b, w)", stored=WEIGHTS),
        ("w",),
        ALL,
    ),
    "repeated as an input": (
        lambda: graph("y = Mul(x, w)", inputs="float[N,4] x, float[4] w", stored=WEIGHTS),
        ("w",),
        ALL,
    ),
    "in a function": (lambda: parser.parse_model(FUNCTION), ("w__1", "w__2"), ALL),
}


@pytest.fixture(params=PLACES)
def place(request, prepare):
    make, sites, engines = PLACES[request.param]
    model = load(make())
    prepared = prepare(model, _samples(model), optimization="disabled")
    output = prepared.context.profile.outputs
    criterion = BoundCriterion(criterion=Tolerance(absolute=0.01), output=next(iter(output)))
    return replace(prepared, context=replace(prepared.context, criterion=criterion)), sites, engines


def flips(site, scenario):
    """The highest bits, a middle and the lowest one of every element."""
    width = 64 if site.kind == "sparse_index" else 32
    for element in range(site.layout.elements):
        for bit in (width - 1, width - 2, 23, 1, 0):
            yield scenario((site.name, element, bit))


def test_every_engine_that_can_gives_the_same(place, scenario, closing):
    """Faults land in every site, mean the same in every engine, and leave nothing behind."""
    prepared, sites, able = place
    faults = [fault for name in sites for fault in flips(prepared.sites[name], scenario)]
    found = {}
    for name in able:
        engine = closing(prepared.engine(name, *sites))
        assert engine.golden_counts.masked == len(X)
        found[name] = [each.counts for each in engine.run_many(faults)]
        assert engine.run(Scenario(number=0, groups=())).counts.masked == len(X)
        assert engine.run(faults[0]).counts == found[name][0]
    for counts in found.values():
        assert counts == found["bake"]
    for name in sites:
        paired = zip(faults, found["bake"], strict=True)
        mine = [counts for fault, counts in paired if fault.sites == (name,)]
        assert any(counts.masked < len(X) for counts in mine), name


def test_what_only_a_baked_model_holds_is_baked_beside_the_rest(place, scenario, closing):
    """An engine takes the other sites and leaves these to the bake engine."""
    prepared, sites, able = place
    chosen = (*sites, "x")
    faults = [scenario((name, 0, 22)) for name in chosen[::-1]]
    expected = [each.counts for each in closing(prepared.engine("bake", *chosen)).run_many(faults)]
    engine = closing(prepared.engine("ports", *chosen))
    assert engine.name == "ports"
    assert [each.counts for each in engine.run_many(faults)] == expected
    assert [engine.run(fault).counts for fault in faults] == expected
    both = scenario((sites[0], 0, 22), ("x", 0, 22))
    alone = closing(prepared.engine("bake", *chosen)).run(both).counts
    assert engine.run(both).counts == alone
    if able == ("bake",):
        with pytest.raises(ConfigError, match="use the bake engine"):
            prepared.engine("ports", *sites)


def test_external_data(tmp_path, prepare, scenario, closing):
    """The file beside the model is read, and never written."""
    proto = graph("y = Mul(x, w)", stored=WEIGHTS)
    stored = proto.graph.initializer[0]
    values = np.arange(1, 5, dtype=np.float32)
    values.tofile(tmp_path / "w.bin")
    for field in ("raw_data", "float_data"):
        stored.ClearField(field)
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="w.bin")
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    model = load(tmp_path / "m.onnx")
    prepared = prepare(model, _samples(model), optimization="disabled")
    faults = list(flips(prepared.sites["w"], scenario))
    found = []
    for name in ALL:
        engine = closing(prepared.engine(name, "w"))
        found.append([each.counts for each in engine.run_many(faults)])
        (result,) = engine.results(faults[0])
        expected = X * (values * np.array([-1, 1, 1, 1], np.float32))
        np.testing.assert_array_equal(result.faulty["y"], expected)
    assert all(counts == found[0] for counts in found)
    assert np.fromfile(tmp_path / "w.bin", np.float32).tolist() == values.tolist()


def test_choosing_beside_baked_sites(prepare):
    model = load(graph(REGRESSOR, outputs="float[N,1] y"))
    prepared = prepare(model, open_workload(model, {"x": X}))
    stored = [prepared.sites[name] for name in ("lin/coefficients", "lin/intercepts")]
    every = [*stored, prepared.sites["x"]]
    one = Scenarios(single_site=True)
    assert choose_engine("auto", model, 5, stored, one).name == "bake"
    with pytest.raises(ConfigError, match="it is an attribute"):
        choose_engine("cut", model, 5, stored, one)
    choice = choose_engine("cut", model, 5, every, one)
    assert choice.name == "cut"
    assert choice.reason.startswith(
        "as asked for; 2 sites are baked, for one 'lin/coefficients': it is an attribute"
    )
    with pytest.raises(ConfigError, match="it is an attribute"):
        choose_engine("cut", model, 5, every, replace(one, bound=True))


def test_indices_go_where_they_say(scenario, closing, prepare):
    """Against numpy: the value lies elsewhere, is overwritten, or the model is refused."""
    model = load(sparse(coo=True, constant=False))
    x = np.eye(4, dtype=np.float32)
    prepared = prepare(model, open_workload(model, {"x": x}), optimization="disabled")
    engine = closing(prepared.engine("bake", "w", "w/indices"))
    places = np.array([[0, 0], [1, 2], [3, 1]])
    for element in range(6):
        for bit in (0, 1, 5, 62, 63):
            moved = places.copy().ravel()
            moved.view(np.uint64)[element] ^= np.uint64(1 << bit)
            rows, columns = moved.reshape(3, 2).T
            valid = (moved >= 0).all() and (rows < 4).all() and (columns < 3).all()
            results = list(engine.results(scenario(("w/indices", element, bit))))
            if not valid:
                assert all(result.faulty is None for result in results)
                continue
            (result,) = results
            dense = np.zeros((4, 3), np.float32)
            for row, column, value in zip(rows, columns, (1, 2, 3), strict=True):
                dense[row, column] = value
            np.testing.assert_array_equal(result.faulty["y"], dense)


def test_invalid_indices_are_an_outcome_and_an_invalid_model_is_not(scenario, closing, prepare):
    model = load(sparse(coo=False, constant=False))
    prepared = prepare(model, _samples(model), optimization="disabled")
    engine = closing(prepared.engine("bake", "w/indices"))
    outside = scenario(("w/indices", 2, 40))
    assert engine.run(outside).counts.due_exception == len(X)
    armed, windows = engine.arm(outside)
    with pytest.raises(Exception, match=r"the faulty model is refused: .*can't load"):
        armed.faulty(windows[0], hurried=False)
    broken = sparse(coo=False, constant=False)
    broken.graph.sparse_initializer[0].indices.int64_data[0] = 1 << 40
    context = replace(prepared.context, model=load(broken))
    with pytest.raises(BackendError, match="can't load"):
        closing(open_engine("bake", context)).run(outside)
