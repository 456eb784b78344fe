"""The cut engine: the same bits as the others, whatever crosses the cut; memory; refusals."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxfi.bits import ElementType
from onnxfi.engine import open_workload
from onnxfi.engine.engines import CutEngine
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind
from onnxfi.graph import load
from onnxfi.sampling import UniformSampler
from onnxfi.workload import sample_choice

#: Some models take a branch for all samples of a run.
ROWS = sample_choice(["x=0"])

RESIDUAL = """
<ir_version: 10, opset_import: ["" : 17]>
residual (float[n, 4] x) => (float[n, 4] y, float[n, 4] z, float[n, 4] early)
<float[4] w1 = {1.0, -2.0, 3.0, 4.0}, float[4, 4] w2 = {1.0, 2.0, 3.0, 4.0, 1.0, 2.0, -3.0, 4.0,
 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, -4.0}, float[4] shared = {0.5, 0.25, 0.125, 2.0}>
{
  early = Neg(x)
  a = Mul(x, w1)
  b = Relu(a)
  c = MatMul(b, w2)
  s = Mul(c, shared)
  d = Add(s, b)
  t = Transpose<perm = [1, 0]>(d)
  u = Tanh(t)
  v = Transpose<perm = [1, 0]>(u)
  y = Mul(v, shared)
  z = Add(a, c)
}
"""

CAPTURED = """
<ir_version: 10, opset_import: ["" : 17]>
captured (float[n, 4] x) => (float[n, 4] y)
<float[4] w = {1.0, 2.0, 3.0, 4.0}, float[4] u = {1.0, 2.0, 3.0, 4.0}, float zero = {0.0},
 int64[1] first = {0}, int64[0] none = {}>
{
  a = Mul(x, w)
  b = Neg(a)
  total = ReduceSum<keepdims = 0>(x)
  late = Greater(total, zero)
  c = If(late) <
    then_branch = then () => (float[n, 4] t) { t0 = Mul(a, u)  t = Add(t0, x) },
    else_branch = other () => (float[n, 4] e)
      <float[4] inner = {1.5, 2.0, 3.0, 4.0}> { e = Mul(b, inner) }
  >
  y = Relu(c)
}
"""


def _bits(result):
    outputs = [result.golden] if result.faulty is None else [result.golden, result.faulty]
    return [{k: v.tobytes() for k, v in sorted(found.items())} for found in outputs]


def _assert_engines_agree(prepared, closing, scenarios):
    """All engines give the same bits for each scenario; how many changed an output."""
    # What bodies compute is for other engines; what they store is not.
    able = [name for name, site in prepared.sites.items() if not site.body]
    cut_, *others = (closing(prepared.engine(name, *able)) for name in ("cut", "ports", "bake"))
    changed = 0
    for faults in scenarios:
        mine = list(cut_.results(faults))
        for other in others:
            for one, two in zip(mine, other.results(faults), strict=True):
                assert (one.window, one.failure) == (two.window, two.failure)
                assert _bits(one) == _bits(two)
        changed += any(len(set(map(str, _bits(result)))) > 1 for result in mine)
    return changed


@pytest.mark.parametrize("text", [RESIDUAL, CAPTURED], ids=["residual", "captured"])
def test_every_site_gives_the_same_bits(model_of, prepare, closing, scenario, text):
    model = model_of(text)
    x = np.random.default_rng(5).normal(size=(7, 4)).astype(np.float32)
    prepared = prepare(
        model, open_workload(model, {"x": x}, choice=ROWS), optimization="disabled", output="y"
    )
    outside = [name for name, site in prepared.sites.items() if not site.body]
    names = [name for name in outside if prepared.sites[name].element is ElementType.FLOAT]
    assert {"x", "a", "b", "y", "c"} < set(names)
    flips = [scenario((name, element, bit)) for name in names for element, bit in ((0, 30), (0, 9))]
    assert _assert_engines_agree(prepared, closing, flips) > len(names)


def test_stored_tensors_in_bodies(model_of, prepare, closing, scenario):
    model = model_of(CAPTURED)
    x = np.random.default_rng(5).normal(size=(7, 4)).astype(np.float32)
    workload = open_workload(model, {"x": x}, choice=ROWS)
    prepared = prepare(model, workload, optimization="disabled", batch_size=1)
    (inner,) = (name for name in prepared.sites if name.endswith("/inner"))
    assert _assert_engines_agree(prepared, closing, [scenario((inner, 0, 30))])


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("resnet8_fashion_fp32", None),
        pytest.param("resnet8_fashion_int8_qdq", None, marks=pytest.mark.heavy),
        ("resnet8_fashion_int8_qoperator", None),
        ("resnet8_fashion_int8_dynamic", None),
        ("lenet5_mnist_fp16", None),
        ("snn_snntorch_mnist", None),
    ],
)
def test_models_of_the_zoo_give_the_same_bits(models, prepare, closing, name, kinds):
    model = load(models / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = open_workload(model, models / f"{data}_test1000.npz").take(6)
    prepared = prepare(model, workload, optimization="disabled", output="logits")
    sites = [s for s in prepared.context.sites if kinds is None or s.kind.value in kinds]
    stored = [s for s in sites if s.kind.stored]
    computed = [s for s in sites if not s.kind.stored]
    spaces = [FaultSpace(some, [BitFlip()]) for some in (stored, computed) if some]
    flips = [UniformSampler(n=6, seed=2).scenario(space, k) for space in spaces for k in range(6)]
    assert _assert_engines_agree(prepared, closing, flips)


@pytest.mark.parametrize("sample", [0, 3, 6])
def test_faults_bound_to_a_sample(model_of, prepare, closing, scenario, sample):
    model = model_of(RESIDUAL)
    x = np.random.default_rng(5).normal(size=(7, 4)).astype(np.float32)
    workload = open_workload(model, {"x": x}, choice=ROWS)
    prepared = prepare(model, workload, optimization="disabled", output="y", batch_size=3)
    late, ports = (closing(prepared.engine(name)) for name in ("cut", "ports"))
    for site in ("b", "u", "x", "y"):
        faults = scenario((site, 1, 30, sample), (site, 2, 30, -1), (site, 1, 29, sample))
        found = [[_bits(r) for r in engine.results(faults)] for engine in (late, ports)]
        assert found[0] == found[1]


def test_float8_values_are_faulted_on_the_host(prepare, closing, scenario):
    """There is no port for them; the host changes their bits."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT8E4M3FN),
        helper.make_node("Cast", ["f"], ["back"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["back", "one"], ["y"]),
    ]
    shape = ["n", 4]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.zeros(4, np.float32), "one")],
    )
    opsets = [helper.make_opsetid("", 19)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    site = FaultSite(
        name="f",
        kind=SiteKind.ACTIVATION,
        element=ElementType.FLOAT8E4M3FN,
        node="Cast#1",
        op_type="Cast",
        layer="Cast#1",
        layout=SampleLayout(shape=(1, 4), batch_axis=0),
    )
    prepared = prepare(model, open_workload(model, {"x": x}, choice=ROWS), extra=(site,))
    with pytest.raises(ConfigError, match="engine ports can't fault site 'f'"):
        prepared.engine("ports", "f")
    (result,) = closing(prepared.engine("cut", "f")).results(scenario(("f", 2, 7)))
    expected = x.astype(ml_dtypes.float8_e4m3fn)
    np.testing.assert_array_equal(result.golden["y"], expected.astype(np.float32))
    expected[:, 2] = -expected[:, 2]
    np.testing.assert_array_equal(result.faulty["y"], expected.astype(np.float32))


def test_outputs_that_no_fault_reaches_are_golden(model_of, prepare, closing, scenario):
    model = model_of(RESIDUAL)
    x = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
    prepared = prepare(model, open_workload(model, {"x": x}, choice=ROWS), output="y")
    (result,) = closing(prepared.engine("cut")).results(scenario(("w2", 0, 30)))
    assert set(result.golden) == set(result.faulty) == {"y", "z", "early"}
    np.testing.assert_array_equal(result.faulty["early"], -x)
    assert result.faulty["early"].tobytes() == result.golden["early"].tobytes()


def test_outputs_that_are_stored_or_fed(model_of, prepare, closing, scenario):
    model = model_of("""
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[n, 2] x) => (float[n, 2] y, float[2] w, float[2] v)
    <float[2] w = {1.0, 2.0}, float[2] v = {3.0, 4.0}>
    { a = Mul(x, w)  y = Add(a, v) }
    """)
    workload = open_workload(model, {"x": np.ones((3, 2), np.float32)})
    prepared = prepare(model, workload, output="y", batch_size=3)
    faults = [scenario((site, 0, 31)) for site in ("w", "v", "a", "y", "x")]
    assert _assert_engines_agree(prepared, closing, faults) == len(faults)


def _counts(prepared, closing, scenarios, **settings):
    limits = replace(prepared.context.settings, **settings)
    engine = closing(prepared.engine("cut", **settings))
    assert isinstance(engine, CutEngine)
    counts = []
    for faults in scenarios:
        counts.append(engine.run(faults).counts)
        held = sum(item.nbytes for item in engine.routes.opened)
        # What is in use stays, however little memory there may be.
        assert held <= limits.memory_limit_bytes or len(engine.routes.opened) == 1
    return counts


def test_results_depend_neither_on_order_nor_on_memory(prepared, closing, scenario):
    sites = ("w1", "r1", "w2", "t2", "w1", "image", "scores", "r1", "f1")
    faults = [scenario((site, 1, 30)) for site in sites]
    forth = _counts(prepared, closing, faults)
    back = _counts(prepared, closing, faults[::-1])
    assert forth == back[::-1]
    for limit in (0, 3_000, 20_000):
        assert _counts(prepared, closing, faults, memory_limit_bytes=limit) == forth
