import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.bits import ElementType
from onnxfi.errors import RewriteError, UnsupportedModelError
from onnxfi.graph import (
    TensorSpec,
    declare,
    initializer_words,
    lift_initializers,
    load,
    operators,
    raise_opset,
    serialize,
    verify_untouched,
)
from onnxfi.graph.edit import misfit

FEEDS = {"c": np.array(True), "x": np.array([[1.0, -2.0]], np.float32)}
OLD = """agraph (bool c, float[1, 2] x) => (float[M] y) <float[2] w = {1, 2}> {
    s = If (c) <
        then_branch = t () => (float[2] o) <float[1] k = {3}> {
            t = Squeeze<axes = [0]>(x)
            o = Mul(t, k)
        },
        else_branch = e () => (float[2] p) { u = Squeeze<axes = [0]>(x) p = Add(u, w) }>
    g = com.microsoft.Gelu(s)
    y = Softmax<axis = 0>(g)
}"""


@pytest.fixture
def old(parse):
    proto = parse(OLD, opset=11, imports={"com.microsoft": 1}, ir_version=7)
    proto.graph.node[1].metadata_props.add(key="origin", value="layer 3")
    proto.graph.node[1].name = "gelu"
    proto.graph.doc_string = "about"
    return proto


def test_names_and_results_stay(old, run, same):
    model = load(old)
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    assert (raised.opset, model.opset, raised.sha256) == (26, 11, model.sha256)
    assert set(model.index.initializers) <= set(raised.index.initializers)
    names = {node.name for node in raised.index.nodes}
    assert {node.name for node in model.index.nodes} <= names
    for condition in (True, False):
        feeds = {**FEEDS, "c": np.array(condition)}
        assert same(run(raised, feeds), run(old, feeds))


def test_metadata_stays(old):
    proto = raise_opset(load(old), 26).proto
    gelu = next(node for node in proto.graph.node if node.name == "gelu")
    assert gelu.metadata_props[0].value == "layer 3"
    assert proto.graph.doc_string == "about"


def test_types_stay_known(old):
    typed = declare(load(old), [TensorSpec(name="g", element=ElementType.FLOAT)])
    assert raise_opset(typed, 26).index.element_of("g") is ElementType.FLOAT


def test_tensors_in_attributes_keep_their_bits(parse):
    proto = parse(
        """agraph (int64[1] n, float[4] x) => (float[N] y, float[4] z) {
            y = ConstantOfShape<value = float[1] {1.0}>(n)
            z = Add(x, k) }""",
        opset=12,
    )
    tensor = proto.graph.node[0].attribute[0].t
    tensor.ClearField("float_data")
    tensor.raw_data = np.array([0x7F800001], "<u4").tobytes()
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("k", TensorProto.FLOAT, [1], [7.0]),
        helper.make_tensor("i", TensorProto.INT64, [1], [2]),
        [4],
    )
    proto.graph.node.insert(0, helper.make_node("Constant", [], ["k"], sparse_value=sparse))
    proto.graph.sparse_initializer.add().CopyFrom(sparse)
    proto.graph.sparse_initializer[0].values.name = "s"
    raised = raise_opset(load(proto), 26)
    filled = raised.proto.graph.node[0]
    second, first = raised.proto.graph.sparse_initializer
    assert first == sparse
    assert second == proto.graph.sparse_initializer[0]
    assert list(raised.index.initializers) == ["s", "k"]
    assert filled.attribute[0].t == tensor


def test_onnxruntimes_operators_in_the_onnx_domain(parse, run, same):
    proto = parse(
        """agraph (bool c, float[2, 4] x) => (float[2, 4] y) <float[4] g = {1, 2, 3, 4}> {
            a = LayerNormalization<axis = -1>(x, g)
            y = If (c) <then_branch = t () => (float[2, 4] o) {
                            o = LayerNormalization<axis = -1>(a, g) },
                        else_branch = e () => (float[2, 4] p) { p = Neg(a) }>
        }""",
        opset=13,
    )
    model = load(proto)
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    assert operators(raised) == operators(model)
    assert all(entry.domain != "onnxfi.strangers" for entry in raised.proto.opset_import)
    feeds = {"c": np.array(True), "x": np.arange(8, dtype=np.float32).reshape(2, 4)}
    assert same(run(raised, feeds), run(proto, feeds))


def test_only_if_below(old):
    model = load(old)
    assert raise_opset(model, 11) is model
    assert raise_opset(model, 7) is model
    assert raise_opset(model, 13).opset == 13


def test_large_weights_keep_their_bits(parse):
    weight = np.random.default_rng(3).integers(0, 2**32, 4096, dtype=np.uint32)
    proto = parse("agraph (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }", opset=12)
    proto.graph.initializer.add().CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT, [64, 64], weight.tobytes(), raw=True)
    )
    model = load(proto)
    raised = raise_opset(model, 26)
    verify_untouched(model, raised)
    np.testing.assert_array_equal(initializer_words(raised, "w"), weight)


def test_upsample_becomes_resize(parse, run, same):
    proto = parse(
        """agraph (float[1, 1, 2, 2] x) => (float[1, 1, 4, 4] y) <float[4] s = {1, 1, 2, 2}> {
            y = Upsample<mode = "nearest">(x, s) }""",
        opset=9,
        ir_version=4,
    )
    model = load(proto)
    raised = raise_opset(model, 26)
    assert operators(raised)["Resize"] == 1
    feeds = {"x": np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)}
    assert same(run(raised, feeds), run(proto, feeds))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("operator", ["Upsample", "Resize"])
