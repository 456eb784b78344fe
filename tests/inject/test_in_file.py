"""What is written of a faulty model is the user's file, but for the fault."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

import onnxfi as fi
from onnxfi.errors import RewriteError
from onnxfi.faults import FaultGroup, Scenario
from onnxfi.graph import as_in_file, load, replace_initializers
from onnxfi.inject import bake

FULL = 2**64 - 1

# Unnamed nodes, Constants of all forms, bodies, and a function called twice.
MODEL = """
<ir_version: 10, opset_import: ["": 17, "own": 1], producer_name: "maker", producer_version: "3",
 model_version: 7, doc_string: "a doc", metadata_props: ["labels": "cat,dog"]>
g (float[n,4] x, bool c) => (float[n,4] y)
<float[4] late = {4, 3, 2, 1}, float[4] w = {1, 2, 3, 4}, float[n,4] a>
{
  k = Constant<value = float[4] {1, 2, 3, 4}>()
  f = Constant<value_float = 0.5>()
  fs = Constant<value_floats = [1.0, 2.0, 3.0, 4.0]>()
  i = Constant<value_int = 3>()
  is = Constant<value_ints = [1, 2, 3, 4]>()
  a = Mul(x, w)
  b = Add(a, k)
  d = own.twice(b)
  e = own.twice(d)
  unread = Identity(late)
  h = If(c) <
    then_branch = yes () => (float[n,4] r) {
      kk = Constant<value = float[4] {5, 6, 7, 8}>()
      p = Mul(e, kk)
      r = Add(p, f)
    },
    else_branch = no () => (float[n,4] r) {
      v = Cast<to = 1>(is)
      u = Cast<to = 1>(i)
      q = Add(v, u)
      r = Add(e, q)
    }
  >
  y = Mul(h, fs)
}
<domain: "own", opset_import: ["": 17]>
twice (p) => (q)
{
  two = Constant<value = float {2.0}>()
  q = Mul(p, two)
}
"""


def make(text: str = MODEL) -> ModelProto:
    """The model, with names and metadata that the parser has no form for."""
    proto = parser.parse_model(text)
    by_output = {node.output[0]: node for node in proto.graph.node}
    for value in ("a", "b", "y"):
        if value in by_output:
            by_output[value].name = "same"  # three nodes share a name
            by_output[value].doc_string = f"makes {value}"
            by_output[value].metadata_props.add(key="of", value=value)
    proto.graph.metadata_props.add(key="graph", value="kept")
    proto.graph.doc_string = "of the graph"
    return proto


def fault(site: str, element: int = 1, bit: int = 20) -> Scenario:
    group = FaultGroup(
        site=site,
        index=np.array([element], np.int64),
        and_mask=np.array([FULL], np.uint64),
        xor_mask=np.array([1 << bit], np.uint64),
    )
    return Scenario(number=0, groups=(group,))


FEEDS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4) + 1, "c": np.array(True)}


@pytest.fixture
def written(tmp_path):
    def write(proto: ModelProto, scenario, feeds=FEEDS) -> ModelProto:
        given = ModelProto.FromString(proto.SerializeToString())
        path = tmp_path / "faulty.onnx"
        data = fi.bake(proto, scenario, path, inputs=feeds)
        assert proto == given
        assert path.read_bytes() == data
        onnx.checker.check_model(ModelProto.FromString(data))
        return ModelProto.FromString(data)

    return write


@pytest.fixture
def means_the_same(run):
    """The file does what the engine runs, which has everything in normal form."""

    def check(faulty: ModelProto, proto: ModelProto, scenario, feeds=FEEDS) -> None:
        sites = {site.name: site for site in fi.enumerate_sites(proto, inputs=feeds)}
        baked = bake(load(proto), scenario, sites)
        clean = run(load(proto), feeds)
        ours, theirs = run(load(faulty), feeds), run(baked, feeds)
        for name, expected in theirs.items():
            np.testing.assert_array_equal(ours[name], expected)
        assert any(not np.array_equal(clean[name], theirs[name]) for name in clean)

    return check


def _constant(graph, value: str) -> AttributeProto:
    (node,) = (n for n in graph.node if list(n.output) == [value])
    assert node.op_type == "Constant"
    return node.attribute[0]


def _branch(proto: ModelProto, position: int):
    (node,) = (node for node in proto.graph.node if node.op_type == "If")
    return node.attribute[position].g


def test_a_weight_changes_its_bytes_and_nothing_else(written, means_the_same):
    proto = make()
    faulty = written(proto, fault("w"))
    means_the_same(faulty, proto, fault("w"))
    before, after = proto.graph.initializer[1], faulty.graph.initializer[1]
    assert numpy_helper.to_array(after)[1] == 2.25
    after.CopyFrom(before)
    assert faulty == proto


@pytest.mark.parametrize(
    ("site", "where", "bit", "field", "expected"),
    [
        ("k", None, 20, "t", [1, 2.25, 3, 4]),
        ("f", None, 22, "f", 0.75),
        ("fs", None, 22, "floats", [1, 3, 3, 4]),
        ("i", None, 1, "i", 1),
        ("is", None, 62, "ints", [1, 2 + 2**62, 3, 4]),
        ("if/then_branch/kk", 0, 20, "t", [5, 6.5, 7, 8]),
    ],
)
def test_a_constant_stays_one(written, means_the_same, site, where, bit, field, expected):
    proto = make()
    next(n for n in proto.graph.node if n.op_type == "If").name = "if"
    single = site in ("f", "i")
    scenario = fault(site, 0 if single else 1, bit)
    feeds = {**FEEDS, "c": np.array(site not in ("i", "is"))}
    faulty = written(proto, scenario, feeds)
    means_the_same(faulty, proto, scenario, feeds)
    ours, theirs = (p.graph if where is None else _branch(p, where) for p in (proto, faulty))
    name = site.split("/")[-1]
    before, after = _constant(ours, name), _constant(theirs, name)
    got = getattr(after, field)
    values = numpy_helper.to_array(got) if field == "t" else got
    assert np.array_equal(values, expected)
    if field == "t":
        assert (after.t.name, after.t.doc_string) == (before.t.name, before.t.doc_string)
    after.CopyFrom(before)
    assert faulty == proto


def _without_added(proto: ModelProto, original: ModelProto, value: str) -> None:
    """Take out what a fault in a computed value adds, which must be all of it."""
    graph = proto.graph
    assert [e.version for e in proto.opset_import if not e.domain] == [26]
    for ours, theirs in zip(proto.opset_import, original.opset_import, strict=True):
        ours.version = theirs.version
    for field in ("node", "initializer", "value_info"):
        entries = getattr(graph, field)
        kept = [entry for entry in entries if not entry.name.startswith("onnxfi/")]
        assert len(kept) < len(entries) or field == "value_info"
        del entries[:]
        entries.extend(kept)
    for node in graph.node:
        node.output[:] = [value if n == f"onnxfi/{value}/clean" else n for n in node.output]
        node.input[:] = [value if n == f"onnxfi/{value}/faulty" else n for n in node.input]


@pytest.mark.parametrize("value", ["a", "b", "h", "x"])
def test_a_computed_fault_adds_its_nodes_and_nothing_else(written, means_the_same, value):
    flat = make()
    # Functions would be inlined, as the opset must be raised.
    nodes = [NodeProto.FromString(n.SerializeToString()) for n in flat.graph.node]
    for node in nodes:
        if node.domain == "own":
            node.domain, node.op_type = "", "Neg"
    del flat.graph.node[:], flat.functions[:], flat.opset_import[1:]
    flat.graph.node.extend(nodes)
    faulty = written(flat, fault(value))
    means_the_same(faulty, flat, fault(value))
    _without_added(faulty, flat, value)
    assert faulty == flat


def test_functions_stay_where_the_opset_is_high_enough(written, means_the_same):
    text = MODEL.replace('["": 17', '["": 26').replace(": 10,", ": 13,", 1)
    proto = make(text)
    for value in ("d", "e", "b", "x"):  # what calls make and read
        faulty = written(proto, fault(value))
        means_the_same(faulty, proto, fault(value))
        assert faulty.functions == proto.functions
        assert [n.op_type for n in faulty.graph.node].count("twice") == 2


def test_a_fault_inside_a_function_inlines_it_and_says_so(means_the_same):
    proto = make()
    sites = {site.name: site for site in fi.enumerate_sites(proto, inputs=FEEDS)}
    inside = next(name for name in sites if name.startswith("two"))
    scenario = fault(inside, 0, 22)
    written = as_in_file(bake(load(proto), scenario, sites), proto)
    assert "in one call only" in written.inlined
    data = fi.bake(proto, scenario, inputs=FEEDS)
    means_the_same(ModelProto.FromString(data), proto, scenario)
    raised = as_in_file(bake(load(proto), fault("a"), sites), proto)
    assert raised.inlined == "its opset was raised to 26"


OLD = """
<ir_version: 3, opset_import: ["": 12]>
g (float[n,4] x, float[4] w) => (float[n,1] y) <float[4] w = {1, 2, 3, 4}>
{
  y = Squeeze<axes = [1]>(s)
  c = Constant<value = float[4] {1, 2, 3, 4}>()
  a = Mul(x, w)
  b = Mul(a, c)
  s = Unsqueeze<axes = [1]>(b)
}
"""


def test_old_files_and_nodes_in_any_order(means_the_same):
    proto = parser.parse_model(OLD.replace("float[n,1] y", "float[n,4] y"))
    feeds = {"x": FEEDS["x"]}
    for value in ("b", "c", "s"):
        faulty = ModelProto.FromString(fi.bake(proto, fault(value), inputs=feeds))
        means_the_same(faulty, proto, fault(value), feeds)
        assert faulty.ir_version == 3
        listed = {each.name for each in faulty.graph.input}
        assert {tensor.name for tensor in faulty.graph.initializer} <= listed
        kept = [n.op_type for n in faulty.graph.node if not n.name.startswith("onnxfi/")]
        assert kept == [n.op_type for n in proto.graph.node]


OPERATORS = {
    "Softmax": "z = Softmax(b)",
    "Hardmax": "z = Hardmax(b)",
    "Dropout": "z = Dropout<ratio = 0.5>(b)",
    "Clip": "z = Clip<min = 0.5, max = 3.0>(b)",
    "Pad": "z = Pad<pads = [0, 0, 0, 0, 0, 1]>(b)",
    "TopK": "z, i = TopK<k = 2>(b)",
    "Upsample": "z = Upsample<scales = [1.0, 1.0, 2.0]>(b)",
    "ReduceSum": "z = ReduceSum<axes = [1], keepdims = 0>(b)",
    "Split": "z, i = Split<axis = 2, split = [3, 1]>(b)",
    "Slice": "z = Slice<axes = [2], starts = [1], ends = [3]>(b)",
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_that_get_another_form(means_the_same, operator):
    opset = {"Upsample": 7, "TopK": 9, "Pad": 10, "Slice": 9}.get(operator, 10)
    dims = "[n,m]" if operator == "ReduceSum" else "[n,l,m]"
    proto = parser.parse_model(f"""<ir_version: 7, opset_import: ["": {opset}]>
