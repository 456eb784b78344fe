"""Partitioning: parts in a row are the whole; where it is cut, and what crosses."""

from pathlib import Path

import numpy as np
import pytest

from onnxfi.engine import complete_types
from onnxfi.errors import ModelError
from onnxfi.graph import Cuts, closed_values, downstream, held_together, load, partition
from onnxfi.graph.cut import cut

MODELS = Path(__file__).parents[2] / "models"

RESIDUAL = """
residual (float[n, 4] x) => (float[n, 4] y, float[n, 4] z)
<float[4] w1 = {1.0, 2.0, 3.0, 4.0}, float[4] w2 = {1.0, 1.0, 1.0, 1.0}>
{
  a = Mul(x, w1)
  b = Relu(a)
  c = Mul(b, w2)
  d = Neg(c)
  dead = Exp(d)
  y = Add(d, b)
  z = Add(a, x)
}
"""

CAPTURED = """
captured (float[n, 4] x, bool late) => (float[n, 4] y)
<float[4] w = {1.0, 2.0, 3.0, 4.0}, float[4] u = {1.0, 2.0, 3.0, 4.0}>
{
  a = Mul(x, w)
  b = Neg(a)
  c = If(late) <
    then_branch = then () => (float[n, 4] t) { t0 = Mul(a, u)  t = Add(t0, x) },
    else_branch = other () => (float[n, 4] e)
      <float[4] inner = {1.0, 2.0, 3.0, 4.0}> { e = Mul(b, inner) }
  >
  y = Relu(c)
}
"""

QUANTIZED = """
quantized (float[n, 4] x) => (float[n, 4] y)
<float s = {0.5}, int8 z = {0}, int8[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}>
{
  q = QuantizeLinear(x, s, z)
  a = DequantizeLinear(q, s, z)
  t = Transpose<perm = [0, 1]>(a)
  d = DequantizeLinear(w, s, z)
  m = MatMul(t, d)
  r = QuantizeLinear(m, s, z)
  y = DequantizeLinear(r, s, z)
}
"""

SEQUENCE = """
g (float[4, 3] x) => (float[2, 3] y)
<int64 two = {2}, int64 zero = {0}>
{
  s = SplitToSequence<axis = 0>(x, two)
  a = SequenceAt(s, zero)
  b = Relu(a)
  c = SequenceAt(s, zero)
  y = Add(b, c)
}
"""

INSERTED = """
g (float[4, 3] x) => (float[4, 3] y)
<int64 one = {1}, int64 zero = {0}>
{
  h = Neg(x)
  s = SplitToSequence<axis = 1>(h)
  e = SequenceAt(s, one)
  u = Abs(h)
  f = Relu(e)
  t = SequenceInsert(s, f, zero)
  c = ConcatFromSequence<axis = 1>(t)
  y = MatMul(u, c)
}
"""


def _outputs(model):
    return [spec.name for spec in model.outputs]


def _made(model, part):
    """Values that a part computes, in order."""
    made = {node.name: node.outputs for node in model.index.nodes}
    return "".join(out for name in part.nodes for out in made[name])


def _in_a_row(run, model, parts, feeds):
    """Outputs of a model from its parts, each as a model of its own."""
    values = dict(feeds)
    for part in parts:
        examples = {name: values[name] for name in part.reads}
        piece = cut(model, set(part.nodes), part.makes, examples)
        assert set(piece.index.initializers) >= part.stored
        assert {spec.name for spec in piece.inputs} == set(part.reads)
        found = run(piece, {name: values[name] for name in part.reads})
        values |= dict(zip(part.makes, found, strict=True))
    return [values[name] for name in _outputs(model)]


@pytest.mark.parametrize(
    "cuts",
    [
        Cuts(),
        Cuts(behind={"a", "c"}),
        Cuts(before={"w2"}, repeat=True),
        Cuts(behind={"a", "b", "c", "d"}, repeat=True),
        Cuts(alone={"Neg#1"}),
    ],
    ids=["whole", "behind", "before", "everywhere", "alone"],
)
def test_parts_in_a_row_are_the_whole(parse, run, cuts):
    model = load(parse(RESIDUAL))
    parts = partition(model, _outputs(model), cuts)
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    for mine, whole in zip(
        _in_a_row(run, model, parts, {"x": x}), run(model, {"x": x}), strict=True
    ):
        np.testing.assert_array_equal(mine, whole)


def test_it_is_cut_where_that_is_wanted(parse):
    model = load(parse(RESIDUAL))
    wanted = [
        (Cuts(), ["abcdyz"]),
        (Cuts(behind={"b"}), ["ab", "cdyz"]),
        (Cuts(before={"w2"}), ["ab", "cdyz"]),
        (Cuts(before={"w1"}), ["abcdyz"]),
        (Cuts(alone={"Neg#1"}), ["abc", "d", "yz"]),
        (Cuts(behind={"a", "c"}), ["a", "bc", "dyz"]),
    ]
    for cuts, made in wanted:
        parts = partition(model, _outputs(model), cuts)
        assert [_made(model, part) for part in parts] == made
    (_, *_, last) = partition(model, _outputs(model), Cuts(behind={"a", "c"}))
    assert last.reads == ("c", "b", "a", "x")
    assert last.makes == ("y", "z")
    only = partition(model, ["z"], Cuts(behind={"a"}))
    assert [_made(model, part) for part in only] == ["a", "z"]  # nobody wants y


