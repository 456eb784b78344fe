"""Baked models: ordinary files that do what ports do, at any batch."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from onnxfi.bits import ElementType
from onnxfi.errors import FaultError
from onnxfi.faults import Scenario
from onnxfi.graph import load, serialize, verify_untouched
from onnxfi.inject import BatchWindow, arm, bake, instrument, without_effect

FULL = 2**64 - 1

TURNED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n,2,3] x) => (float[n,2,3] y)
<int64[2] rows = {-1, 3}, int64[3] back = {-1, 2, 3}>
{
  a = Transpose<perm = [1, 0, 2]>(x)
  b = Neg(a)
  c = Transpose<perm = [1, 0, 2]>(b)
  d = Reshape(c, rows)
  e = Neg(d)
  f = Reshape(e, back)
  i = Abs(f)
  y = Neg(i)
}
"""


def _scenario(*groups) -> Scenario:
    return Scenario(number=0, groups=groups)


@pytest.mark.parametrize("samples", [1, 2, 5])
@pytest.mark.parametrize(
    ("name", "shape", "axis"),
    [("i", (1, 2, 3), 0), ("b", (2, 1, 3), 1), ("e", (2, 3), 0), ("x", (1, 2, 3), 0)],
)
def test_computed_faults_equal_ports_at_any_batch(
    make_site, make_group, run, name, shape, axis, samples
):
    model = load(parser.parse_model(TURNED))
    kind = "input" if name == "x" else "activation"
    site = make_site(name, shape=shape, batch_axis=axis, kind=kind)
    fault = _scenario(make_group(name, (5, FULL, 1 << 23), (1, 0, 0x40490FDB), (5, FULL, 1 << 31)))
    baked = bake(model, fault, {name: site})
    verify_untouched(model, baked)
    opened = instrument(model, [site])
    window = BatchWindow(start=0, stop=samples, size=samples)
    x = np.random.default_rng(2).normal(size=(samples, 2, 3)).astype(np.float32)
    extra = arm(opened, fault, window=window, stored_words={})
    expected = run(opened.model, {"x": x, **extra})["y"]
    got = run(baked, {"x": x})["y"]
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
    assert not np.array_equal(got, run(model, {"x": x})["y"])
    quiet = bake(model, without_effect(fault, {name: site}), {name: site})
    np.testing.assert_array_equal(run(quiet, {"x": x})["y"], run(model, {"x": x})["y"])
    assert [spec.name for spec in baked.inputs] == ["x"]


def test_rows_that_lie_apart(make_site, make_group, run):
    """Time-first rows (step * samples + sample) have a layout with the steps as their own axis."""
    text = """
    <ir_version: 10, opset_import: ["" : 17]>
    g (float[n,2,3] x) => (float[r,3] y)
    <int64[2] rows = {-1, 3}>
    { a = Transpose<perm = [1, 0, 2]>(x)  d = Reshape(a, rows)  e = Neg(d)  y = Identity(e) }
    """
    model = load(parser.parse_model(text))
    site = make_site("e", shape=(2, 1, 3), batch_axis=1)
    fault = _scenario(make_group("e", (4, FULL, 1 << 31)))  # step 1, element 1
    x = np.ones((2, 2, 3), np.float32)
    got = run(bake(model, fault, {"e": site}), {"x": x})["y"]
    np.testing.assert_array_equal(got, [[-1, -1, -1]] * 2 + [[-1, 1, -1]] * 2)


@pytest.mark.parametrize("element", [ElementType.INT32, ElementType.BOOL, ElementType.BFLOAT16])
def test_computed_faults_of_other_types(identity, make_site, make_group, run, element):
    model = identity(element)
    fault = _scenario(make_group("t", (3, FULL, 1)))
    baked = bake(model, fault, {"t": make_site("t", element)})
    dtypes = {
        ElementType.INT32: np.int32,
        ElementType.BOOL: np.bool_,
        ElementType.BFLOAT16: ml_dtypes.bfloat16,
    }
    y = run(baked, {"x": np.zeros((2, 2, 3), dtypes[element])})["y"]
    raw = y.view(f"u{y.dtype.itemsize}").reshape(2, 6)
    np.testing.assert_array_equal(raw, [[0, 0, 0, 1, 0, 0]] * 2)


def test_packed_weights(make_site, make_group, run):
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["f"]),
        helper.make_node("Mul", ["x", "f"], ["y"]),
    ]
    stored = [
        helper.make_tensor("w", TensorProto.INT4, [3], [1, -2, 3]),
        numpy_helper.from_array(np.array(1, np.float32), "s"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        stored,
    )
    opsets = [helper.make_opsetid("", 21)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    site = make_site("w", ElementType.INT4, (3,), kind="weight")
    baked = bake(model, _scenario(make_group("w", (2, FULL, 1 << 3))), {"w": site})
    verify_untouched(model, baked)
    assert baked.opset == 21
    y = run(baked, {"x": np.ones((1, 3), np.float32)})["y"]
    np.testing.assert_array_equal(y, [[1, -2, -5]])


def test_the_model_itself_is_not_changed(make_site, make_group):
    model = load(parser.parse_model(TURNED))
    before = serialize(model).data
    bake(model, _scenario(make_group("i", (0, FULL, 1))), {"i": make_site("i", shape=(1, 2, 3))})
    assert serialize(model).data == before


def test_refusals(identity, make_site, make_group):
    model, site = identity(ElementType.FLOAT), make_site("t")
    for sample in (0, 2):
        bound = _scenario(make_group("t", (0, FULL, 1), sample=[sample]))
        with pytest.raises(FaultError, match="bound to one sample"):
            bake(model, bound, {"t": site})
    with pytest.raises(FaultError, match="unknown site 'q'"):
        bake(model, _scenario(make_group("q", (0, 0, 0))), {"t": site})
    eighth = make_site("t", ElementType.FLOAT8E5M2)
    with pytest.raises(FaultError, match="'t' can't be written into a model: there are no"):
        bake(model, _scenario(make_group("t", (0, 0, 0))), {"t": eighth})
