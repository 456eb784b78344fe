"""What is no site, and why: tensors that no fault can reach yet."""

from __future__ import annotations

import onnx
import onnx.helper as oh
import onnx.parser

from onnxfi.faults import SiteTable, enumerate_sites
from onnxfi.graph import load


def kinds(found: SiteTable) -> dict[str, str]:
    return {site.name: site.kind.value for site in found.sites}


def reasons(found: SiteTable) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out}


def test_sparse_tensors_are_left_out():
    values = oh.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    places = oh.make_tensor("i", onnx.TensorProto.INT64, [2], [0, 3])
    node = oh.make_node("Add", ["x", "w"], ["y"])
    graph = oh.make_graph(
        [node],
        "g",
        [oh.make_tensor_value_info("x", 1, ["N", 4])],
        [oh.make_tensor_value_info("y", 1, ["N", 4])],
        sparse_initializer=[oh.make_sparse_tensor(values, places, [4])],
    )
    proto = oh.make_model(graph, opset_imports=[oh.make_opsetid("", 21)], ir_version=10)
    model = load(proto)
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    (left,) = found.left_out
    assert (left.name, left.reason) == ("w", "sparse tensor, not supported")
    assert (left.elements, left.bits) == (2, 64)


def test_weights_in_attributes_are_named():
    node = oh.make_node(
        "LinearRegressor", ["x"], ["y"], name="lin", domain="ai.onnx.ml", coefficients=[1.0, 2.0]
    )
    graph = oh.make_graph(
        [node],
        "g",
        [oh.make_tensor_value_info("x", 1, ["N", 2])],
        [oh.make_tensor_value_info("y", 1, ["N", 1])],
    )
    opsets = [oh.make_opsetid("", 21), oh.make_opsetid("ai.onnx.ml", 3)]
    model = load(oh.make_model(graph, opset_imports=opsets, ir_version=10))
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    assert reasons(found) == {"lin": "held in node attributes, not in a tensor"}
    assert kinds(found) == {"x": "input", "y": "activation"}


def table(text: str) -> SiteTable:
    model = load(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 17]> {text}'))
    return enumerate_sites(model.index, model.inputs, model.outputs)


def test_an_input_that_is_returned_takes_no_port():
    found = table("agraph (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }")
    assert reasons(found) == {"x": "an input that is also an output: nothing can come between"}
    assert kinds(found) == {"y": "activation"}


def test_constants_that_a_body_hands_out():
    found = table(
        """
        agraph (float[2] x, bool c) => (float[2] y)
        {
            w = If (c) <
                then_branch = one () => (float[2] a) { a = Constant<value = float[2] {1, 2}>() },
                else_branch = two () => (float[2] b) { b = Constant<value = float[2] {3, 4}>() }
            >
            y = Mul(x, w)
        }
        """
    )
    handed = "handed out as it is by a control-flow body, not supported"
    assert reasons(found) == {"If#1/then_branch/a": handed, "If#1/else_branch/b": handed}


def test_damaged_nodes_without_inputs_are_looked_past():
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 17]> agraph (float[2] x) => (float[2] y, float[2] z)'
        "{ y = Relu(x) z = Cast(x) }"
    )
    del proto.graph.node[1].input[:]
    model = load(proto)
    found = enumerate_sites(model.index, model.inputs, model.outputs)
    assert "y" in kinds(found)