@pytest.mark.parametrize("scales", [(1, 1, 1.3, 2.5), (1, 1, 2, 3), (1, 1, 0.5, 0.6)])
def test_resized_images_stay_what_they_are(mode, operator, scales, run, same):
    """The converter drops from where elements are taken, which the newer operator has to say."""
    if operator == "Upsample" and min(scales) < 1:
        return
    model = load(_resizing(operator, mode, scales))
    raised = raise_opset(model, 26)
    feeds = {"x": np.random.default_rng(2).normal(size=(1, 1, 5, 7)).astype(np.float32)}
    assert same(run(raised, feeds), run(model, feeds))


def test_a_resize_that_rounds_both_ways_is_refused():
    model = load(_resizing("Resize", "nearest", (1, 1, 0.5, 2)))
    with pytest.raises(UnsupportedModelError, match="rounds up where it makes an axis smaller"):
        raise_opset(model, 26)
    assert raise_opset(load(_resizing("Resize", "linear", (1, 1, 0.5, 2))), 26).opset == 26


def _resizing(operator, mode, scales):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "s"], ["y"], mode=mode)],
        "resizing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 5, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("s", TensorProto.FLOAT, [4], scales)],
    )
    opsets = [helper.make_opsetid("", 9 if operator == "Upsample" else 10)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4)


def test_old_models_without_repeated_inputs(parse, run, same):
    proto = parse(
        "agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }",
        opset=7,
        ir_version=3,
    )
    raised = raise_opset(load(proto), 18)
    feeds = {"x": np.ones(2, np.float32)}
    assert same(run(raised, feeds), run(proto, feeds))
    assert raised.ir_version == 3


def test_models_without_onnx_operators(parse):
    proto = parse("agraph (float[1, 2] x) => (float[1, 2] y) { y = ai.onnx.ml.Scaler(x) }")
    del proto.opset_import[:]
    proto.opset_import.add(domain="ai.onnx.ml", version=3)
    model = load(proto)
    raised = raise_opset(model, 26)
    assert (model.opset, raised.opset) == (1, 26)
    assert operators(raised) == operators(model)


def test_operators_with_a_new_meaning_are_refused(parse):
    """Scan of opset 8 runs over a batch; the converter lets it through as it is."""
    proto = parse(
        """agraph (float[1, 2] i, float[1, 3, 2] x) => (float[1, 2] y, float[1, 3, 2] z) {
            y, z = Scan<num_scan_inputs = 1, body = b (float[2] s, float[2] e) =>
                (float[2] t, float[2] u) { t = Add(s, e) u = Identity(t) }>(, i, x) }""",
        opset=8,
        ir_version=3,
    )
    with pytest.raises(UnsupportedModelError, match=r"'Scan#1' \(Scan\) has another meaning"):
        raise_opset(load(proto), 26)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("Squeeze", ["x"], ["y"], axes=[0]), "no attribute 'axes' in opset 26"),
        (helper.make_node("Upsample", ["x", "s"], ["y"]), "deprecated in opset 26"),
        (helper.make_node("Relu", ["x", "x"], ["y"]), "can't have 2 inputs in opset 26"),
        (helper.make_node("ImageScaler", ["x"], ["y"]), "no operator of opset 26"),
        (helper.make_node("Squeeze", ["x", "axes"], ["y"]), None),
        (helper.make_node("Squeeze", ["x"], ["y"], axes=[0], domain="mine"), None),
    ],
)
def test_nodes_that_do_not_fit_an_opset(node, message):
    problem = misfit(node, 26)
    assert problem is None if message is None else message in problem


def test_what_the_converter_lets_through_is_caught(parse, monkeypatch):
    proto = parse("agraph (float[1, 2] x) => (float[2] y) { y = Squeeze<axes = [0]>(x) }", opset=11)
    monkeypatch.setattr("onnx.version_converter.convert_version", lambda model, version: model)
    with pytest.raises(UnsupportedModelError, match="no attribute 'axes'"):
        raise_opset(load(proto), 26)


def test_lost_names_are_caught(parse, monkeypatch):
    proto = parse("agraph (float[2] x) => (float[2] y) { a = Relu(x) y = Neg(a) }", opset=11)

    def rename(model, version):
        model.graph.node[0].output[0] = model.graph.node[1].input[0] = "b"
        return model

    monkeypatch.setattr("onnx.version_converter.convert_version", rename)
    with pytest.raises(UnsupportedModelError, match="lost the value 'a'"):
        raise_opset(load(proto), 26)


def test_opsets_of_the_future(old):
    with pytest.raises(UnsupportedModelError, match="from opset 11 to 99") as caught:
        raise_opset(load(old), 99)
    assert "\n" not in str(caught.value)


def test_raising_comes_first(old):
    with pytest.raises(RewriteError, match="raise the opset before"):
        raise_opset(lift_initializers(load(old), ["w"]), 26)


def test_a_raised_model_loads_again(old):
    raised = raise_opset(load(old), 26)
    assert serialize(load(serialize(raised).data)).data == serialize(raised).data
