"""What optimisation removes from a model, and what becomes of it."""

from __future__ import annotations

import pytest

from onnxfi.engine import EngineSettings, deployed, removed_tensors, removed_values
from onnxfi.graph import load

CHAIN = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n,4] x) => (float[n,3] y)
<float[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3},
 float[3] b = {1, 2, 3}, float[3] a = {4, 5, 6}>
{
  s = Add(a, b)
  m = MatMul(x, w)
  g1 = Add(m, s)
  y = Relu(g1)
}
"""


def _names(model):
    return [name for node in model.index.nodes for name in node.outputs]


def test_every_value_is_there_or_has_a_reason(model_of):
    model = model_of(CHAIN)
    found = {each.name: each.reason for each in removed_values(model, _names(model), _plain())}
    assert found.pop("s") == "computed once, when the session starts"
    assert "m" in found
    assert all(reason.startswith("fused into the ") for reason in found.values())
    assert all("Gemm that makes" in reason for reason in found.values())


def _plain(**given):
    return EngineSettings(**given)


def test_what_nobody_asks_for_is_not_looked_at(model_of):
    model = model_of(CHAIN)
    assert removed_values(model, ["x", "w"], _plain()) == ()
    assert [each.name for each in removed_values(model, ["m", "y"], _plain())] == ["m"]
    assert removed_values(model, _names(model), _plain(optimization="disabled")) == ()


@pytest.mark.parametrize(
    ("name", "removed", "operator"),
    [
        ("resnet8_fashion_fp32", 10, "Conv"),
        ("resnet8_fashion_bf16", 30, "Conv"),
        ("resnet8_fashion_fp16", 11, "Conv"),
        ("resnet8_fashion_int8_qdq", 50, "QLinearConv"),
        ("resnet8_fashion_int4", 10, "Conv"),
        ("lenet5_mnist_int8_dynamic", 23, "DynamicQuantizeMatMul"),
    ],
)
def test_both_ways_to_ask_agree(models, name, removed, operator):
    """By the values of the stored graph, and by the names of the deployed one, in every format."""
    model = load(models / f"{name}.onnx")
    one = removed_values(model, _names(model), _plain())
    whole = removed_tensors(model, deployed(model, _plain()))
    assert {each.name for each in one} == {each.name for each in whole if not each.stored}
    assert len(one) == removed
    assert any(operator in each.reason for each in one)
    assert {each.name for each in whole if each.stored} <= set(model.index.initializers)
