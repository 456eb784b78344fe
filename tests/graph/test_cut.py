"""Sub-models: nodes unchanged, all they need with them, and the same results in two parts."""

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph import (
    downstream,
    lift_initializers,
    load,
    verify_cut,
    verify_untouched,
)
from onnxfi.graph.cut import cut

TWO = """
two (float[n, 4] x, bool late) => (float[n, 4] y, float[n, 4] z)
<float[4] w = {1.0, 2.0, 3.0, 4.0}, float[4] u = {1.0, 2.0, 3.0, 4.0}>
{
  a = Mul(x, w)
  b = Neg(a)
  c = If(late) <
    then_branch = then () => (float[n, 4] t) { t0 = Mul(a, u)  t = Add(t0, x) },
    else_branch = other () => (float[n, 4] e) { e = Mul(b, u) }
  >
  y = Relu(c)
  z = Exp(a)
}
"""


def test_captured_tensors_come_along(parse):
    model = load(parse(TWO))
    suffix = downstream(model, "b")
    behind = cut(model, suffix, ["y"])
    before = cut(model, {node.name for node in model.index.nodes} - suffix, ["a", "b"])
    assert set(behind.index.initializers) == {"u"}
    assert set(before.index.initializers) == {"w"}
    assert [spec.name for spec in behind.inputs] == ["x", "late", "a", "b"]
    assert [spec.name for spec in behind.outputs] == ["y"]


def test_a_part_can_be_edited_like_any_model(parse):
    model = load(parse(TWO))
    behind = cut(model, downstream(model, "u"), ["y"])
    lifted = lift_initializers(behind, ["u"])
    verify_untouched(behind, lifted)
    assert "u" in {spec.name for spec in lifted.inputs}


def test_types_come_from_a_run_where_the_file_has_none(parse):
    text = 'g (float[n, 4] x) => (float[n, 4] y) { a = "my.domain".Op(x)  b = Neg(a)  y = Exp(b) }'
    model = load(parse(text.replace('"my.domain".Op', "my.Op"), imports={"my": 1}))
    behind = downstream(model, "a")
    with pytest.raises(RewriteError, match="can't make 'a' an input: its element type"):
        cut(model, behind, ["y"])
    part = cut(model, behind, ["y"], {"a": np.zeros((2, 4), np.float32)})
    assert part.inputs[0].element is ElementType.FLOAT
    assert part.inputs[0].shape == (None, None)


def test_wrong_shapes_are_not_declared(parse):
    model = load(parse("g (float[n, 4] x) => (y) { a = Neg(x)  b = Exp(a)  y = Neg(b) }"))
    behind = downstream(model, "b")
    shapes = [
        cut(model, behind, ["y"], {"b": np.zeros(size, np.float32)}).inputs[0].shape
        for size in ((2, 4), (2, 5), (8,))
    ]
    assert shapes == [("n", 4), ("n", None), (None,)]


def test_outputs_must_be_made_by_the_nodes(parse):
    model = load(parse(TWO))
    with pytest.raises(RewriteError, match="can't return 'z': none of the nodes makes it"):
        cut(model, downstream(model, "b"), ["z"])


def test_the_verifier_sees_what_is_not_the_models(parse):
    model = load(parse(TWO))
    part = cut(model, downstream(model, "b"), ["y"])
    verify_cut(model, part)

    def changed(edit):
        proto = part.editable()
        edit(proto)
        return replace(part, proto=proto)

    def rewire(proto):
        proto.graph.node[1].input[0] = "a"

    def poke(proto):
        proto.graph.initializer[0].float_data[0] = 7
        proto.graph.initializer[0].raw_data = b""

    def forget(proto):
        del proto.graph.input[0]

    def older(proto):
        proto.opset_import[0].version = 15

    for edit, message in (
        (rewire, "node 'Relu#1' of the sub-model is not the model's"),
        (poke, "initializer 'u' of the sub-model is not the model's"),
        (forget, "the sub-model is not valid: node 'Add#1'"),
        (older, "versions of the sub-model differ"),
    ):
        with pytest.raises(RewriteError, match=message):
            verify_cut(model, changed(edit))
    lifted = lift_initializers(part, ["u"])
    with pytest.raises(RewriteError, match="initializer 'u' of the model is an input"):
        verify_cut(model, lifted)
