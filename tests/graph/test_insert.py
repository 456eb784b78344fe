import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph import (
    Endpoints,
    NodeGroup,
    NodeSpec,
    TensorSpec,
    endpoints,
    insert,
    load,
    raise_opset,
    serialize,
    unique_prefix,
    verify_untouched,
)

FEEDS = {"c": np.array(True), "x": np.array([1.0, -2.0], np.float32)}
BRANCHY = """agraph (bool c, float[2] x) => (float[2] y, float[2] a, float[2] b) {
    a = Relu(x)
    b, m = Dropout(a)
    d = Add(b, x)
    y = If (c) <
        then_branch = t () => (float[2] o) { o = Mul(a, x) },
        else_branch = e () => (float[2] p) { p = Sub(d, x) }>
}"""


@pytest.fixture
def branchy(parse):
    return load(parse(BRANCHY))


def add_one(model, value, amount=1.0):
    """A group that adds a constant to a value."""
    prefix = unique_prefix(model)
    ends = endpoints(model, value)
    constant = f"{prefix}{value}/amount"
    node = NodeSpec(
        op_type="Add",
        name=f"{prefix}{value}/add",
        inputs=(ends.clean, constant),
        outputs=(ends.faulty,),
    )
    return NodeGroup(
        value=value, nodes=(node,), constants={constant: np.array([amount], np.float32)}
    )


def test_endpoints(branchy):
    assert endpoints(branchy, "a") == Endpoints(clean="onnxfi/a/clean", faulty="a")
    assert endpoints(branchy, "x") == Endpoints(clean="x", faulty="onnxfi/x/faulty")


def test_values_that_take_no_group(branchy, parse):
    for value, message in [
        ("nothing", "no node computes 'nothing'"),
    ]:
        with pytest.raises(RewriteError, match=message):
            endpoints(branchy, value)
    both = load(parse("agraph (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }"))
    with pytest.raises(UnsupportedModelError, match="also a graph output"):
        endpoints(both, "x")
    stored = load(parse("agraph () => (float[2] y) <float[2] w = {1, 2}> { y = Relu(w) }"))
    with pytest.raises(RewriteError, match="'w'"):
        endpoints(stored, "w")


def test_the_prefix_is_new(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) { a = Relu(x) y = Relu(a) }")
    assert unique_prefix(load(proto)) == "onnxfi/"
    proto.graph.node[0].name = "onnxfi/a node"
    assert unique_prefix(load(proto)) == "onnxfi2/"
    proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = "onnxfi2/a value"
    assert unique_prefix(load(proto)) == "onnxfi3/"


def test_all_consumers_and_outputs_see_the_group(branchy, run):
    model = insert(branchy, [add_one(branchy, "a")])
    verify_untouched(branchy, model)
    y, a, b = run(model, FEEDS)
    np.testing.assert_array_equal(a, [2, 1])
    np.testing.assert_array_equal(b, [2, 1])
    np.testing.assert_array_equal(y, [2, -2])


def test_captures_of_inputs_are_rewired(branchy, run):
    model = insert(branchy, [add_one(branchy, "x")])
    verify_untouched(branchy, model)
    y, a, _ = run(model, FEEDS)
    np.testing.assert_array_equal(a, [2, 0])
    np.testing.assert_array_equal(y, [4, 0])
    (y, *_) = run(model, {**FEEDS, "c": np.array(False)})
    np.testing.assert_array_equal(y, [2, 0])


def test_bodies_that_shadow_an_input_are_left_alone(parse, run):
    proto = parse("""agraph (bool c, float[2] x) => (float[2] y) {
        y = If (c) <then_branch = t () => (float[2] o) <float[2] x = {8, 9}> { o = Neg(x) },
                    else_branch = e () => (float[2] p) { p = Neg(x) }>
    }""")
    model = load(proto)
    edited = insert(model, [add_one(model, "x")])
    verify_untouched(model, edited)
    np.testing.assert_array_equal(run(edited, FEEDS)[0], [-8, -9])
    np.testing.assert_array_equal(run(edited, {**FEEDS, "c": np.array(False)})[0], [-2, 1])


