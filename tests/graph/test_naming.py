"""Nodes that a file does not tell apart by name."""

import pytest
from onnx import ModelProto

from onnxfi.graph import load, serialize
from onnxfi.graph.proto import Anonymous

TEXT = """agraph (float[2] x, bool c) => (float[2] y) {
  a = Relu(x)
  b = Relu(a)
  d = Relu(b)
  e = Relu(d)
  h = If(c) <
    then_branch = yes () => (float[2] r) { t = Relu(e) r = Relu(t) },
    else_branch = no () => (float[2] r) { t = Neg(e) r = Neg(t) }
  >
  y = Relu(h)
}"""


def _named(proto: ModelProto, names: dict[str, str]) -> ModelProto:
    """Name nodes by their first output, in bodies too."""
    for graph in (proto.graph, *(a.g for n in proto.graph.node for a in n.attribute)):
        for node in graph.node:
            node.name = names.get(node.output[0], "")
    return proto


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # The first keeps the name; one that exists is never given.
        ({"a": "n", "b": "n", "d": "n#2", "e": "n"}, ["n", "n#3", "n#2", "n#4"]),
        ({"a": "n#2", "b": "n#2", "d": "n", "e": "n"}, ["n#2", "n#2#2", "n", "n#3"]),
        # The third Relu is called so whoever has names, unless another node is.
        ({"a": "n", "b": "n"}, ["n", "n#2", "Relu#3", "Relu#4"]),
        ({"e": "Relu#2"}, ["Relu#1", "Relu#2#2", "Relu#3", "Relu#2"]),
    ],
)
def test_every_node_has_one_name_and_those_in_the_file_stay(parse, names, expected):
    model = load(_named(parse(TEXT), names))
    top = [node.name for node in model.index.nodes if not node.scope]
    assert top[:4] == expected
    assert len(set(top)) == len(top)
    again = load(serialize(model).data)
    assert [n.name for n in again.index.nodes] == [n.name for n in model.index.nodes]


def test_bodies_count_for_themselves_and_values_there_are_told_apart(parse):
    names = dict.fromkeys("abdehty", "n") | {"r": "n"}
    model = load(_named(parse(TEXT), names))
    inner = [node for node in model.index.nodes if node.scope]
    assert [node.name for node in inner] == [
        f"n#5/{branch}/{name}" for branch in ("then_branch", "else_branch") for name in ("n", "n#2")
    ]
    assert [node.outputs[0] for node in inner] == [
        f"n#5/{branch}/{value}" for branch in ("then_branch", "else_branch") for value in "tr"
    ]
    assert model.anonymous == Anonymous(shared=(("n", 10),), unnamed=0)


def test_what_shares_names_is_counted_in_each_graph(parse):
    model = load(_named(parse(TEXT), {"a": "n", "b": "n", "d": "m", "t": "n", "r": "k"}))
    # t is n in a body of its own: told apart already.
    assert model.anonymous == Anonymous(shared=(("n", 2),), unnamed=3)
