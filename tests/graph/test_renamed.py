"""Canonical order, new names, and the fingerprint that sees both."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper, parser

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError
from onnxfi.graph import TensorSpec, declare, expose, fingerprint, in_canonical_order, load, rename

TEXT = """
<ir_version: 10, opset_import: ["" : 17]>
branches (float[batch, 4] x, bool flag) => (float[batch, 4] y, float[batch, 4] z)
{
  a = Add(x, p)
  b = Mul(x, q)
  c = If(flag) <
    then_branch = then () => (float[batch, 4] r) { r = Add(a, q) },
    else_branch = otherwise () => (float[batch, 4] s) { s = Neg(b) }
  >
  y = Relu(c)
  z = Sub(a, b)
  unread = Neg(a)
}
"""


def _proto() -> ModelProto:
    proto = parser.parse_model(TEXT)
    for name in ("q", "p"):
        proto.graph.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), name))
    return proto


def _shuffled() -> ModelProto:
    """The same graph, listed in another order."""
    proto = _proto()
    nodes, stored = list(proto.graph.node), list(proto.graph.initializer)
    del proto.graph.node[:]
    del proto.graph.initializer[:]
    proto.graph.node.extend(nodes[place] for place in (1, 0, 4, 2, 3, 5))
    proto.graph.initializer.extend(reversed(stored))
    return proto


def _named(proto: ModelProto) -> ModelProto:
    for node in proto.graph.node:
        node.name = node.output[0]
    return proto


def test_the_order_depends_on_the_graph_alone():
    first, second = (in_canonical_order(load(_named(p))) for p in (_proto(), _shuffled()))
    order = [node.name for node in first.index.nodes if not node.scope]
    assert order == ["a", "b", "c", "y", "z", "unread"]
    assert order == [node.name for node in second.index.nodes if not node.scope]
    assert list(first.index.initializers) == list(second.index.initializers) == ["p", "q"]
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(load(_named(_proto()))) != fingerprint(load(_named(_shuffled())))


def test_declarations_of_values_that_are_gone_are_dropped():
    proto = _proto()
    proto.graph.value_info.add(name="ghost").type.tensor_type.elem_type = 1
    model = in_canonical_order(load(proto))
    assert rename(model, {"a": "ghost"}, {}).index.producer("ghost")


def test_fingerprints_see_data_and_not_descriptions():
    proto = _proto()
    plain = fingerprint(load(proto))
    proto.doc_string = proto.graph.doc_string = proto.graph.node[0].doc_string = "text"
    proto.producer_name = "someone"
    assert fingerprint(load(proto)) == plain
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros(4, np.float32), "q"))
    assert fingerprint(load(proto)) != plain


def test_new_names_reach_every_reader():
    model = rename(load(_proto()), {"a": "sum", "q": "factor"}, {"Add#1": "first"})
    index = model.index
    assert index.producer("sum").name == "first"
    assert set(index.initializers) == {"factor", "p"}
    # Control-flow bodies read the new names, too.
    assert {use.node.scope != "" for use in index.consumers("factor")} == {True, False}
    assert len(index.consumers("sum")) == 3
    assert index.element_of("sum") is ElementType.FLOAT
    assert not index.consumers("a")


@pytest.mark.parametrize(
    ("values", "nodes", "reason"),
    [
        ({"x": "input"}, {}, r"'x' is an input or output of the model"),
        ({"y": "output"}, {}, r"'y' is an input or output of the model"),
        ({"a": "b"}, {}, r"'b' is in use"),
        ({"a": "r"}, {}, r"'r' is in use"),
        ({"a": "same", "b": "same"}, {}, r"'same' is in use"),
        ({}, {"Add#1": "Mul#1"}, r"two nodes would have one name"),
    ],
)
def test_names_that_would_fall_together_are_refused(values, nodes, reason):
    with pytest.raises(RewriteError, match=reason):
        rename(load(_proto()), values, nodes)


def test_names_may_change_places():
    model = rename(load(_proto()), {"a": "b", "b": "a"}, {})
    assert model.index.producer("b").op_type == "Add"
    assert model.index.producer("a").op_type == "Mul"


def test_an_edited_model_keeps_its_names():
    with pytest.raises(RewriteError, match="before a model is edited"):
        rename(expose(load(_proto()), ["a"]), {"a": "sum"}, {})


def test_what_is_declared_adds_to_what_is_known():
    proto = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 17, "custom" : 1]>'
        "m (float[batch, 4] x) => (float[batch, 4] y) { a = custom.Op(x)  y = Cast<to = 1>(a) }"
    )
    model = load(proto)
    assert model.index.element_of("a") is None
    told = TensorSpec(name="a", element=ElementType.INT32, shape=(None, 4))
    wrong = TensorSpec(name="y", element=ElementType.INT8, shape=(1,))
    found = declare(model, [told, wrong])
    assert found.index.element_of("a") is ElementType.INT32
    assert found.index.shape_of("a") == (None, 4)
    assert found.index.element_of("y") is ElementType.FLOAT
    # Facts, not declarations: the file stays what it is.
    assert fingerprint(found) == fingerprint(model)
    assert rename(found, {"a": "steps"}, {}).index.element_of("steps") is ElementType.INT32