def test_work_begins_parts_and_activations_end_them(parse):
    text = """
    g (float[n, 4] x) => (float[n, 4] y)
    <float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}>
    { a = MatMul(x, w)  b = Add(a, x)  c = MatMul(b, w)  d = Relu(c)  e = Neg(d)  y = MatMul(e, w) }
    """
    model = load(parse(text))
    parts = partition(model, ["y"], Cuts())
    assert [(_made(model, part), part.masks) for part in parts] == [
        ("ab", False),
        ("cde", True),
        ("y", False),
    ]
    assert [part.stored for part in parts] == [{"w"}] * 3
    assert len(partition(model, ["y"], Cuts(work=False))) == 1


def test_control_flow_stays_whole_and_takes_what_it_captures(parse, run):
    model = load(parse(CAPTURED))
    parts = partition(model, ["y"], Cuts(behind={"a", "b", "c"}))
    assert [part.makes for part in parts] == [("a",), ("b",), ("c",), ("y",)]
    assert set(parts[2].reads) == {"late", "a", "x", "b"}
    assert parts[2].stored == {"u"}
    x = np.ones((2, 4), np.float32)
    for late in (False, True):
        feeds = {"x": x, "late": np.array(late)}
        (mine,) = _in_a_row(run, model, parts, feeds)
        np.testing.assert_array_equal(mine, run(model, feeds)[0])


def test_dequantizing_is_done_again(parse, run):
    model = load(parse(QUANTIZED))
    parts = partition(model, ["y"], Cuts(behind={"q", "r"}, repeat=True))
    assert [_made(model, part) for part in parts] == ["q", "atdmr", "y"]
    assert [part.reads for part in parts] == [("x",), ("q",), ("r",)]
    # The value that is faulted crosses as it is.
    parts = partition(model, ["y"], Cuts(behind={"a", "m"}, repeat=True, work=False))
    assert [part.reads for part in parts] == [("x",), ("a",), ("m",)]
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    (mine,) = _in_a_row(run, model, parts, {"x": x})
    np.testing.assert_array_equal(mine, run(model, {"x": x})[0])


def test_what_can_not_cross_is_not_cut_off(parse, run):
    model = load(parse(SEQUENCE))
    assert closed_values(model) == {"s"}
    parts = partition(model, ["y"], Cuts(closed={"s"}))
    assert [_made(model, part) for part in parts] == ["sabcy"]
    # Who makes and who reads the sequence runs first, so that what is behind can be cut.
    for behind, made in (("b", ["sacb", "y"]), ("c", ["sac", "by"]), ("a", ["sac", "by"])):
        parts = partition(model, ["y"], Cuts(behind={behind}, closed={"s"}))
        assert [sorted(_made(model, part)) for part in parts] == [sorted(each) for each in made]
        x = np.arange(-6, 6, dtype=np.float32).reshape(4, 3)
        (mine,) = _in_a_row(run, model, parts, {"x": x})
        np.testing.assert_array_equal(mine, run(model, {"x": x})[0])
    assert held_together(model, ["y"], Cuts(behind={"a", "b", "c"}, closed={"s"})) == {}


def test_what_lies_between_values_that_can_not_cross_is_held(parse):
    model = load(parse(INSERTED))
    assert closed_values(model) == {"s", "t"}
    cuts = Cuts(behind={"h", "e", "f", "c", "u"}, closed={"s", "t"})
    held = held_together(model, ["y"], cuts)
    assert held.keys() == {"e", "f"}
    assert set(held.values()) <= {"s", "t"}
    with pytest.raises(ModelError, match=r"can't cut behind '[ef]': values that are no plain"):
        partition(model, ["y"], cuts)
    parts = partition(model, ["y"], Cuts(behind=cuts.behind - {"e", "f"}, closed=cuts.closed))
    assert [_made(model, part) for part in parts] == ["h", "seftc", "u", "y"]


def test_unknown_values_can_not_be_cut(parse):
    model = load(parse(CAPTURED))
    for name in ("nothing", "If#1/else_branch/e"):
        with pytest.raises(ModelError, match="no top-level node computes it"):
            partition(model, ["y"], Cuts(behind={name}))


@pytest.mark.parametrize(
    ("value", "made"),
    [("w2", "cdy"), ("b", "cdy"), ("a", "bcdyz"), ("x", "abcdyz"), ("z", ""), ("d", "y")],
)
def test_downstream(parse, value, made):
    model = load(parse(RESIDUAL))
    names = downstream(model, value)
    outs = [out for node in model.index.nodes if node.name in names for out in node.outputs]
    assert "".join(out for out in outs if out != "dead") == made


def test_downstream_of_what_is_in_a_body(parse):
    model = load(parse(CAPTURED))
    for value in ("If#1/else_branch/inner", "If#1/else_branch/e", "u", "b"):
        assert downstream(model, value) == {"If#1", "Relu#1"}
    with pytest.raises(ModelError, match="has no value 'nothing'"):
        downstream(model, "nothing")


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_models_of_the_zoo(path):
    """Every part holds what it needs, and every value that crosses is made by an earlier one."""
    model = complete_types(load(path))
    computed = [
        value
        for node in model.index.nodes
        for value in node.outputs
        if not node.scope and model.index.consumers(value)
    ]
    for cuts in (Cuts(behind=frozenset(computed[::3])), Cuts(behind={computed[5]}, repeat=True)):
        parts = partition(model, _outputs(model), cuts)
        known = {spec.name for spec in model.inputs}
        for part in parts:
            assert known.issuperset(part.reads)
            cut(model, set(part.nodes), part.makes)
            known.update(part.makes)
        assert known.issuperset(_outputs(model))


def test_weights_used_at_every_time_step():
    model = load(MODELS / "snn_snntorch_mnist.onnx")
    parts = partition(model, _outputs(model), Cuts())
    assert sum("conv2.weight" in part.stored for part in parts) == 8
