from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.bits import ElementType
from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph import (
    Form,
    TensorSpec,
    initializer_words,
    lift_initializers,
    load,
    replace_initializers,
    serialize,
    verify_untouched,
)

NESTED = """agraph (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
    a = Add(x, w)
    y = If (c) <
        then_branch = t () => (float[2] o) <float[2] k = {3, 4}> {
            o = If (c) <
                then_branch = t2 () => (float[2] o2) { o2 = Mul(a, k) },
                else_branch = e2 () => (float[2] k) {}>
        },
        else_branch = e () => (float[2] k) <float[2] k = {5, 6}> {}>
}"""
THEN = "If#1/then_branch/k"
ELSE = "If#1/else_branch/k"
FEEDS = {"x": np.array([1.0, -2.0], np.float32)}


@pytest.fixture
def nested(parse):
    proto = parse(NESTED)
    # The inner else branch returns what is outside: not allowed, so let it compute.
    inner = proto.graph.node[1].attribute[0].g.node[0].attribute[1].g
    inner.node.add(op_type="Neg", input=["k"], output=["r"])
    inner.output[0].name = "r"
    return load(proto)


def test_replacing_changes_only_what_it_should(nested, run):
    before = serialize(nested).data
    edited = replace_initializers(nested, {THEN: np.array([0, 0x7FC12345], np.uint32)})
    assert serialize(nested).data == before
    assert initializer_words(edited, THEN).tolist() == [0, 0x7FC12345]
    assert initializer_words(edited, ELSE).tolist() == initializer_words(nested, ELSE).tolist()
    verify_untouched(nested, edited)
    out = run(edited, {"c": np.array(True), **FEEDS})[0]
    assert out[0] == 0
    assert np.isnan(out[1])
    assert edited.sha256 == nested.sha256


def test_replacing_with_the_same_words_gives_the_same_output(nested, run, same):
    words = {name: initializer_words(nested, name) for name in nested.index.initializers}
    edited = replace_initializers(nested, words)
    for condition in (True, False):
        feeds = {"c": np.array(condition), **FEEDS}
        assert same(run(edited, feeds), run(nested, feeds))


def test_unknown_names_and_wrong_words(nested):
    for edit in (
        lambda: replace_initializers(nested, {"k": np.zeros(2, np.uint32)}),
        lambda: initializer_words(nested, "nothing"),
        lambda: lift_initializers(nested, ["nothing"]),
    ):
        with pytest.raises(ModelError, match="no initializer"):
            edit()
    with pytest.raises(ModelError, match="takes 2 words"):
        replace_initializers(nested, {"w": np.zeros(3, np.uint32)})


@pytest.mark.parametrize("names", [["w"], [THEN], [ELSE], ["w", THEN, ELSE]])
def test_lifting(nested, run, same, names):
    lifted = lift_initializers(nested, names)
    verify_untouched(nested, lifted)
    assert lifted.inputs[2:] == tuple(
        TensorSpec(name=name, element=ElementType.FLOAT, shape=(2,)) for name in names
    )
    assert not set(names) & set(lifted.index.initializers)
    fed = {name: initializer_words(nested, name).view(np.float32) for name in names}
    other = {name: np.array([0.5, 8.0], np.float32) for name in names}
    replaced = replace_initializers(
        nested, {name: values.view(np.uint32) for name, values in other.items()}
    )
    for condition in (True, False):
        feeds = {"c": np.array(condition), **FEEDS}
        assert same(run(lifted, {**feeds, **fed}), run(nested, feeds))
        assert same(run(lifted, {**feeds, **other}), run(replaced, feeds))


def test_lifting_what_was_repeated_as_an_input_keeps_its_place(parse, run, same):
    proto = parse(
        "agraph (float[2] w, float[2] x) => (float[2] y) { y = Sub(x, w) }", ir_version=3, opset=9
    )
    proto.graph.initializer.add().CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    )
    model = load(proto)
    lifted = lift_initializers(model, ["w"])
    verify_untouched(model, lifted)
    assert [spec.name for spec in lifted.inputs] == ["w", "x"]
    fed = {"w": np.array([1, 2], np.float32)}
    assert same(run(lifted, {**FEEDS, **fed}), run(model, FEEDS))


