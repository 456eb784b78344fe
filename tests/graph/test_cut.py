"""Sub-models: nodes unchanged, all they need with them, and the same results in two parts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph import (
    cut,
    lift_initializers,
    load,
    serialize,
    split,
    verify_cut,
    verify_untouched,
)

MODELS = Path(__file__).parents[2] / "models"

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


def _parts(model, value):
    parts = split(model, value)
    computed = [v for v in (*parts.frontier, *parts.independent) if model.index.producer(v)]
    before = cut(model, parts.prefix, computed) if computed else None
    return parts, before, cut(model, parts.suffix, parts.dependent)


@pytest.mark.parametrize("value", ["x", "w", "a", "b", "u", "c"])
@pytest.mark.parametrize("late", [False, True])
def test_two_parts_give_what_the_whole_gives(parse, run, value, late):
    model = load(parse(TWO))
    parts, before, behind = _parts(model, value)
    onnx.checker.check_model(serialize(behind).data, full_check=True)
    assert {spec.name for spec in behind.inputs} <= set(parts.frontier)
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)}
    feeds["late"] = np.array(late)
    expected = dict(zip("yz", run(model, feeds), strict=True))
    values = dict(feeds)
    if before is not None:
        given = {spec.name: feeds[spec.name] for spec in before.inputs}
        names = [spec.name for spec in before.outputs]
        values |= dict(zip(names, run(before, given), strict=True))
    found = run(behind, {spec.name: values[spec.name] for spec in behind.inputs})
    found = values | dict(zip(parts.dependent, found, strict=True))
    for name in "yz":
        np.testing.assert_array_equal(found[name], expected[name])


def test_captured_tensors_come_along(parse):
    model = load(parse(TWO))
    _, before, behind = _parts(model, "b")
    assert set(behind.index.initializers) == {"u"}
    assert set(before.index.initializers) == {"w"}
    assert [spec.name for spec in behind.inputs] == ["x", "late", "a", "b"]
    assert [spec.name for spec in behind.outputs] == ["y"]


def test_a_part_can_be_edited_like_any_model(parse):
    model = load(parse(TWO))
    _, _, behind = _parts(model, "u")
    lifted = lift_initializers(behind, ["u"])
    verify_untouched(behind, lifted)
    assert "u" in {spec.name for spec in lifted.inputs}


def test_types_come_from_a_run_where_the_file_has_none(parse):
    text = 'g (float[n, 4] x) => (float[n, 4] y) { a = "my.domain".Op(x)  b = Neg(a)  y = Exp(b) }'
    model = load(parse(text.replace('"my.domain".Op', "my.Op"), imports={"my": 1}))
    parts = split(model, "a")
    with pytest.raises(RewriteError, match="can't make 'a' an input: its element type"):
        cut(model, parts.suffix, parts.dependent)
    part = cut(model, parts.suffix, parts.dependent, {"a": np.zeros((2, 4), np.float32)})
    assert part.inputs[0].element is ElementType.FLOAT
    assert part.inputs[0].shape == (None, None)


def test_wrong_shapes_are_not_declared(parse):
    model = load(parse("g (float[n, 4] x) => (y) { a = Neg(x)  b = Exp(a)  y = Neg(b) }"))
    parts = split(model, "b")
    shapes = [
        cut(model, parts.suffix, parts.dependent, {"b": np.zeros(size, np.float32)}).inputs[0].shape
        for size in ((2, 4), (2, 5), (8,))
    ]
    assert shapes == [("n", 4), ("n", None), (None,)]


def test_outputs_must_be_made_by_the_nodes(parse):
    model = load(parse(TWO))
    with pytest.raises(RewriteError, match="can't return 'z': none of the nodes makes it"):
        cut(model, split(model, "b").suffix, ["z"])


def test_the_verifier_sees_what_is_not_the_models(parse):
    model = load(parse(TWO))
    part = cut(model, split(model, "b").suffix, ["y"])
    verify_cut(model, part)

    def changed(edit):
        proto = part._copy()
        edit(proto)
        return replace(part, _proto=proto)

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


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_models_of_the_zoo(path):
    model = load(path)
    stored = [name for name, entry in model.index.initializers.items() if entry.nbytes > 100]
    computed = [value for node in model.index.nodes for value in node.outputs]
    for value in (*stored[::5], *computed[:: max(1, len(computed) // 6)]):
        parts = split(model, value)
        for nodes, outputs in (
            (parts.suffix, parts.dependent),
            (parts.prefix, [v for v in parts.frontier if model.index.producer(v)]),
        ):
            if nodes and outputs:
                part = cut(model, nodes, outputs)
                # The checker asks for shapes; exposed values and what onnxruntime's own
                # operators make are declared without.
                known = all(spec.shape is not None for spec in (*part.inputs, *part.outputs))
                if known and not any(node.domain for node in part.index.nodes):
                    onnx.checker.check_model(serialize(part).data)
