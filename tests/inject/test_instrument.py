"""Instrumented models: where ports and inputs go, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from onnxfi.bits import ElementType, to_words
from onnxfi.errors import FaultError
from onnxfi.faults import Scenario
from onnxfi.graph import initializer_words, load, operators, verify_untouched
from onnxfi.inject import BatchWindow, arm, can_bake, can_open, instrument

FULL = 2**64 - 1
ALL = BatchWindow(start=0, stop=2, size=2)

CHAIN = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n,3] x) => (float[n,3] y, float[n,3] r)
<float[3] w = {1.0, -2.0, 3.0}>
{ m = Mul(x, w)  r = Relu(m)  y = Add(r, r) }
"""

BRANCHES = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n,3] x, bool c) => (float[n,3] y)
{
  r = Relu(x)
  y = If (c) <
    then_branch = then_graph () => (float[n,3] a) { a = Add(r, r) },
    else_branch = else_graph () => (float[n,3] b) { b = Neg(x) }
  >
}
"""


def _scenario(*groups) -> Scenario:
    return Scenario(number=3, groups=groups)


def test_all_readers_and_the_output_see_the_fault(make_site, make_group, run):
    model = load(parser.parse_model(CHAIN))
    site = make_site("r", shape=(1, 3))
    opened = instrument(model, [site])
    verify_untouched(model, opened.model)
    x = np.ones((2, 3), np.float32)
    fault = _scenario(make_group("r", (2, FULL, 1 << 31)))
    outputs = run(opened.model, {"x": x, **arm(opened, fault, window=ALL, stored_words={})})
    np.testing.assert_array_equal(outputs["r"], [[1, 0, -3]] * 2)
    np.testing.assert_array_equal(outputs["y"], [[2, 0, -6]] * 2)
    clean = run(opened.model, {"x": x, **arm(opened, None, window=ALL, stored_words={})})
    np.testing.assert_array_equal(clean["r"], [[1, 0, 3]] * 2)


def test_graph_inputs_and_captured_values(make_site, make_group, run):
    model = load(parser.parse_model(BRANCHES))
    sites = [make_site("x", shape=(1, 3), kind="input"), make_site("r", shape=(1, 3))]
    opened = instrument(model, sites)
    verify_untouched(model, opened.model)
    x = np.ones((2, 3), np.float32)
    sign, exponent = (0, FULL, 1 << 31), (1, FULL, 1 << 23)
    fault = _scenario(make_group("x", sign), make_group("r", exponent))
    extra = arm(opened, fault, window=ALL, stored_words={})
    then = run(opened.model, {"x": x, "c": np.array(True), **extra})["y"]
    np.testing.assert_array_equal(then, [[0, 1, 2]] * 2)  # relu(-1); 1.0 with exponent 126 is 0.5
    other = run(opened.model, {"x": x, "c": np.array(False), **extra})["y"]
    np.testing.assert_array_equal(other, [[1, -1, -1]] * 2)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)], ids=str)
def test_ports_on_scalars_and_empty_tensors(make_site, make_group, run, shape):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    nodes = [helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Neg", ["t"], ["y"])]
    graph = helper.make_graph(nodes, "g", [value], [result])
    opsets = [helper.make_opsetid("", 17)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    opened = instrument(model, [make_site("t", shape=shape, batch_axis=None)])
    window = BatchWindow(start=0, stop=1, size=1)
    fault = _scenario(make_group("t", (0, FULL, 1 << 31))) if shape == () else None
    extra = arm(opened, fault, window=window, stored_words={})
    outputs = run(opened.model, {"x": np.full(shape, 2, np.float32), **extra})["y"]
    np.testing.assert_array_equal(outputs, np.full(shape, -2 if fault else 2, np.float32))


def test_stored_tensors_become_inputs(make_site, make_group, run):
    model = load(parser.parse_model(CHAIN))
    site = make_site("w", shape=(3,), kind="weight")
    opened = instrument(model, [site])
    verify_untouched(model, opened.model)
    assert opened.model.opset == model.opset  # no newer operators are needed
    words = {"w": initializer_words(model, "w")}
    x = np.ones((2, 3), np.float32)
    # Two faults on one element compose in list order: cleared, then the sign is set.
    fault = _scenario(make_group("w", (1, 0, 0), (1, FULL, 1 << 31)))
    extra = arm(opened, fault, window=ALL, stored_words=words)
    assert to_words(extra["w"], ElementType.FLOAT)[1] == 1 << 31
    np.testing.assert_array_equal(run(opened.model, {"x": x, **extra})["r"], [[1, 0, 3]] * 2)
    assert words["w"][1] == 0xC0000000  # the caller's words are not changed


def test_opset_is_raised_only_as_far_as_needed(identity, make_site):
    for element, opset in [
        (ElementType.BOOL, 17),
        (ElementType.INT8, 18),
        (ElementType.FLOAT, 26),
    ]:
        assert instrument(identity(element), [make_site("t", element)]).model.opset == opset


def test_in_place_rules_hold(identity, make_site):
    """What the runtime needs to overwrite the tensor: one made-up dimension on both sides."""
    model = instrument(identity(ElementType.FLOAT), [make_site("t")]).model
    flat, scattered = (model.index.shape_of(f"onnxfi/t/{name}") for name in ("flat", "scattered"))
    assert flat == scattered
    assert flat is not None
    assert isinstance(flat[0], str)
    shape = model.index.producer("onnxfi/t/shape")
    assert shape is not None
    readers = {use.node.op_type for use in model.index.consumers("onnxfi/t/shape")}
    assert readers == {"ReduceProd", "Reshape"}
    assert operators(model)["ScatterElements"] == 1
    other = instrument(identity(ElementType.FLOAT), [make_site("t")], scatter="nd").model
    assert operators(other)["ScatterND"] == 1


def test_many_ports_of_one_name_pattern(make_site):
    model = load(parser.parse_model(CHAIN))
    sites = [make_site(name, shape=(1, 3)) for name in ("m", "r", "y")]
    opened = instrument(model, sites)
    names = [name for port in opened.ports for name in (port.index_input, port.and_input)]
    assert len(set(names)) == 6
    assert opened.model.inputs[0].name == "x"
    again = instrument(model, sites)
    assert [port.index_input for port in again.ports] == [p.index_input for p in opened.ports]


def test_a_second_instrumentation_keeps_out_of_the_first(make_site, make_group, run):
    model = load(parser.parse_model(CHAIN))
    first = instrument(model, [make_site("m", shape=(1, 3))])
    second = instrument(first.model, [make_site("r", shape=(1, 3))])
    extra = arm(first, None, window=ALL, stored_words={})
    extra |= arm(second, None, window=ALL, stored_words={})
    outputs = run(second.model, {"x": np.ones((2, 3), np.float32), **extra})
    np.testing.assert_array_equal(outputs["y"], [[2, 0, 6]] * 2)


def test_sites_that_cannot_be_opened(identity, make_site):
    packed = make_site("w", ElementType.INT4, (3,), kind="weight")
    assert can_open(packed) is None
    assert can_bake(packed) is None
    eighth = make_site("t", ElementType.FLOAT8E5M2)
    for able in (can_open, can_bake):
        assert "no operators that gather and scatter FLOAT8E5M2" in str(able(eighth))
    text = make_site("s", ElementType.STRING, (3,), kind="weight")
    for able in (can_open, can_bake):
        assert "not single words" in str(able(text))
    with pytest.raises(FaultError, match="'t' can't be opened for faults: there are no operators"):
        instrument(identity(ElementType.FLOAT8E5M2), [eighth])
    assert can_open(make_site("m", ElementType.BOOL, (3,), kind="weight")) is None


def test_a_site_that_is_not_open(identity, make_site, make_group):
    opened = instrument(identity(ElementType.FLOAT), [make_site("t")])
    with pytest.raises(FaultError, match="scenario 3 has a fault on site 'x', which is not open"):
        arm(opened, _scenario(make_group("x", (0, 0, 0))), window=ALL, stored_words={})


@pytest.mark.parametrize("element", [ElementType.BFLOAT16, ElementType.FLOAT8E4M3FN])
def test_weights_that_numpy_has_no_dtype_for(make_site, make_group, run, onnx_number, element):
    number = onnx_number(element)
    values = numpy_helper.from_array(np.array([1, 2, 3], np.float32))
    graph = helper.make_graph(
        [helper.make_node("Cast", ["w"], ["f"], to=1), helper.make_node("Mul", ["x", "f"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor("w", number, [3], numpy_helper.to_array(values))],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    site = make_site("w", element, (3,), kind="weight")
    opened = instrument(model, [site])
    words = {"w": initializer_words(model, "w")}
    sign = 1 << (15 if element is ElementType.BFLOAT16 else 7)
    fault = _scenario(make_group("w", (1, FULL, sign)))
    extra = arm(opened, fault, window=ALL, stored_words=words)
    y = run(opened.model, {"x": np.ones((2, 3), np.float32), **extra})["y"]
    np.testing.assert_array_equal(y, [[1, -2, 3]] * 2)
