"""Element types of what a model computes: onnxruntime knows them where onnx does not."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from onnxfi.bits import ElementType
from onnxfi.engine import EngineSettings, complete_types
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load, untyped

CHAIN = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
agraph (ELEMENT[1, 4] x) => (float[1, 4] y)
<float s = {0.5}, ELEMENT z = {3}> {
    a = com.microsoft.QLinearAdd(x, s, z, x, s, z, s, z)
    b = Flatten(a)
    c = com.microsoft.QLinearSigmoid(b, s, z, s, z)
    d = Identity(c)
    e = com.microsoft.QLinearAdd(d, s, z, d, s, z, s, z)
    y = DequantizeLinear(e, s, z)
}
"""
BRANCHES = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
agraph (bool c, float[2, 4] x) => (float[2, 4] y)
<float[4] bias = {1, 2, 3, 4}> {
    h = com.microsoft.Gelu(x)
    y = If (c) <
        then_branch = t () => (float[2, 4] o) {
            g = com.microsoft.BiasGelu(h, bias)
            i = If (c) <
                then_branch = tt () => (float[2, 4] p) {
                    k = com.microsoft.QuickGelu(g)
                    p = Neg(k)
                },
                else_branch = te () => (float[2, 4] q) { q = Identity(x) }>
            o = Neg(i)
        },
        else_branch = e () => (float[2, 4] r) { r = Identity(x) }>
}
"""
LOOPS = """
<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
agraph (int64 n, bool c, float16[3, 4] x) => (float16[N, 4] y)
{
    h = com.microsoft.Gelu(x)
    s, each = Loop (n, c, h) <
        body = b (i, going, state) => (going2, next, out) {
            going2 = Identity(going)
            g = com.microsoft.Gelu(state)
            next = Neg(g)
            out = Abs(g)
        }>
    last, y = Scan<num_scan_inputs = 1, body = b2 (sum, row) => (sum2, row2) {
            r = com.microsoft.Gelu(row)
            sum2 = Add(sum, r)
            row2 = Identity(sum2)
        }>(row0, s)
    z = ReduceSum<keepdims = 0>(h, axis)
    axis = Constant<value_ints = [0]>()
    row0 = Identity(z)
}
"""


def types_of(model, values):
    return {value: model.index.element_of(value) for value in values}


@pytest.mark.parametrize("element", ["uint8", "int8"])
def test_chains_of_operators_that_onnx_knows_and_does_not(model_of, element):
    model = complete_types(model_of(CHAIN.replace("ELEMENT", element)))
    assert set(types_of(model, "abcde").values()) == {ElementType(element)}
    assert model.index.element_of("y") is ElementType.FLOAT


def test_a_chain_of_any_length_is_known(model_of):
    """A transformer, fused, alternates what onnx knows and what it does not, layer by layer."""
    nodes, stored, value = [], [], "x"
    for layer in range(24):
        weight = np.eye(4, dtype=np.float32)
        stored += [numpy_helper.from_array(weight, f"w{layer}")]
        stored += [numpy_helper.from_array(weight[0], f"b{layer}")]
        nodes += [helper.make_node("MatMul", [value, f"w{layer}"], [f"m{layer}"])]
        inputs, value = [f"m{layer}", f"b{layer}"], f"g{layer}"
        nodes += [helper.make_node("BiasGelu", inputs, [value], domain="com.microsoft")]
    given = [helper.make_tensor_value_info("x", 1, ["N", 4])]
    graph = helper.make_graph(nodes, "g", given, [helper.make_tensor_value_info(value, 1, None)])
    graph.initializer.extend(stored)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = load(helper.make_model(graph, opset_imports=imports, ir_version=10))
    assert len(untyped(model)[""]) == 46  # the first product, and the output that is declared
    table = enumerate_sites(*_facts(complete_types(model)))
    computed = [site for site in table.sites if site.kind == "activation"]
    assert len(computed) == 48
    assert all(site.element is ElementType.FLOAT for site in computed)
    assert complete_types(model).index.shape_of("g7") == ("N", 4)


def test_bodies_within_bodies(model_of):
    model = complete_types(model_of(BRANCHES))
    names = ("h", "If#1/then_branch/g", "If#1/then_branch/i")
    deeper = "If#1/then_branch/If#1/then_branch/k"
    assert set(types_of(model, (*names, deeper)).values()) == {ElementType.FLOAT}
    assert not untyped(model)


def test_bodies_of_loops_that_declare_nothing(model_of):
    model = complete_types(model_of(LOOPS))
    assert not untyped(model)
    element = model.index.element_of
    assert element("Loop#1/body/g") is ElementType.FLOAT16
    assert element("Loop#1/body/i") is ElementType.INT64
    assert element("Loop#1/body/going") is ElementType.BOOL
    assert element("Scan#1/body/r") is ElementType.FLOAT16


def test_sequences_are_known_as_such(model_of):
    model = complete_types(
        model_of("""
        <ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
        agraph (float[N, 4] x) => (float[M, 4] y) {
            h = com.microsoft.Gelu(x)
            s = SequenceConstruct(h, x)
            y = ConcatFromSequence<axis = 0>(s)
        }""")
    )
    assert (model.index.kind_of("s"), model.index.kind_of("h")) == ("sequence", "tensor")


def test_what_onnxruntime_refuses_stays_open_and_is_named(model_of):
    model = model_of("""
        <ir_version: 10, opset_import: ["" : 17, "my.company" : 1]>
        agraph (float[N, 4] x) => (float[N, 4] y) { h = my.company.Magic(x) y = Neg(h) }""")
    typed = complete_types(model, EngineSettings())
    assert untyped(typed) == {"": ("h",)}
    (left,) = enumerate_sites(*_facts(typed)).left_out
    assert (left.name, left.reason) == (
        "h",
        "element type not known: onnxruntime does not load what computes it",
    )


def test_a_model_that_onnx_knows_is_left_as_it_is(classifier):
    assert complete_types(classifier) is classifier


def _facts(model):
    return model.index, model.inputs, model.outputs
