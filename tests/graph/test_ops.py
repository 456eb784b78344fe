"""The operator table: a row is all that an operator takes."""

import pytest

from onnxfi.faults import enumerate_sites
from onnxfi.graph import load, ops
from onnxfi.sensitivity.rules import find_entry

MODEL = """agraph (float[1, 2, 4, 4] x) => (float[1, 3, 4, 4] y)
  <float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, 2, 3}>
  { h = Relu(x) y = Conv(h, w, b) }"""


@pytest.fixture
def made(monkeypatch):
    row = ops.OPERATORS["Conv"]
    monkeypatch.setattr(ops, "OPERATORS", {**ops.OPERATORS, "Made": row})


def test_one_row_makes_an_operator_known(parse, made):
    proto = parse(MODEL)
    node = proto.graph.node[1]
    node.op_type, node.domain = "Made", "com.microsoft"
    proto.opset_import.add(domain="com.microsoft", version=1)
    model = load(proto)
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    sites = {site.name: site for site in table.sites if site.kind.stored}
    assert {name: site.kind.value for name, site in sites.items()} == {"w": "weight", "b": "bias"}
    assert ops.is_a("Made", "heavy")
    entry = find_entry(model, sites["w"])
    assert entry is not None
    assert (entry.out, entry.into) == (0, 1)


def test_an_operator_without_a_row_has_no_traits():
    assert ops.operator("Nobody") == ops.Operator()
    assert not ops.is_a("Nobody", "heavy")


def test_domains_have_rows_of_their_own():
    assert ops.operator("Attention").slots != ops.operator("Attention", "com.microsoft").slots
    assert ops.operator("Conv", "com.microsoft.nchwc") is ops.operator("Conv")


def test_traits_are_found_by_name():
    assert ops.having("comparison") == {"Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