def test_nodes_come_right_behind_the_producer(branchy):
    model = insert(branchy, [add_one(branchy, "d"), add_one(branchy, "b"), add_one(branchy, "x")])
    names = [node.name for node in model.index.nodes if not node.scope]
    assert names == [
        "onnxfi/x/add",
        "Relu#1",
        "Dropout#1",
        "onnxfi/b/add",
        "Add#1",
        "onnxfi/d/add",
        "If#1",
    ]


def test_the_original_is_not_changed(branchy):
    before = serialize(branchy).data
    insert(branchy, [add_one(branchy, value) for value in "abdxy"])
    assert serialize(branchy).data == before


def test_groups_on_one_value_one_after_another(branchy, run):
    once = insert(branchy, [add_one(branchy, "a"), add_one(branchy, "x")])
    twice = insert(once, [add_one(once, "a", 10.0), add_one(once, "x", 100.0)])
    verify_untouched(branchy, twice)
    y, a, _ = run(twice, FEEDS)
    np.testing.assert_array_equal(a, [113, 110])
    np.testing.assert_array_equal(y, [113 * 102, 110 * 99])


def test_declared_types_hold_for_both_names(parse):
    proto = parse("agraph (float[N] x) => (float[N] y) { a = Relu(x) y = Relu(a) }")
    proto.graph.value_info.add().CopyFrom(
        helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N"])
    )
    model = load(proto)
    ends = endpoints(model, "a")
    flat = TensorSpec(name="onnxfi/flat", element=ElementType.FLOAT, shape=("onnxfi/n",))
    nodes = (
        NodeSpec(
            op_type="Flatten",
            name="onnxfi/1",
            inputs=(ends.clean,),
            outputs=(flat.name,),
            attributes={"axis": 0},
        ),
        NodeSpec(
            op_type="Reshape",
            name="onnxfi/2",
            inputs=(flat.name, "onnxfi/shape"),
            outputs=(ends.faulty,),
        ),
    )
    group = NodeGroup(
        value="a",
        nodes=nodes,
        constants={"onnxfi/shape": np.array([-1], np.int64)},
        value_info=(flat,),
    )
    edited = insert(model, [group])
    index = edited.index
    assert index.shape_of(ends.clean) == index.shape_of("a") == ("N",)
    assert index.shape_of(flat.name) == ("onnxfi/n",)
    again = load(serialize(edited).data).index
    assert again.shape_of(ends.clean) == ("N",)
    assert again.shape_of(flat.name) == ("onnxfi/n",)


def test_inputs_domains_and_attributes(branchy, run):
    ends = endpoints(branchy, "a")
    amount = TensorSpec(name="onnxfi/amount", element=ElementType.FLOAT, shape=("k",))
    nodes = (
        NodeSpec(
            op_type="BiasGelu",
            name="onnxfi/1",
            inputs=(ends.clean, amount.name),
            outputs=("onnxfi/t",),
            domain="com.microsoft",
        ),
        NodeSpec(
            op_type="LeakyRelu",
            name="onnxfi/2",
            inputs=("onnxfi/t",),
            outputs=("a",),
            attributes={"alpha": 0.5},
        ),
    )
    model = insert(branchy, [NodeGroup(value="a", nodes=nodes, inputs=(amount,))])
    verify_untouched(branchy, model)
    assert [spec.name for spec in model.inputs] == ["c", "x", "onnxfi/amount"]
    fed = {**FEEDS, "onnxfi/amount": np.array([-1.0, 3.0], np.float32)}
    np.testing.assert_allclose(run(model, fed)[1], [0.0, 2.9959502], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": ("elsewhere",)}, "must make 'a' once"),
        ({"name": "Relu#1"}, "reuses the name 'Relu#1'"),
        ({"name": ""}, "reuses the name ''"),
        ({"inputs": ("nothing",)}, "'nothing', which nothing defines"),
        ({"inputs": ("d",)}, "circle"),
        ({"outputs": ("a", "b")}, "reuses the name 'b'"),
    ],
)
def test_groups_that_do_not_fit(branchy, change, message):
    ends = endpoints(branchy, "a")
    fitting = {"name": "onnxfi/1", "inputs": (ends.clean,), "outputs": (ends.faulty,)}
    node = NodeSpec(op_type="Identity", **{**fitting, **change})
    with pytest.raises(RewriteError, match=message):
        insert(branchy, [NodeGroup(value="a", nodes=(node,))])