g (float[n,3,4] x) => (float{dims} z) {{
  c = Constant<value = float {{1.5}}>()
  b = Mul(x, c)
  {OPERATORS[operator]}
}}""")
    feeds = {"x": np.linspace(-1, 3, 24, dtype=np.float32).reshape(2, 3, 4)}
    faulty = ModelProto.FromString(fi.bake(proto, fault("b", 6, 30), inputs=feeds))
    onnx.checker.check_model(faulty)
    means_the_same(faulty, proto, fault("b", 6, 30), feeds)
    assert faulty.graph.node[0] == proto.graph.node[0]


def test_a_sparse_constant_stays_sparse():
    values = helper.make_tensor("any", TensorProto.FLOAT, [2], [1, 2])
    indices = helper.make_tensor("", TensorProto.INT64, [2], [0, 3])
    sparse = helper.make_sparse_tensor(values, indices, [4])
    nodes = [
        helper.make_node("Constant", [], ["k"], sparse_value=sparse),
        helper.make_node("Add", ["x", "k"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = fi.bake(proto, fault("k", 1, 22))
    after = ModelProto.FromString(data)
    tensor = after.graph.node[0].attribute[0].sparse_tensor
    assert numpy_helper.to_array(tensor.values).tolist() == [1, 3]
    tensor.values.CopyFrom(values)
    assert after == proto


def test_external_data_is_shared_in_the_folder_of_the_model(tmp_path):
    proto = make()
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    path = tmp_path / "m.onnx"
    onnx.save_model(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    stored = onnx.load(path, load_external_data=False)
    assert stored.graph.initializer[0].data_location == TensorProto.EXTERNAL
    beside = tmp_path / "faulty.onnx"
    fi.bake(path, fault("w"), beside)
    faulty = onnx.load(beside, load_external_data=False)
    assert faulty.graph.initializer[0] == stored.graph.initializer[0]
    assert faulty.graph.initializer[1].raw_data
    faulty.graph.initializer[1].CopyFrom(stored.graph.initializer[1])
    assert faulty == stored
    elsewhere = tmp_path / "other" / "faulty.onnx"
    elsewhere.parent.mkdir()
    fi.bake(path, fault("w"), elsewhere)
    whole = onnx.load(elsewhere, load_external_data=False)
    assert all(tensor.raw_data for tensor in whole.graph.initializer)


def test_another_model_is_refused():
    proto = make()
    other = parser.parse_model(OLD)
    faulty = replace_initializers(load(proto), {"late": np.zeros(4, np.uint32)})
    other.opset_import[0].version = 17
    with pytest.raises(RewriteError, match="no 'late'"):
        as_in_file(faulty, other)


SCAN = """
<ir_version: 10, opset_import: ["": 26]>
g (float[3,n,4] x) => (float[3,n,4] ys)
<float start = {0}, int64[1] first = {0}, float[n,4] state>
{
  all = ReduceSum<keepdims = 0>(x, first)
  state = Mul(all, start)
  last, ys = Scan<num_scan_inputs = 1, body = step (s, v) => (r, o) {
    k = Constant<value = float[4] {1, 2, 3, 4}>()
    m = Mul(v, k)
    r = Add(s, m)
    o = Identity(r)
  }>(state, x)
}
"""


def test_a_counter_of_iterations_in_a_scan(written, run):
    proto = parser.parse_model(SCAN)
    feeds = {"x": np.ones((3, 2, 4), np.float32)}
    sites = {site.name: site for site in fi.enumerate_sites(proto, inputs=feeds, steps=[1])}
    name = next(name for name in sites if "/m@" in name)
    scenario = fault(name, 1, 31)
    faulty = written(proto, scenario, feeds)
    theirs = run(bake(load(proto), scenario, sites), feeds)["ys"]
    np.testing.assert_array_equal(run(load(faulty), feeds)["ys"], theirs)
    assert not np.array_equal(theirs, run(load(proto), feeds)["ys"])
    assert [node.op_type for node in faulty.graph.node] == ["ReduceSum", "Mul", "Scan"]
    before, after = (
        next(each.g for each in p.graph.node[-1].attribute if each.name == "body")
        for p in (proto, faulty)
    )
    assert _constant(after, "k") == _constant(before, "k")
    assert [value.name for value in after.input][1:] == ["s", "v"]
