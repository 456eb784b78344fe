"""Barriers: a model taken apart at values and put together again is the model."""

from pathlib import Path

import numpy as np
import pytest

from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph import load, rejoin, separate

MODELS = Path(__file__).parents[2] / "models"

RESIDUAL = """
residual (float[n, 4] x) => (float[n, 4] y, float[n, 4] b)
<float[4] w1 = {1.0, 2.0, 3.0, 4.0}, float[4] w2 = {1.0, -1.0, 1.0, 1.0}>
{
  a = Mul(x, w1)
  b = Relu(a)
  c = Mul(b, w2)
  d = Neg(c)
  y = Add(d, b)
}
"""

CAPTURED = """
captured (float[n, 4] x, bool late) => (float[n, 4] y)
<float[4] w = {1.0, 2.0, 3.0, 4.0}>
{
  a = Mul(x, w)
  b = Neg(a)
  c = If(late) <
    then_branch = then () => (float[n, 4] t) { t0 = Mul(a, w)  t = Add(t0, x) },
    else_branch = other () => (float[n, 4] e) { e = Mul(b, a) }
  >
  y = Relu(c)
}
"""

UNKNOWN = """
unknown (float[n, 4] x) => (float[n, 4] y)
{
  a = Strange.Op(x)
  y = Relu(a)
}
"""


def _names(specs):
    return [spec.name for spec in specs]


@pytest.mark.parametrize("names", [["a"], ["b"], ["d", "a"], ["a", "b", "c", "d", "y"]])
def test_rejoined_is_the_original(parse, run, same, names):
    model = load(parse(RESIDUAL))
    pieces = separate(model, names)
    whole = rejoin(pieces, names, _names(model.outputs))
    assert _names(whole.inputs) == ["x"]
    assert _names(whole.outputs) == ["y", "b"]
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    assert same(run(whole, {"x": x}), run(model, {"x": x}))
    # What reads a value reads it again, and nothing else has been touched.
    reads = {node.name: node.inputs for node in model.index.nodes}
    assert {node.name: node.inputs for node in whole.index.nodes} == reads
    assert _names(model.outputs) == ["y", "b"], "the model is never changed in place"


def test_behind_a_barrier_only_what_is_fed_counts(parse, run):
    model = load(parse(RESIDUAL))
    pieces = separate(model, ["b"])
    assert _names(pieces.inputs) == ["x", "b/behind"]
    assert _names(pieces.outputs) == ["y", "b"]
    x, b = np.full((2, 4), 3, np.float32), np.ones((2, 4), np.float32)
    y, before = run(pieces, {"x": x, "b/behind": b})
    np.testing.assert_array_equal(before, x * [1, 2, 3, 4])
    np.testing.assert_array_equal(y, b * [0, 2, 0, 0])


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("names", [["a"], ["b", "c"], ["c", "a", "b", "y"]])
def test_bodies_read_what_is_behind_the_barrier(parse, run, same, names, late):
    model = load(parse(CAPTURED))
    feeds = {"x": np.ones((2, 4), np.float32), "late": np.array(late)}
    pieces = separate(model, names)
    changed = {f"{name}/behind": np.full((2, 4), 7, np.float32) for name in names}
    made = dict(zip(_names(pieces.outputs), run(pieces, {**feeds, **changed}), strict=True))
    if names == ["a"]:
        expected = [7, 14, 21, 28] if late else 0  # 7 w + 1 - 1; -7 * 7, which Relu clears
        np.testing.assert_array_equal(made["y"], np.broadcast_to(expected, (2, 4)) + late)
    whole = rejoin(pieces, names, _names(model.outputs))
    assert same(run(whole, feeds), run(model, feeds))


@pytest.mark.parametrize("name", ["lenet5_mnist_fp32", "resnet8_fashion_int8_qdq"])
def test_models_of_the_zoo(run, same, name):
    model = load(MODELS / f"{name}.onnx")
    values = [
        made
        for node in model.index.nodes
        for made in node.outputs
        if model.index.consumers(made) and model.index.element_of(made) is not None
    ]
    whole = rejoin(separate(model, values), values, _names(model.outputs))
    (given,) = model.inputs
    shape = [2, *given.shape[1:]]
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert same(run(whole, {given.name: x}), run(model, {given.name: x}))


def test_refusals(parse):
    model = load(parse(CAPTURED))
    for name in ("nothing", "x", "w", "If#1/else_branch/e"):
        with pytest.raises(RewriteError, match=f"taken apart at '{name}': no node computes it"):
            separate(model, [name])
    taken = load(parse(RESIDUAL.replace("d = Neg(c)", "e = Neg(c) d = Identity(e)")))
    separate(taken, ["a"])
    named = parse(RESIDUAL)
    named.graph.node[2].output[0] = named.graph.node[3].input[0] = "b/behind"
    with pytest.raises(UnsupportedModelError, match="apart at 'b': the name 'b/behind' is in use"):
        separate(load(named), ["b"])


def test_values_of_unknown_type_are_refused(parse):
    text = UNKNOWN.replace("Strange.Op", "strange.Op")
    model = load(parse(text, imports={"strange": 1}))
    with pytest.raises(UnsupportedModelError, match="apart at 'a': its element type is not known"):
        separate(model, ["a"])