def test_values_that_can_not_be_declared(branchy):
    ends = endpoints(branchy, "a")
    node = NodeSpec(
        op_type="Identity", name="onnxfi/1", inputs=(ends.clean,), outputs=(ends.faulty,)
    )
    for spec in (
        TensorSpec(name="onnxfi/in"),
        TensorSpec(name="onnxfi/in", element=ElementType.FLOAT, kind="sequence"),
    ):
        with pytest.raises(RewriteError, match="can't declare 'onnxfi/in'"):
            insert(branchy, [NodeGroup(value="a", nodes=(node,), inputs=(spec,))])


def test_a_model_without_onnx_needs_a_version_first(parse):
    proto = parse("agraph (float[1, 2] x) => (float[1, 2] y) { y = ai.onnx.ml.Scaler(x) }")
    del proto.opset_import[:]
    proto.opset_import.add(domain="ai.onnx.ml", version=3)
    model = load(proto)
    with pytest.raises(RewriteError, match="raise its opset first"):
        insert(model, [add_one(model, "y")])
    raised = raise_opset(model, 18)
    edited = insert(raised, [add_one(raised, "y")])
    verify_untouched(model, edited)
    assert edited.opset == 18


def test_two_groups_on_one_value_at_once(branchy):
    with pytest.raises(RewriteError, match="one value"):
        insert(branchy, [add_one(branchy, "a"), add_one(branchy, "a")])


def test_no_groups_change_nothing(branchy):
    assert serialize(insert(branchy, [])).data == serialize(branchy).data


def test_odd_names(parse, run, identities, same):
    proto = parse("agraph (float[2] x) => (float[2] y) { a = Relu(x) y = Relu(a) }")
    odd = "gpu_0/conv:0|é 'q'"
    proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = odd
    model = load(proto)
    edited = identities(model, ["x", odd, "y"])
    verify_untouched(model, edited)
    feeds = {"x": FEEDS["x"]}
    assert same(run(edited, feeds), run(proto, feeds))


UNARY = ["Relu", "Neg", "Abs", "Sigmoid", "Exp", "Tanh"]
BINARY = ["Add", "Mul", "Sub", "Max"]


@st.composite
def graphs(draw):
    """Random layered graphs in text, with Ifs that capture, and some of their values."""
    values, lines = ["x"], []
    for number in range(draw(st.integers(1, 8))):
        name = f"v{number}"
        one, other = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            lines.append(f"{name} = {draw(st.sampled_from(UNARY))}({one})")
        elif kind == 3:
            op = draw(st.sampled_from(BINARY))
            lines.append(
                f"{name} = If (c) <then_branch = t () => (float[2] t{name})"
                f" {{ t{name} = {op}({one}, {other}) }}, else_branch = e () => (float[2] e{name})"
                f" {{ e{name} = Neg({one}) }}>"
            )
        else:
            lines.append(f"{name} = {draw(st.sampled_from(BINARY))}({one}, {other})")
        values.append(name)
    outputs = draw(st.lists(st.sampled_from(values[1:]), min_size=1, unique=True))
    chosen = draw(st.lists(st.sampled_from(values), unique=True))
    declared = ", ".join(f"float[2] {name}" for name in outputs)
    text = f"agraph (bool c, float[2] x) => ({declared}) {{ {' '.join(lines)} }}"
    return text, chosen, draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(case=graphs())
def test_identities_anywhere_change_nothing(parse, run, same, identities, case):
    text, chosen, condition = case
    model = load(parse(text))
    edited = identities(model, chosen)
    verify_untouched(model, edited)
    feeds = {"c": np.array(condition), "x": np.array([0.5, -1.25], np.float32)}
    assert same(run(edited, feeds), run(model, feeds))
    assert len(edited.index.nodes) == len(model.index.nodes) + len(chosen)
