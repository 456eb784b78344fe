"""Aligning graphs that differ in names and stored values only."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import parser

from onnxfi.graph import align, load

MODELS = Path(__file__).parents[2] / "models"

FIRST = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n, 2] x, bool c) => (float[n, 2] y)
<float[2] a = {1.0, 2.0}, float[2] b = {3.0, 4.0}>
{
  s = Add(x, a)
  t = If(c) <
    then_branch = yes () => (float[n, 2] u) <float[2] k = {5.0, 6.0}> { u = Mul(s, k) },
    else_branch = no () => (float[n, 2] v) { v = Mul(s, b) }
  >
  z = Softmax<axis = 1>(t)
  y = Sub(z, a)
}
"""


def _models(text: str):
    first = parser.parse_model(FIRST)
    second = parser.parse_model(text)
    return load(first), load(second)


def test_names_and_values_may_differ():
    text = FIRST.replace("{3.0, 4.0}", "{7.0, 8.0}")
    for old, new in ((" a", " first"), ("b =", "second ="), ("(s, b)", "(s, second)")):
        text = text.replace(old, new)
    text = text.replace("s = Add", "q = Add").replace("(s, ", "(q, ")
    first, second = _models(text)
    found = align(first, second)
    assert found is not None
    assert found["a"] == "first"
    assert found["b"] == "second"
    assert len(found) == 3  # the one inside the branch too


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("axis = 1", "axis = 0"),
        ("Sub(z, a)", "Sub(z, b)"),
        ("Sub(z, a)", "Sub(a, z)"),
        ("s = Add", "s = Sub"),
        ("Sub(z, a)", "Sub(z, s)"),
        ("u = Mul(s, k)", "u = Div(s, k)"),
        ("float[2] b = {3.0, 4.0}", "float[1] b = {3.0}"),
        ("y = Sub(z, a)", "w = Sub(z, a)  y = Neg(w)"),
        ("x, bool", "x2, bool"),
    ],
)
def test_anything_else_may_not(old, new):
    text = FIRST.replace(old, new)
    if "x2" in new:
        text = text.replace("Add(x,", "Add(x2,")
    first, second = _models(text)
    assert align(first, second) is None
    assert align(second, first) is None


def test_a_model_is_aligned_with_itself():
    for path in sorted(MODELS.glob("*.onnx")):
        model = load(path)
        found = align(model, load(onnx.load(path)))
        assert found is not None
        assert all(name == other for name, other in found.items())
