"""Node groups on values inside control-flow bodies, and the counters that Scans get."""

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph import (
    Endpoints,
    NodeGroup,
    NodeSpec,
    TensorSpec,
    endpoints,
    insert,
    iteration_of,
    load,
    unique_prefix,
    verify_untouched,
)

TEXT = """bodies (float[2] x, float[3,2] z) => (float[2] y, float[2] last, float[3,2] all)
<int64 n = {3}, bool go = {1}>
{
    [loop] y = Loop (n, go, x) <body = b1 (int64 i, bool c, float[2] h) => (bool c2, float[2] h2)
        { c2 = Identity (c)
          [which] h2 = If (c) <
            then_branch = t () => (float[2] o) { o = Add (h, x) },
            else_branch = e () => (float[2] p) { p = Sub (h, x) }> } >
    [scan] last, all = Scan <num_scan_inputs = 1, body = b2
        (float[2] s, float[2] now) => (float[2] s2, float[2] out)
        { s2 = Add (s, now)
          out = Neg (s) } > (x, z)
}"""
X = np.array([1.0, -2.0], np.float32)
Z = np.arange(6, dtype=np.float32).reshape(3, 2)
FEEDS = {"x": X, "z": Z}
INSIDE = [
    "loop/body/h",
    "loop/body/h2",
    "loop/body/which/then_branch/o",
    "loop/body/which/else_branch/p",
    "scan/body/s",
    "scan/body/now",
    "scan/body/s2",
    "scan/body/out",
]


@pytest.fixture(scope="module")
def model(parse):
    return load(parse(TEXT))


def truth(value, amounts):
    """The model in numpy, with one amount added to a value in each iteration."""

    def add(name, step, values):
        return values + np.float32(amounts[step]) if name == value else values

    h = X
    for step in range(3):
        h = add("loop/body/h", step, h)
        h = add("loop/body/which/then_branch/o", step, h + X)
        h = add("loop/body/h2", step, h)
    s, out = X, []
    for step in range(3):
        s = add("scan/body/s", step, s)
        now = add("scan/body/now", step, Z[step])
        out.append(add("scan/body/out", step, -s))
        s = add("scan/body/s2", step, s + now)
    return h, s, np.stack(out)


def add_iteration(model, value):
    """A group that adds an input and, to tell iterations apart, the iteration's number."""
    prefix = f"{unique_prefix(model)}{value}/"
    ends = endpoints(model, value)
    iteration = iteration_of(model, value)
    more, number, both = f"{prefix}more", f"{prefix}number", f"{prefix}both"
    nodes = (
        NodeSpec(
            op_type="Cast",
            name=f"{prefix}cast",
            inputs=(iteration.name,),
            outputs=(number,),
            attributes={"to": 1},
        ),
        NodeSpec(op_type="Add", name=f"{prefix}a", inputs=(more, number), outputs=(both,)),
        NodeSpec(
            op_type="Add", name=f"{prefix}b", inputs=(ends.clean, both), outputs=(ends.faulty,)
        ),
    )
    return more, NodeGroup(
        value=value,
        nodes=nodes,
        inputs=(TensorSpec(name=more, element=ElementType.FLOAT, shape=()),),
        value_info=(TensorSpec(name=number, element=ElementType.FLOAT, shape=()),),
        counters=iteration.counters,
    )


def test_endpoints_have_the_names_inside(model):
    scope = "loop/body/which/then_branch"
    made = endpoints(model, f"{scope}/o")
    assert made == Endpoints(clean=f"onnxfi/{scope}/o/clean", faulty="o", scope=scope)
    fed = endpoints(model, "loop/body/h")
    assert fed == Endpoints(clean="h", faulty="onnxfi/loop/body/h/faulty", scope="loop/body")


@pytest.mark.parametrize("value", INSIDE)
@pytest.mark.parametrize("optimize", [False, True])
def test_nodes_run_in_each_iteration(value, optimize, model, run):
    more, group = add_iteration(model, value)
    edited = insert(model, [group])
    verify_untouched(model, edited)
    found = run(edited, {**FEEDS, more: np.array(0.5, np.float32)}, ["y", "last", "all"], optimize)
    for mine, expected in zip(found, truth(value, [0.5, 1.5, 2.5]), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_all_at_once_and_one_after_the_other(model, run):
    groups = [add_iteration(model, value) for value in INSIDE]
    together = insert(model, [group for _, group in groups])
    verify_untouched(model, together)
    apart, inputs = model, []
    for value in INSIDE:
        more, group = add_iteration(apart, value)
        inputs.append(more)
        apart = insert(apart, [group])
    verify_untouched(model, apart)
    found = []
    for edited, names in [(together, [more for more, _ in groups]), (apart, inputs)]:
        feeds = {**FEEDS, **{more: np.array(0.25, np.float32) for more in names}}
        found.append(run(edited, feeds, ["y", "last", "all"]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_edited_index_knows_both_names(model):
    _, group = add_iteration(model, "scan/body/s2")
    index = insert(model, [group]).index
    assert index.producer("scan/body/s2").name == "scan/body/onnxfi/scan/body/s2/b"
    assert index.producer("scan/body/onnxfi/scan/body/s2/clean").op_type == "Add"
    assert index.element_of("scan/body/onnxfi/scan/body/s2/clean") is ElementType.FLOAT


def scan_of(edited):
    """The Scan and its body."""
    scan = next(node for node in edited.proto.graph.node if node.name == "scan")
    return scan, next(entry.g for entry in scan.attribute if entry.HasField("g"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, body: body.node[0].input.insert(0, "now"), "inputs of node .* in control-flow"),
        (lambda scan, _: scan.input.pop(0), "inputs of node 'scan'"),
        (lambda scan, _: scan.output.pop(0), "outputs of node 'scan'"),
        (lambda _, body: body.output.reverse(), "the counter of control-flow body"),
        (lambda _, body: body.node.add(name="more", op_type="Neg"), "undeclared node"),
    ],
)
def test_undeclared_changes_inside_are_noticed(change, message, model):
    _, group = add_iteration(model, "scan/body/s2")
    edited = insert(model, [group])
    verify_untouched(model, edited)
    change(*scan_of(edited))
    with pytest.raises(RewriteError, match=message):
        verify_untouched(model, edited)


def test_values_that_take_no_group(model, parse):
    with pytest.raises(RewriteError, match="no node computes 'loop/body/nothing'"):
        endpoints(model, "loop/body/nothing")
    passed = load(
        parse(
            """p (float[2] x) => (float[2] y) <int64 n = {3}, bool go = {1}> {
            [loop] y = Loop (n, go, x) <body = b (int64 i, bool c, float[2] h)
                => (bool c2, float[2] h) { c2 = Identity (c) } > }"""
        )
    )
    with pytest.raises(UnsupportedModelError, match="nothing can come between"):
        endpoints(passed, "loop/body/h")


def test_where_there_is_no_loop(parse):
    branchy = load(
        parse(
            """b (bool c, float[2] x) => (float[2] y) { [which] y = If (c) <
            then_branch = t () => (float[2] o) { o = Neg (x) },
            else_branch = e () => (float[2] p) { p = Exp (x) }> }"""
        )
    )
    assert iteration_of(branchy, "which/then_branch/o") is None
    assert iteration_of(branchy, "y") is None
    with pytest.raises(RewriteError, match="has no value 'z'"):
        iteration_of(branchy, "z")
