import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from onnxfi.errors import ModelError
from onnxfi.graph import initializer_words, load, serialize

FEEDS = {"x": np.array([1.0, -2.0], np.float32)}


def shuffled(proto, order):
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes[position] for position in order)
    return proto


@pytest.mark.parametrize(
    ("attribute", "shape", "values"),
    [
        ("value = float[2] {1.5, -2.0}", (2,), [1.5, -2.0]),
        ("value_float = 1.5", (), [1.5]),
        ("value_floats = [1.5, 2.5]", (2,), [1.5, 2.5]),
    ],
)
def test_constants_become_initializers(parse, run, attribute, shape, values):
    proto = parse(
        f"agraph (float[2] x) => (float[2] y) {{ k = Constant<{attribute}>() y = Add(x, k) }}"
    )
    model = load(proto)
    assert [node.op_type for node in model.index.nodes] == ["Add"]
    entry = model.index.initializers["k"]
    assert entry.shape == shape
    assert initializer_words(model, "k").view(np.float32).tolist() == values
    np.testing.assert_array_equal(run(model, FEEDS)[0], run(proto, FEEDS)[0])


def test_integer_and_text_constants(parse):
    proto = parse("""agraph (float[2] x) => (int64[2] y, string[2] t, int64 u, string s) {
        a = Constant<value_ints = [3, -4]>()
        y = Identity(a)
        b = Constant<value_strings = ["p", "q"]>()
        t = Identity(b)
        c = Constant<value_int = 5>()
        u = Identity(c)
        d = Constant<value_string = "r">()
        s = Identity(d)
    }""")
    model = load(proto)
    assert initializer_words(model, "a").view(np.int64).tolist() == [3, -4]
    assert initializer_words(model, "c").view(np.int64).tolist() == [5]
    assert {name: entry.shape for name, entry in model.index.initializers.items()} == {
        "a": (2,),
        "b": (2,),
        "c": (),
        "d": (),
    }


@pytest.mark.parametrize("count", [1, 40])
def test_literal_floats_keep_every_bit(parse, count):
    """Signalling NaNs would become quiet on the way through Python floats."""
    bits = np.array([0x7F800001] * count, dtype="<u4")
    name, tag = ("value_float", b"\x15") if count == 1 else ("value_floats", b"\x3d")
    proto = parse(
        "agraph (float[2] x) => (float[2] y) { k = Constant<value_float = 1.0>() y = Add(x, k) }"
    )
    attribute = proto.graph.node[0].attribute[0]
    attribute.Clear()
    attribute.name, attribute.type = name, 1 if count == 1 else 6
    wire = b"".join(tag + word.tobytes() for word in bits)
    attribute.MergeFromString(wire)
    model = load(proto)
    assert model.index.initializers["k"].shape == (() if count == 1 else (count,))
    np.testing.assert_array_equal(initializer_words(model, "k"), bits)


def test_a_literal_that_is_not_there_is_zero(parse):
    proto = parse(
        "agraph (float[2] x) => (float[2] y) { k = Constant<value_float = 1.0>() y = Add(x, k) }"
    )
    proto.graph.node[0].attribute[0].ClearField("f")
    assert initializer_words(load(proto), "k").tolist() == [0]


def test_sparse_constants_become_sparse_initializers(parse, run):
    """As in onnxruntime, which makes dense tensors of both."""
    proto = parse("agraph (float[4] x) => (float[4] y) { y = Add(x, k) }")
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("", TensorProto.FLOAT, [1], [7.0]),
        helper.make_tensor("", TensorProto.INT64, [1], [2]),
        [4],
    )
    proto.graph.node.insert(0, helper.make_node("Constant", [], ["k"], sparse_value=sparse))
    model = load(proto)
    assert [node.op_type for node in model.index.nodes] == ["Add"]
    assert list(model.index.stored) == ["k", "k/indices"]
    feeds = {"x": np.ones(4, np.float32)}
    assert run(model, feeds)[0].tolist() == run(proto, feeds)[0].tolist() == [1, 1, 8, 1]