def test_sparse_initializers(parse):
    proto = parse("agraph (float[4] x) => (float[4] y) { y = Add(x, s) }")
    sparse = proto.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [2], [7.0, 8.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [2], [0, 2]))
    model = load(proto)
    entry = model.index.initializers["s"]
    assert (entry.sparse, entry.shape, entry.nbytes) == (True, (2,), 8)
    assert model.index.shape_of("s") == (4,)
    assert initializer_words(model, "s").view(np.float32).tolist() == [7, 8]
    edited = replace_initializers(model, {"s": np.array([1, 2], np.uint32)})
    assert initializer_words(edited, "s").tolist() == [1, 2]
    verify_untouched(model, edited)
    indices = model.index.stored["s/indices"]
    assert (indices.form, indices.element, indices.shape) == (Form.INDICES, ElementType.INT64, (2,))
    moved = replace_initializers(edited, {"s/indices": np.array([1, 3], np.uint64)})
    assert initializer_words(moved, "s/indices").tolist() == [1, 3]
    assert initializer_words(moved, "s").tolist() == [1, 2]
    verify_untouched(model, moved)
    with pytest.raises(RewriteError, match="sparse"):
        lift_initializers(model, ["s/indices"])
    with pytest.raises(RewriteError, match="sparse"):
        lift_initializers(model, ["s"])


TREES = """agraph (float[N, 2] x) => (float[N, 1] y, float[N, 1] z) {
    y = ai.onnx.ml.LinearRegressor<coefficients = [1.0, 2.0], intercepts = [0.5]>(x)
    z = ai.onnx.ml.LinearRegressor<coefficients = [3.0, 4.0]>(x)
}"""


def test_lists_in_attributes(parse, run):
    model = load(parse(TREES, imports={"ai.onnx.ml": 1}))
    assert list(model.index.initializers) == []
    assert {name: entry.shape for name, entry in model.index.stored.items()} == {
        "LinearRegressor#1/coefficients": (2,),
        "LinearRegressor#1/intercepts": (1,),
        "LinearRegressor#2/coefficients": (2,),
    }
    name = "LinearRegressor#1/coefficients"
    assert initializer_words(model, name).view(np.float32).tolist() == [1, 2]
    signalling = np.array([0x7F812345, 0x40000000], np.uint32)
    edited = replace_initializers(model, {name: signalling})
    assert initializer_words(edited, name).tolist() == signalling.tolist()
    assert initializer_words(load(serialize(edited).data), name).tolist() == signalling.tolist()
    assert initializer_words(model, name).view(np.float32).tolist() == [1, 2]
    verify_untouched(model, edited)
    other = replace_initializers(model, {name: np.array([8, 9], np.float32).view(np.uint32)})
    feeds = {"x": np.array([[1.0, -1.0]], np.float32)}
    assert [float(value) for value in np.ravel(run(other, feeds))] == [-0.5, -1]
    with pytest.raises(ModelError, match="takes 2 words"):
        replace_initializers(model, {name: np.zeros(3, np.uint32)})
    with pytest.raises(RewriteError, match="is an attribute"):
        lift_initializers(model, [name])


def test_attributes_that_were_not_replaced_are_compared(parse):
    model = load(parse(TREES, imports={"ai.onnx.ml": 1}))
    words = np.array([8, 9], np.float32).view(np.uint32)
    edited = replace_initializers(model, {"LinearRegressor#1/coefficients": words})
    for node, attribute, position in ((0, 1, 0), (1, 0, 1)):
        proto = edited.editable()
        proto.graph.node[node].attribute[attribute].floats[position] += 1
        with pytest.raises(RewriteError, match="attributes of node"):
            verify_untouched(model, replace(edited, proto=proto))
    proto = edited.editable()
    proto.graph.node[0].attribute[0].floats.append(1)
    with pytest.raises(RewriteError, match="attributes of node"):
        verify_untouched(model, replace(edited, proto=proto))


