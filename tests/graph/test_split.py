"""Splitting a graph behind a value: what is in the suffix, and what crosses."""

from pathlib import Path

import pytest

from onnxfi.errors import ModelError
from onnxfi.graph import Split, load, split

MODELS = Path(__file__).parents[2] / "models"

RESIDUAL = """
residual (float[n, 4] x) => (float[n, 4] y, float[n, 4] z)
<float[4] w1 = {1.0, 2.0, 3.0, 4.0}, float[4] w2 = {1.0, 1.0, 1.0, 1.0}>
{
  a = Mul(x, w1)
  b = Relu(a)
  c = Mul(b, w2)
  d = Neg(c)
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


def _split(parse, text: str, value: str) -> tuple[Split, set[str]]:
    """The split, and what its suffix computes."""
    model = load(parse(text))
    parts = split(model, value)
    made = {out for node in model.index.nodes if node.name in parts.suffix for out in node.outputs}
    return parts, made


@pytest.mark.parametrize(
    ("value", "made", "frontier", "dependent", "independent"),
    [
        ("w2", "cdy", ("b",), ("y",), ("z",)),
        ("b", "cdy", ("b",), ("y",), ("z",)),
        ("c", "dy", ("b", "c"), ("y",), ("z",)),
        ("a", "bcdyz", ("x", "a"), ("y", "z"), ()),
        ("x", "abcdyz", ("x",), ("y", "z"), ()),
        ("w1", "abcdyz", ("x",), ("y", "z"), ()),
        ("z", "", ("z",), (), ("y",)),
    ],
)
def test_all_live_values_cross(parse, value, made, frontier, dependent, independent):
    parts, computed = _split(parse, RESIDUAL, value)
    assert computed == set(made)
    assert parts.frontier == frontier
    assert (parts.dependent, parts.independent) == (dependent, independent)


def test_the_prefix_computes_no_more_than_it_must(parse):
    model = load(parse(RESIDUAL))
    parts = split(model, "w2")
    made = [out for node in model.index.nodes if node.name in parts.prefix for out in node.outputs]
    assert made == ["a", "b", "z"]


@pytest.mark.parametrize(
    ("value", "made", "frontier"),
    [
        ("w", "abcy", ("x", "late")),
        ("a", "bcy", ("x", "late", "a")),
        ("b", "cy", ("x", "late", "a", "b")),
        ("u", "cy", ("x", "late", "a", "b")),
        ("If#1/else_branch/inner", "cy", ("x", "late", "a", "b")),
    ],
)
def test_control_flow_stays_whole_and_takes_what_it_captures(parse, value, made, frontier):
    parts, computed = _split(parse, CAPTURED, value)
    assert computed - {"t", "t0", "e"} == set(made)
    assert parts.frontier == frontier


def test_no_split_inside_a_body_or_at_unknown_values(parse):
    model = load(parse(CAPTURED))
    with pytest.raises(ModelError, match="'If#1/else_branch/e': it is in a control-flow body"):
        split(model, "If#1/else_branch/e")
    with pytest.raises(ModelError, match="'nothing': it does not exist"):
        split(model, "nothing")


@pytest.mark.parametrize(
    ("value", "made", "frontier"),
    [
        ("w", "atdmry", ("q",)),  # what is dequantized, moved or not, crosses as integers
        ("q", "atdmry", ("q",)),
        ("a", "tdmry", ("a",)),  # but the faulted value itself crosses as it is
        ("t", "dmry", ("t",)),
        ("m", "ry", ("m",)),
        ("d", "atmry", ("q", "d")),
    ],
)
def test_dequantizing_is_done_again(parse, value, made, frontier):
    parts, computed = _split(parse, QUANTIZED, value)
    assert computed == set(made)
    assert parts.frontier == frontier


def test_random_values_cross_and_constants_do_not(parse):
    parts, computed = _split(
        parse,
        """
        g (float[n, 3] x) => (float[n, 3] y)
        <float[3] w = {1.0, 2.0, 3.0}>
        {
          k = Add(w, w)
          r = RandomNormal<shape = [3]>()
          a = Mul(x, r)
          b = Add(a, r)
          y = Add(b, k)
        }
        """,
        "a",
    )
    assert computed == {"b", "y", "k"}
    assert parts.frontier == ("r", "a")


def test_sequences_do_not_cross(parse):
    parts, computed = _split(
        parse,
        """
        g (float[4, 3] x) => (float[2, 3] y)
        <int64 two = {2}, int64 zero = {0}>
        {
          s = SplitToSequence<axis = 0>(x, two)
          a = SequenceAt(s, zero)
          b = Relu(a)
          c = SequenceAt(s, zero)
          y = Add(b, c)
        }
        """,
        "b",
    )
    assert computed == {"y"}
    assert parts.frontier == ("b", "c")
    parts, computed = _split(
        parse,
        """
        g (float[4, 3] x, int64 p) => (float[2, 3] y)
        <int64 two = {2}, int64 zero = {0}>
        {
          s = SplitToSequence<axis = 0>(x, two)
          q = Neg(p)
          y = SequenceAt(s, q)
        }
        """,
        "q",
    )
    assert computed == {"s", "y"}
    assert parts.frontier == ("x", "q")


def test_weights_used_at_every_time_step():
    model = load(MODELS / "snn_snntorch_mnist.onnx")
    parts = split(model, "conv2.weight")
    assert len(parts.frontier) == 8
    nodes = [node for node in model.index.nodes if node.name in parts.suffix]
    assert sum(node.inputs[1:2] == ("conv2.weight",) for node in nodes) == 8