def test_constants_in_bodies_and_as_outputs(parse, run):
    proto = parse("""agraph (bool c, float[2] x) => (float[2] y, float[1] k) {
        k = Constant<value = float[1] {4.0}>()
        y = If (c) <
            then_branch = t () => (float[2] o) { o = Constant<value = float[2] {5.0, 6.0}>() },
            else_branch = e () => (float[2] p) { q = Constant<value_float = 3.0>() p = Mul(x, q) }>
    }""")
    model = load(proto)
    assert list(model.index.initializers) == ["k", "If#1/then_branch/o", "If#1/else_branch/q"]
    for condition in (True, False):
        feeds = {"c": np.array(condition), **FEEDS}
        for ours, theirs in zip(run(model, feeds), run(proto, feeds), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_of_repeated_initializers_the_last_counts(parse, run):
    proto = parse("agraph (float[2] x) => (float[2] y) <float[2] w = {1, 1}> { y = Add(x, w) }")
    again = proto.graph.initializer.add()
    again.CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [2], [5.0, 6.0]))
    model = load(proto)
    assert initializer_words(model, "w").view(np.float32).tolist() == [5, 6]
    np.testing.assert_array_equal(run(model, FEEDS)[0], run(proto, FEEDS)[0])


def test_unsorted_graphs_are_sorted_stably(parse, run):
    text = """agraph (float[2] x) => (float[2] y) {
        a = Relu(x) b = Neg(x) c = Add(a, b) d = Exp(a) y = Mul(c, d) }"""
    proto = shuffled(parse(text), [4, 1, 3, 0, 2])
    model = load(proto)
    assert [node.op_type for node in model.index.nodes] == ["Neg", "Relu", "Exp", "Add", "Mul"]
    np.testing.assert_array_equal(run(model, FEEDS)[0], run(parse(text), FEEDS)[0])


def test_what_bodies_capture_counts_for_the_order(parse, run):
    text = """agraph (bool c, float[2] x) => (float[2] y) {
        a = Relu(x)
        y = If (c) <then_branch = t () => (float[2] o) { n = Neg(a) o = Exp(n) },
                    else_branch = e () => (float[2] p) { p = Identity(a) }>
    }"""
    proto = shuffled(parse(text), [1, 0])
    body = proto.graph.node[0].attribute[0].g
    body.node.insert(0, body.node.pop(1))
    model = load(proto)
    assert [node.op_type for node in model.index.nodes] == [
        "Relu", "If", "Neg", "Exp", "Identity",
    ]  # fmt: skip
    feeds = {"c": np.array(True), **FEEDS}
    np.testing.assert_array_equal(run(model, feeds)[0], run(parse(text), feeds)[0])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y = Add(x, nothing)", "reads 'nothing', which nothing defines"),
        ("a = Relu(x) a = Neg(x) y = Exp(a)", "'a' is defined twice"),
        ("x = Relu(x) y = Neg(x)", "'x' is defined twice"),
        ("a = Add(x, b) b = Relu(a) y = Neg(b)", "circle"),
        ("a = Add(x, a) y = Neg(a)", "depends on its own output"),
        ("a = Relu(x)", "output 'y' is not defined"),
    ],
)
def test_graphs_that_are_not_valid(parse, body, message):
    with pytest.raises(ModelError, match=message):
        load(parse(f"agraph (float[2] x) => (float[2] y) {{ {body} }}"))


def test_functions_are_inlined_as_the_runtime_does(parse, run):
    """onnxruntime reads a body in the model's opset, whatever the function declares."""
    proto = parse(
        """agraph (float[2] x) => (float[2] y) { a = l.outer(x) y = l.outer(a) }
        <domain: "l", opset_import: ["": 13, "l": 1]>
        outer (x) => (y) { k = Constant<value_float = 2.0>() h = l.inner(x) y = Mul(h, k) }
        <domain: "l", opset_import: ["": 17, "com.microsoft": 1]>
        inner (x) => (y) { h = com.microsoft.Gelu(x) y = Neg(h) }""",
        imports={"l": 1},
    )
    model = load(proto)
    assert [node.op_type for node in model.index.nodes] == ["Gelu", "Neg", "Mul"] * 2
    assert len({node.name for node in model.index.nodes}) == 6
    assert len(model.index.initializers) == 2
    np.testing.assert_array_equal(run(model, FEEDS)[0], run(proto, FEEDS)[0])