def test_integer_lists_and_tensors_in_attributes(parse):
    proto = parse(
        "agraph (int64[1] n, float[N, 2] x) => (float[M] y, float[N, 2] z) {"
        " y = ConstantOfShape<value = float[1] {2.0}>(n)"
        " z = ai.onnx.ml.ArrayFeatureExtractor(x, n) }",
        imports={"ai.onnx.ml": 1},
    )
    encoder = proto.graph.node[1]
    encoder.attribute.append(helper.make_attribute("keys", [7, -3]))
    model = load(proto)
    names = ("ConstantOfShape#1/value", "ArrayFeatureExtractor#1/keys")
    assert tuple(model.index.stored) == names
    assert initializer_words(model, names[1]).view(np.int64).tolist() == [7, -3]
    new = {names[0]: np.array([5], np.uint32), names[1]: np.array([1, 2**63], np.uint64)}
    edited = replace_initializers(model, new)
    verify_untouched(model, edited)
    for name, words in new.items():
        assert initializer_words(edited, name).tolist() == words.tolist()
    with pytest.raises(ModelError, match="takes 2 words"):
        replace_initializers(model, {names[1]: np.zeros(2, np.uint32)})


def test_made_up_names_give_way_to_those_of_the_file(parse):
    proto = parse(
        "agraph (float[2] x) => (float[2] y) <float[2] s_indices = {1, 2}, float[1] a = {3}> {"
        " t = Add(x, s) y = Mul(t, s_indices) }"
    )
    sparse = proto.graph.sparse_initializer.add(dims=[2])
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [7.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [1]))
    proto.graph.initializer[0].name = proto.graph.node[1].input[1] = "s/indices"
    assert list(load(proto).index.stored) == ["s/indices", "a", "s", "s/indices#2"]


def test_lifting_the_default_of_a_body_input_is_refused(parse):
    proto = parse("""agraph (int64 n, bool c, float[2] x) => (float[2] y) {
        y = Loop (n, c, x) <body = b (int64 i, bool go, float[2] s) => (bool go, float[2] t)
            <float[2] s = {1, 2}> { t = Add(s, s) }>
    }""")
    loop = proto.graph.node[0].attribute[0].g
    loop.input.add().CopyFrom(loop.input[0])
    loop.input[2].name = "s"
    del loop.input[3:]
    model = load(proto)
    with pytest.raises(RewriteError, match="default of an input"):
        lift_initializers(model, ["Loop#1/body/s"])


def test_lifting_to_a_name_in_use_is_refused(nested, parse):
    proto = nested.editable()
    body = proto.graph.node[1].attribute[1].g
    body.node.add(op_type="Neg", input=["k"], output=[THEN])
    model = load(proto)
    with pytest.raises(RewriteError, match="name is in use"):
        lift_initializers(model, [THEN])


def test_edits_in_a_chain_add_up(nested, run, same):
    replaced = replace_initializers(nested, {"w": np.zeros(2, np.uint32)})
    lifted = lift_initializers(replaced, [THEN])
    again = replace_initializers(lifted, {ELSE: np.ones(2, np.uint32)})
    verify_untouched(nested, again)
    fed = {THEN: initializer_words(nested, THEN).view(np.float32)}
    feeds = {"c": np.array(True), **FEEDS}
    assert same(run(again, {**feeds, **fed}), run(replaced, feeds))


@pytest.mark.parametrize("elements", [80_000, 2_500_000])
def test_replacing_leaves_large_neighbours_alone(parse, elements):
    proto = parse(f"agraph (float[{elements}] x) => (float[{elements}] y) {{ y = Add(x, w) }}")
    data = bytes(4 * elements)
    proto.graph.initializer.add().CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT, [elements], data, raw=True)
    )
    proto.graph.initializer.add().CopyFrom(helper.make_tensor("b", TensorProto.FLOAT, [1], [0.0]))
    model = load(proto)
    changed = replace_initializers(model, {"b": np.ones(1, np.uint32)})
    assert initializer_words(changed, "b").tolist() == [1]
    assert not initializer_words(changed, "w").any()
    assert not initializer_words(model, "b").any()
