"""Stored data that is no plain initializer: sparse tensors, attributes, what is handed out."""

from __future__ import annotations

import onnx
import onnx.helper as oh
import onnx.parser
import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import FaultSite, SiteTable, enumerate_sites
from onnxfi.graph import Form, load

STRUCTURE = "structural: a shape, axis, index, size or condition"
LISTS = "integers in an attribute: the structure of trees, positions, class labels"


def parse(text: str) -> onnx.ModelProto:
    header = '<ir_version: 10, opset_import: ["" : 17, "ai.onnx.ml" : 3]>\n'
    return onnx.parser.parse_model(header + text)


def table(source: str | onnx.ModelProto) -> SiteTable:
    model = load(parse(source) if isinstance(source, str) else source)
    return enumerate_sites(model.index, model.inputs, model.outputs)


def stored(found: SiteTable) -> dict[str, FaultSite]:
    return {site.name: site for site in found.sites if site.kind.stored}


def reasons(found: SiteTable) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out if left.bits}


def sparse(text: str, element: int = onnx.TensorProto.FLOAT, dims=(4, 3)) -> onnx.ModelProto:
    proto = parse(text)
    values = oh.make_tensor("w", element, [2], [1, 2])
    places = oh.make_tensor("i", onnx.TensorProto.INT64, [2, 2], [0, 1, 3, 0])
    proto.graph.sparse_initializer.append(oh.make_sparse_tensor(values, places, list(dims)))
    return proto


def test_values_and_indices_of_a_sparse_tensor():
    found = table(sparse("g (float[N,4] x) => (float[N,3] y) { y = MatMul(x, w) }"))
    values, indices = stored(found).values()
    assert (values.name, values.kind, values.form) == ("w", "weight", Form.SPARSE)
    assert (values.element, values.layout.shape) == (ElementType.FLOAT, (2,))
    assert (indices.name, indices.kind, indices.form) == ("w/indices", "sparse_index", Form.INDICES)
    assert (indices.element, indices.layout.shape) == (ElementType.INT64, (2, 2))
    assert indices.layer == values.layer == "MatMul#1"


def test_what_a_sparse_tensor_is_goes_by_its_dense_shape():
    """Two values in one row are no bias: the tensor has rows and columns."""
    text = "g (float[4,3] x, float[3,3] z) => (float[4,3] y) { a = MatMul(x, z) y = Add(a, w) }"
    assert [site.kind for site in stored(table(sparse(text))).values()] == [
        "weight",
        "sparse_index",
    ]


def test_indices_go_with_values_that_are_left_out():
    unread = table(sparse("g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }"))
    assert reasons(unread) == dict.fromkeys(("w", "w/indices"), "not read by any operator")
    assert {left.bits for left in unread.left_out} == {64, 256}


def test_lists_of_classical_models():
    found = table(
        """
        g (float[N,2] x) => (float[N,1] y, float[N,1] z) {
            [scaler] s = ai.onnx.ml.Scaler<offset = [1.0, 2.0], scale = [1.0, 1.0]>(x)
            [linear] y = ai.onnx.ml.LinearRegressor
                <coefficients = [1.0, 2.0], intercepts = [0.5]>(s)
            [trees] z = ai.onnx.ml.TreeEnsembleRegressor<n_targets = 1, nodes_values = [0.1],
                nodes_truenodeids = [0], target_weights = [3.0], base_values = [0.5]>(s)
        }
        """
    )
    assert {name: site.kind.value for name, site in stored(found).items()} == {
        "scaler/offset": "bias",
        "scaler/scale": "weight",
        "linear/coefficients": "weight",
        "linear/intercepts": "bias",
        "trees/nodes_values": "weight",
        "trees/target_weights": "weight",
        "trees/base_values": "bias",
    }
    assert {site.form for site in stored(found).values()} == {Form.ATTRIBUTE}
    assert stored(found)["linear/intercepts"].layer == "linear"
    assert reasons(found) == {"trees/nodes_truenodeids": LISTS}


def test_the_value_that_fills_a_tensor():
    found = table(
        """
        g (float[N,2] x) => (float[N,2] y, float[2,1] z) {
            s = Shape(x)
            [filled] c = ConstantOfShape<value = float[1] {2.0}>(s)
            y = Add(x, c)
            one = Constant<value = int64[1] {1}>()
            [minus] m = ConstantOfShape<value = int64[1] {-1}>(one)
            shape = Concat<axis = 0>(m, one)
            z = Reshape(x, shape)
        }
        """
    )
    assert list(stored(found)) == ["filled/value"]
    assert reasons(found) == {"one": STRUCTURE, "minus/value": STRUCTURE}


CHOICE = """
    g (float[2] x, bool c) => (float[2] y) {
        w = If (c) <
            then_branch = one () => (%s a) { a = Constant<value = %s {1, 2}>() },
            else_branch = two () => (%s b) { b = Constant<value = %s {2, 1}>() } >
        y = %s
    }
"""


@pytest.mark.parametrize(
    ("element", "reading", "is_site"),
    [
        ("float[2]", "Mul(x, w)", True),
        ("int64[2]", "Gather(x, w)", False),
        ("int64[2]", "Cast<to = 1>(w)", True),
    ],
)
def test_what_a_body_hands_out_is_what_the_node_gives(element, reading, is_site):
    found = table(CHOICE % (*[element] * 4, reading))
    names = ["If#1/then_branch/a", "If#1/else_branch/b"]
    assert list(stored(found)) == (names if is_site else [])
    assert reasons(found) == ({} if is_site else dict.fromkeys(names, STRUCTURE))
    for site in stored(found).values():
        assert site.node == "If#1"
        assert site.op_type in ("Mul", "If")


def test_the_condition_that_a_loop_goes_on_by_is_structure():
    found = table(
        """
        g (float[2] x, int64 n, bool c) => (float[2] y) {
            y = Loop (n, c, x) <body = b (int64 i, bool go, float[2] s) => (bool on, float[2] t) {
                on = Constant<value = bool {1}>()
                t = Constant<value = float[2] {1, 2}>()
            }>
        }
        """
    )
    assert list(stored(found)) == ["Loop#1/body/t"]
    assert stored(found)["Loop#1/body/t"].layer == "Loop#1"
    assert reasons(found) == {"Loop#1/body/on": STRUCTURE}