def test_functions_in_bodies_with_attributes(parse, run):
    proto = parse(
        """agraph (bool c, float[2] x) => (float[2] y) {
            y = If (c) <then_branch = t () => (float[2] o) { o = l.leak<slope = 0.25>(x) },
                        else_branch = e () => (float[2] p) { p = l.leak<slope = 0.5>(x) }> }
        <domain: "l", opset_import: ["": 17]>
        leak <slope> (x) => (y) { y = LeakyRelu<alpha: float = @slope>(x) }""",
        imports={"l": 1},
    )
    model = load(proto)
    for condition in (True, False):
        feeds = {"c": np.array(condition), **FEEDS}
        np.testing.assert_array_equal(run(model, feeds)[0], run(proto, feeds)[0])


def test_large_weights_survive_inlining(parse, run):
    weight = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    proto = parse(
        """agraph (float[1, 64] x) => (float[1, 64] y) { h = MatMul(x, w) y = l.f(h) }
        <domain: "l", opset_import: ["": 17]> f (x) => (y) { y = Relu(x) }""",
        imports={"l": 1},
    )
    proto.graph.initializer.add().CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT, weight.shape, weight.tobytes(), raw=True)
    )
    model = load(proto)
    np.testing.assert_array_equal(initializer_words(model, "w"), weight.view(np.uint32).ravel())
    feeds = {"x": weight[:1]}
    np.testing.assert_array_equal(run(model, feeds)[0], run(proto, feeds)[0])


def test_other_domains_and_custom_operators_load(parse):
    proto = parse(
        """agraph (float[2] x) => (float[2] y) {
            a = com.microsoft.Gelu(x) b = my.company.Magic<k = 3>(a) y = ai.onnx.ml.Scaler(b) }""",
        imports={"com.microsoft": 1, "my.company": 2, "ai.onnx.ml": 3},
    )
    model = load(proto)
    assert [node.domain for node in model.index.nodes] == [
        "com.microsoft",
        "my.company",
        "ai.onnx.ml",
    ]
    assert serialize(model).folder is None


def test_names_that_are_defined_twice(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) <float[2] w = {1, 1}> { y = Add(x, w) }")
    proto.graph.input.add().CopyFrom(proto.graph.input[0])
    with pytest.raises(ModelError, match="two graph inputs"):
        load(proto)
    proto.graph.input.pop()
    sparse = proto.graph.sparse_initializer.add(dims=[2])
    sparse.values.CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [1], [5.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [0]))
    with pytest.raises(ModelError, match="stored twice"):
        load(proto)
    proto.graph.sparse_initializer.pop()
    proto.graph.initializer.add(data_type=1, dims=[0])
    with pytest.raises(ModelError, match="without a name"):
        load(proto)


def test_nodes_of_constants_that_are_odd_stay(parse):
    proto = parse(
        "agraph (float[2] x) => (float[2] y) { k = Constant<value_float = 1.0>() y = Add(x, k) }"
    )
    proto.graph.node[0].attribute[0].name = "value_of_the_future"
    assert [node.op_type for node in load(proto).index.nodes] == ["Constant", "Add"]
    proto.graph.node[0].attribute.add(name="more", type=1)
    assert [node.op_type for node in load(proto).index.nodes] == ["Constant", "Add"]


def test_functions_that_can_not_be_inlined(parse):
    proto = parse(
        """agraph (float[2] x) => (float[2] y) { y = l.f(x, x, x) }
        <domain: "l", opset_import: ["": 17]> f (x) => (y) { y = Relu(x) }""",
        imports={"l": 1},
    )
    with pytest.raises(ModelError, match="inline") as caught:
        load(proto)
    assert "\n" not in str(caught.value)


def test_several_versions_of_onnx_are_refused(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }", imports={"ai.onnx": 13})
    with pytest.raises(ModelError, match=r"several ai\.onnx versions"):
        load(proto)
