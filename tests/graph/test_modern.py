"""Operators of old opsets whose newer form the version converter misses: same names, same bits."""

import numpy as np
import pytest
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from onnxfi.errors import UnsupportedModelError
from onnxfi.graph import load, operators, raise_opset, verify_untouched

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4, 4, 6)).astype(np.float32)
SCALES = np.array([1, 1, 2, 1.5], np.float32)
GROUPS = [np.array([2, 3], np.float32), np.array([0.5, -1], np.float32)]
CASES = {
    "Upsample-7": (7, "Upsample", {"scales": SCALES.tolist(), "mode": "nearest"}, []),
    "Upsample-8": (8, "Upsample", {"scales": SCALES.tolist(), "mode": "linear"}, []),
    "Upsample-9": (9, "Upsample", {"mode": "nearest"}, [SCALES]),
    "Resize-10": (10, "Resize", {"mode": "nearest"}, [SCALES]),
    "Scatter-9": (
        9,
        "Scatter",
        {"axis": 1},
        [np.zeros((2, 1, 4, 6), np.int64), np.ones((2, 1, 4, 6), np.float32)],
    ),
    "Hardmax-11": (11, "Hardmax", {"axis": 1}, []),
    "Hardmax-12": (12, "Hardmax", {"axis": -1}, []),
    "GroupNormalization-18": (18, "GroupNormalization", {"num_groups": 2}, GROUPS),
    "Swish-24": (24, "Swish", {"alpha": 0.5}, []),
    "Affine-7": (7, "Affine", {"alpha": 2.0, "beta": 0.5}, []),
    "ImageScaler-8": (8, "ImageScaler", {"scale": 0.3, "bias": [1.0, 2.0, 3.0, 4.0]}, []),
    "Scale-9": (9, "Scale", {"scale": 3.0}, []),
    "Crop-7": (7, "Crop", {"border": [1, 0, 2, 1]}, []),
    "Crop-8": (8, "Crop", {"border": [1, 1, 0, 0], "scale": [2, 3]}, []),
    "DynamicSlice-9": (
        9,
        "DynamicSlice",
        {},
        [np.array([1, 0]), np.array([4, 3]), np.array([1, 3])],
    ),
}


def _model(opset, operator, attributes, tensors, outputs=1, batch="n"):
    """The operator between two others, so that its value has to keep its name."""
    names = [f"t{number}" for number in range(len(tensors))]
    made = [f"made{number}" for number in range(outputs)]
    nodes = [
        helper.make_node("Neg", ["x"], ["before"]),
        helper.make_node(operator, ["before", *names], made, name="the old one", **attributes),
        *(helper.make_node("Identity", [name], [f"{name}/after"]) for name in made),
    ]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4, 4, 6])],
        [ValueInfoProto(name=f"{name}/after") for name in made],
        [numpy_helper.from_array(t, name) for name, t in zip(names, tensors, strict=True)],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4)


@pytest.mark.parametrize("batch", ["n", 2])
@pytest.mark.parametrize("case", CASES)
def test_names_and_bits_stay(case, batch, run, same):
    proto = _model(*CASES[case], batch=batch)
    model = load(proto)
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    assert raised.opset == 26
    assert {node.name for node in model.index.nodes} <= {node.name for node in raised.index.nodes}
    assert same(run(raised, {"x": X}), run(proto, {"x": X}))


def test_in_a_nested_graph(parse, run, same):
    proto = parse(
        """agraph (bool c, float[1, 2, 2, 3] x) => (float[1, 2, 4, 6] y) {
            y = If (c) <
                then_branch = t () => (float[1, 2, 4, 6] o) {
                    u = Upsample<scales = [1.0, 1.0, 2.0, 2.0]>(x) o = Neg(u) },
                else_branch = e () => (float[1, 2, 4, 6] p) {
                    h = Hardmax(x) p = Upsample<scales = [1.0, 1.0, 2.0, 2.0]>(h) }>
        }""",
        opset=8,
        ir_version=4,
    )
    raised = raise_opset(load(proto), 26)
    assert operators(raised)["Resize"] == 2
    for condition in (True, False):
        feeds = {"c": np.array(condition), "x": X[:1, :2, :2, :3]}
        assert same(run(raised, feeds), run(proto, feeds))


def test_names_of_the_new_values_are_free(run, same):
    proto = _model(*CASES["Hardmax-11"])
    proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = "made0/flat"
    raised = raise_opset(load(proto), 26)
    assert same(run(raised, {"x": X}), run(proto, {"x": X}))


@pytest.mark.parametrize(
    ("opset", "operator", "attributes", "message"),
    [
        (9, "ScaledTanh", {"alpha": 1.0, "beta": 2.0}, "below opset 10 only"),
        (8, "ParametricSoftplus", {"alpha": 1.0, "beta": 2.0}, "below opset 10 only"),
    ],
)
def test_what_has_no_newer_form(opset, operator, attributes, message):
    with pytest.raises(UnsupportedModelError, match=message):
        raise_opset(load(_model(opset, operator, attributes, [])), 26)


def test_masks_of_an_old_dropout(run, same):
    read = _model(10, "Dropout", {"ratio": 0.5}, [], outputs=2)
    with pytest.raises(UnsupportedModelError, match="gives another mask since opset 12"):
        raise_opset(load(read), 26)
    unread = _model(10, "Dropout", {"ratio": 0.5}, [], outputs=2)
    del unread.graph.node[3], unread.graph.output[1]
    assert same(run(raise_opset(load(unread), 26), {"x": X}), run(unread, {"x": X}))


@pytest.mark.parametrize("opset", [11, 22])
def test_declared_types_that_are_not_so(opset, parse, run, same):
    """onnxruntime does not mind; the converter must neither end at them nor believe them."""
    proto = parse(
        """agraph (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1, 2, 3, 4}> {
            a = Mul(x, w)
            s = Softmax<axis = 1>(a)
            t = com.microsoft.QuickGelu(s)
            u = Softmax<axis = 1>(t)
            y = Neg(u)
        }""",
        opset=opset,
        imports={"com.microsoft": 1},
    )
    for name, shape in {"a": [], "s": [4], "t": [2, 2, 2, 2], "u": ["N", 4, 1]}.items():
        proto.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    feeds = {"x": RNG.normal(size=(3, 4)).astype(np.float32)}
    model = load(proto)
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    assert same(run(raised, feeds), run(proto, feeds))
    assert raised.proto.graph.value_info == proto.graph.value_info
