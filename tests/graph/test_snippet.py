"""Snippets: what may be put on a value of a model, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx.helper
import pytest
from onnx import parser

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph import check_rows, load_snippet, run_snippet

HEAD = '<ir_version: 10, opset_import: ["" : 18]>'
DRIFT = f"""{HEAD} g (float[n, k] x, float scale) => (float[n, k] y)
<float scale = {{1.5}}> {{ y = Mul(x, scale) }}"""


def _snippet(text, **parameters):
    return load_snippet(parser.parse_model(text), parameters)


def test_parameters_are_stored_for_good():
    values = np.array([[1, -2]], np.float32)
    np.testing.assert_array_equal(run_snippet(_snippet(DRIFT), values), [[1.5, -3]])
    other = _snippet(DRIFT, scale=2)
    np.testing.assert_array_equal(run_snippet(other, values), [[2, -4]])
    assert len(other.model.inputs) == 1
    assert other.sha256 != _snippet(DRIFT).sha256 == _snippet(DRIFT, scale=1.5).sha256


def test_its_bytes_make_it_again():
    found = _snippet(DRIFT)
    again = load_snippet(found.data)
    assert (again.sha256, again.data) == (found.sha256, found.data)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gain", 1, "no parameter 'gain'; it has: scale"),
        ("scale", [1, 2], "expected \\[\\]"),
        ("scale", "much", "expected numbers"),
    ],
)
def test_wrong_parameters(name, value, message):
    with pytest.raises(ModelError, match=message):
        _snippet(DRIFT, **{name: value})


def test_a_function_is_taken_for_float32():
    function = onnx.helper.make_function(
        "mine",
        "Half",
        ["a"],
        ["b"],
        [onnx.helper.make_node("Mul", ["a", "a"], ["b"])],
        [onnx.helper.make_opsetid("", 18)],
    )
    found = load_snippet(function)
    check_rows(found)
    np.testing.assert_array_equal(run_snippet(found, np.full((1, 2), 3, np.float32)), [[9, 9]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "g (float[n, k] x) => (double[n, k] y) { y = Cast<to = 11>(x) }",
            "DOUBLE, expected FLOAT",
        ),
        (
            "g (float[n, k] x, float[n, k] z) => (float[n, k] y) { y = Add(x, z) }",
            "2 inputs without",
        ),
        (
            "g (float[n, k] x) => (float[n, k] y, float[n, k] z) { y = Neg(x) z = Abs(x) }",
            "2\\s+output",
        ),
        (
            "g (float[n, k] x) => (float[n, k] y) { y = RandomNormalLike<seed = 1.0>(x) }",
            "in every run",
        ),
        ("g (float[1, 7] x) => (float[1, 7] y) { y = Neg(x) }", "of any size"),
        ("g (float[a, b, c] x) => (float[a, b, c] y) { y = Neg(x) }", "of any size"),
        ("g (float[n, k] x) => (float[n, k] y) { y = com.microsoft.Gelu(x) }", "of domain"),
        (
            """g (float[n, k] x, bool c) => (float[n, k] y) <bool c = {1}> { y = If(c) <
        then_branch = t () => (float[n, k] a) { a = Neg(x) },
        else_branch = e () => (float[n, k] b) { b = Abs(x) }> }""",
            "control flow",
        ),
    ],
)
def test_what_is_no_snippet(text, message):
    head = HEAD.replace("]>", ', "com.microsoft" : 1]>') if "microsoft" in text else HEAD
    with pytest.raises(UnsupportedModelError, match=message):
        _snippet(f"{head} {text}")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            "zero = Constant<value_ints = [0]>() m = ReduceMax(x, zero) y = Sub(x, m)",
            UnsupportedModelError,
            "depends on the other samples",
        ),
        (
            "one = Constant<value_ints = [1]>() y = ReduceMax(x, one)",
            ModelError,
            "same type and shape",
        ),
        (
            "two = Constant<value_ints = [2]>() y = Reshape(x, two)",
            ModelError,
            "can't be evaluated",
        ),
    ],
)
def test_what_misbehaves(body, error, message):
    with pytest.raises(error, match=message):
        check_rows(_snippet(f"{HEAD} g (float[n, k] x) => (float[n, k] y) {{ {body} }}"))


def test_caps():
    nodes = " ".join(f"v{i} = Neg(v{i - 1})" for i in range(1, 10_002))
    text = f"{HEAD} g (float[n, k] v0) => (float[n, k] v10001) {{ {nodes} }}"
    with pytest.raises(ModelError, match="limit for untrusted models"):
        _snippet(text)
