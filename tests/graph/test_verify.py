"""The verifier must catch every change that was not declared: each test makes one."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph import (
    NodeGroup,
    NodeSpec,
    TensorSpec,
    endpoints,
    expose,
    insert,
    lift_initializers,
    load,
    raise_opset,
    replace_initializers,
    verify_untouched,
)

TEXT = """agraph (bool c, float[2] x) => (float[2] y, float[2] d)
<float[2] w = {1, 2}, float[2] v = {3, 4}> {
    a = Add(x, w)
    b = LeakyRelu<alpha = 0.25>(a)
    d = Mul(b, v)
    y = If (c) <
        then_branch = t () => (float[2] o) <float[2] k = {5, 6}> { o = Sub(a, k) },
        else_branch = e () => (float[2] p) { p = Neg(d) }>
}"""


@pytest.fixture
def original(parse):
    proto = parse(TEXT)
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    return load(proto)


@pytest.fixture
def edited(original):
    """All kinds of edits in one model, properly declared."""
    model = raise_opset(original, 26)
    model = replace_initializers(model, {"w": np.zeros(2, np.uint32)})
    model = lift_initializers(model, ["If#1/then_branch/k"])
    groups = []
    for value in ("b", "x"):
        ends = endpoints(model, value)
        extra = TensorSpec(name=f"onnxfi/{value}/in", element=ElementType.FLOAT, shape=("n",))
        node = NodeSpec(
            op_type="Sum",
            name=f"onnxfi/{value}/sum",
            inputs=(ends.clean, f"onnxfi/{value}/constant", extra.name),
            outputs=(ends.faulty,),
        )
        constants = {f"onnxfi/{value}/constant": np.zeros(1, np.float32)}
        groups.append(NodeGroup(value=value, nodes=(node,), constants=constants, inputs=(extra,)))
    return expose(insert(model, groups), ["a"])


def test_declared_edits_pass(original, edited):
    verify_untouched(original, edited)
    verify_untouched(original, original)


def node(proto: ModelProto, name: str):
    return next(node for node in proto.graph.node if node.name == name)


def tensor(proto: ModelProto, name: str):
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def drop(items, position):
    del items[position]


def find(proto, name):
    return [node.name for node in proto.graph.node].index(name)


def flip(proto, name, byte=0, bit=0):
    data = bytearray(tensor(proto, name).raw_data)
    data[byte] ^= 1 << bit
    tensor(proto, name).raw_data = bytes(data)


def body(proto: ModelProto, branch: int):
    return node(proto, "If#1").attribute[branch].g


def add_node(graph, **fields):
    graph.node.add(**fields)


def swap_branches(proto):
    attributes = node(proto, "If#1").attribute
    attributes[0].name, attributes[1].name = attributes[1].name, attributes[0].name


def shape_only(proto):
    tensor(proto, "v").dims[:] = [2, 1]


def sparse(proto):
    sparse = proto.graph.sparse_initializer.add(dims=[2])
    sparse.values.CopyFrom(tensor(proto, "v"))
    drop(proto.graph.initializer, 1)


MUTATIONS = {
    "a weight's bit": (lambda p: flip(p, "v"), "data of initializer 'v'"),
    "a weight's shape": (shape_only, "data of initializer 'v'"),
    "a replaced weight's shape": (
        lambda p: tensor(p, "w").dims.append(1),
        "type or shape of initializer 'w'",
    ),
    "a replaced weight's type": (
        lambda p: setattr(tensor(p, "w"), "data_type", TensorProto.INT32),
        "type or shape of initializer 'w'",
    ),
    "a weight gone": (lambda p: drop(p.graph.initializer, 1), "initializer 'v' is missing"),
    "a weight more": (
        lambda p: p.graph.initializer.append(
            helper.make_tensor("extra", TensorProto.FLOAT, [1], [0])
        ),
        "undeclared initializer 'extra'",
    ),
    "a weight made sparse": (sparse, "'v' in the graph became sparse"),
    "an operator": (
        lambda p: setattr(node(p, "Mul#1"), "op_type", "Div"),
        "operator of node 'Mul#1'",
    ),
    "a domain": (
        lambda p: setattr(node(p, "Mul#1"), "domain", "com.microsoft"),
        "domain of node 'Mul#1'",
    ),
    "an attribute": (
        lambda p: setattr(node(p, "LeakyRelu#1").attribute[0], "f", 0.5),
        "attributes of node 'LeakyRelu#1'",
    ),
    "an attribute gone": (
        lambda p: drop(node(p, "LeakyRelu#1").attribute, 0),
        "attributes of node 'LeakyRelu#1'",
    ),
    "a rewired edge": (
        lambda p: node(p, "Mul#1").input.__setitem__(0, "a"),
        "inputs of node 'Mul#1'",
    ),
    "swapped inputs": (
        lambda p: node(p, "Mul#1").input.__setitem__(slice(0, 2), ["v", "b"]),
        "inputs of node 'Mul#1'",
    ),
    "an edge around the group": (
        lambda p: node(p, "Add#1").input.__setitem__(0, "x"),
        "inputs of node 'Add#1'",
    ),
    "an output renamed": (
        lambda p: node(p, "Add#1").output.__setitem__(0, "z"),
        "outputs of node 'Add#1'",
    ),
    "a node gone": (lambda p: drop(p.graph.node, find(p, "Mul#1")), "node 'Mul#1' is missing"),
    "a group's node gone": (
        lambda p: drop(p.graph.node, find(p, "onnxfi/b/sum")),
        "reads 'b', which nothing defines",
    ),
    "a node more": (
        lambda p: add_node(p.graph, op_type="Relu", name="extra", input=["a"], output=["q"]),
        "undeclared node 'extra'",
    ),
    "a node twice": (
        lambda p: p.graph.node.append(node(p, "Mul#1")),
        "name in the graph is not unique",
    ),
    "a body's weight": (
        lambda p: body(p, 0).initializer.append(
            helper.make_tensor("k", TensorProto.FLOAT, [2], [5, 6])
        ),
        "undeclared initializer 'k' was added to control-flow body 'If#1/then_branch'",
    ),
    "a body's edge": (
        lambda p: body(p, 0).node[0].input.__setitem__(0, "b"),
        "inputs of node 'Sub#1' in control-flow body",
    ),
    "a body's operator": (
        lambda p: setattr(body(p, 1).node[0], "op_type", "Exp"),
        "operator of node 'Neg#1'",
    ),
    "a body's output": (
        lambda p: setattr(body(p, 1).output[0], "name", "d"),
        "output 'p' of control-flow body",
    ),
    "swapped branches": (swap_branches, "attributes of node 'If#1'|bodies of node 'If#1'"),
    "an input gone": (lambda p: drop(p.graph.input, 0), "input or output 'c'"),
    "an input's type": (
        lambda p: setattr(p.graph.input[1].type.tensor_type, "elem_type", TensorProto.DOUBLE),
        "input or output 'x'",
    ),
    "an input more": (
        lambda p: p.graph.input.append(
            helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])
        ),
        "inputs or outputs added",
    ),
    "outputs swapped": (
        lambda p: p.graph.output.insert(0, p.graph.output.pop(1)),
        "input or output 'y'",
    ),
    "an output more": (
        lambda p: p.graph.output.append(
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        ),
        "inputs or outputs added",
    ),
    "a lifted input's type": (
        lambda p: setattr(p.graph.input[2].type.tensor_type, "elem_type", TensorProto.INT32),
        "lifted initializer 'If#1/then_branch/k'",
    ),
    "another domain": (
        lambda p: p.opset_import.add(domain="com.microsoft", version=1),
        "domain 'com.microsoft'",
    ),
    "the IR version": (lambda p: setattr(p, "ir_version", 9), "IR version"),
    "a declared type": (
        lambda p: p.graph.value_info.append(
            helper.make_tensor_value_info("a", TensorProto.INT32, [2])
        ),
        "declared type of 'a'",
    ),
    "a quantization annotation": (
        lambda p: p.graph.quantization_annotation.add(tensor_name="a"),
        "quantization annotations",
    ),
    "a body gone": (
        lambda p: drop(node(p, "If#1").attribute, 1),
        "attributes of node 'If#1'",
    ),
    "a body more": (
        lambda p: node(p, "If#1").attribute[0].graphs.add(),
        "bodies of node 'If#1'",
    ),
    "the order": (
        lambda p: p.graph.node.insert(0, p.graph.node.pop(find(p, "Mul#1"))),
        "not sorted",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_undeclared_changes_are_caught(original, edited, name):
    mutate, message = MUTATIONS[name]
    proto = edited.editable()
    mutate(proto)
    changed = replace(edited, proto=proto)
    with pytest.raises(RewriteError, match=message) as caught:
        verify_untouched(original, changed)
    assert "\n" not in str(caught.value)


def test_every_bit_of_every_untouched_weight_counts(original, edited):
    for byte in range(8):
        for bit in range(8):
            proto = edited.editable()
            flip(proto, "v", byte, bit)
            with pytest.raises(RewriteError, match="data of initializer 'v'"):
                verify_untouched(original, replace(edited, proto=proto))


def test_sparse_weights_count(parse):
    proto = parse("agraph (float[4] x) => (float[4] y) { y = Add(x, s) }")
    stored = proto.graph.sparse_initializer.add(dims=[4])
    stored.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [7.0]))
    stored.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [0]))
    model = load(proto)

    def changed(mutate):
        proto = model.editable()
        mutate(proto.graph)
        return replace(model, proto=proto)

    def make_dense(graph):
        graph.initializer.add().CopyFrom(graph.sparse_initializer.pop().values)

    for mutate, message in [
        (lambda g: g.sparse_initializer[0].indices.int64_data.__setitem__(0, 1), "indices of"),
        (lambda g: g.sparse_initializer[0].dims.__setitem__(0, 5), "indices of"),
        (lambda g: g.sparse_initializer[0].values.float_data.__setitem__(0, 1.0), "data of"),
        (make_dense, "not sparse any more"),
        (lambda g: g.sparse_initializer.pop(), "'s' is missing"),
    ]:
        with pytest.raises(RewriteError, match=message):
            verify_untouched(model, changed(mutate))


def test_a_lifted_constant_of_a_group_is_fine(original):
    ends = endpoints(original, "a")
    spec = NodeSpec(op_type="Add", name="onnxfi/1", inputs=(ends.clean, "onnxfi/k"), outputs=("a",))
    group = NodeGroup(value="a", nodes=(spec,), constants={"onnxfi/k": np.zeros(1, np.float32)})
    verify_untouched(original, lift_initializers(insert(original, [group]), ["onnxfi/k"]))


def test_an_edited_model_is_no_original(edited):
    with pytest.raises(RewriteError, match="edited itself"):
        verify_untouched(edited, copy.copy(edited))


def test_another_model_is_not_the_original(parse, edited):
    with pytest.raises(RewriteError):
        verify_untouched(load(parse(TEXT.replace("0.25", "0.5"))), edited)
