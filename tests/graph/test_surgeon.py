import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import onnx
import pytest

from onnxfi.errors import UnsupportedModelError
from onnxfi.graph import initializer_words, load, serialize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import onnx_graphsurgeon as gs

FEEDS = {"x": np.array([1.0, -2.0], np.float32)}


def small():
    x = gs.Variable("x", np.float32, [2])
    y = gs.Variable("y", np.float32, [2])
    w = gs.Constant("w", np.array([3.0, 4.0], np.float32))
    node = gs.Node("Add", inputs=[x, w], outputs=[y])
    return gs.Graph([node], [x], [y], opset=17)


def test_a_graph_loads_and_stays_as_it_was(run, capfd):
    graph = small()
    graph.nodes.append(
        gs.Node("Magic", domain="my.company", inputs=[graph.inputs[0]], outputs=[gs.Variable("m")])
    )
    graph.nodes[0].name = graph.nodes[1].name = "same"
    domains = graph.import_domains
    model = load(graph)
    assert graph.import_domains == domains
    assert model.source == "<graphsurgeon>"
    assert [node.name for node in model.index.nodes] == ["same", "same#2"]
    assert model.opset == 17
    assert capfd.readouterr() == ("", "")


def test_a_graph_runs(run):
    np.testing.assert_array_equal(run(load(small()), FEEDS)[0], [4, 2])


def test_later_changes_do_not_show(run):
    graph = small()
    model = load(graph)
    graph.tensors()["w"].values = np.zeros(2, np.float32)
    graph.nodes[0].op = "Sub"
    np.testing.assert_array_equal(run(model, FEEDS)[0], [4, 2])


def test_an_imported_graph_is_the_model(parse, run, same):
    proto = parse("""agraph (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        a = Add(x, w)
        y = If (c) <then_branch = t () => (float[2] o) { o = Mul(a, w) },
                    else_branch = e () => (float[2] p) <float[2] k = {5, 6}> { p = Mul(a, k) }>
    }""")
    graph = gs.import_onnx(onnx.shape_inference.infer_shapes(proto))
    model = load(graph)
    # The exporter alone would give each body a copy of w.
    assert list(model.index.initializers) == ["w", "If#1/else_branch/k"]
    for condition in (True, False):
        feeds = {"c": np.array(condition), **FEEDS}
        assert same(run(model, feeds), run(proto, feeds))


def test_functions(parse, run, same):
    proto = parse(
        """agraph (float[2] x) => (float[2] y) { y = l.f(x) }
        <domain: "l", opset_import: ["": 17]> f (x) => (y) { a = Neg(x) y = Relu(a) }""",
        imports={"l": 1},
    )
    graph = gs.import_onnx(proto)
    before = list(graph.functions[0].import_domains)
    model = load(graph)
    assert list(graph.functions[0].import_domains) == before
    assert same(run(model, FEEDS), run(proto, FEEDS))


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fnuz, ml_dtypes.int4])
def test_what_the_exporter_would_write_wrongly_is_refused(dtype):
    graph = small()
    graph.nodes[0].inputs[1] = gs.Constant("w", np.zeros(2, dtype))
    with pytest.raises(UnsupportedModelError, match=r"writes .* data wrongly"):
        load(graph)


def test_imported_four_bit_constants_keep_their_bits(parse):
    proto = parse(
        "agraph (float[2] x) => (float[5] y) <float s = {1}> { y = DequantizeLinear(k, s) }",
        opset=21,
    )
    tensor = onnx.helper.make_tensor("k", onnx.TensorProto.INT4, [5], [1, -8, 7, -1, 3])
    proto.graph.initializer.add().CopyFrom(tensor)
    words = initializer_words(load(gs.import_onnx(proto)), "k")
    assert words.tolist() == [1, 8, 7, 15, 3]


def test_two_tensors_of_one_name_are_refused():
    graph = small()
    other = gs.Variable("z", np.float32, [2])
    graph.nodes.append(
        gs.Node("Neg", inputs=[gs.Constant("w", np.zeros(2, np.float32))], outputs=[other])
    )
    with pytest.raises(UnsupportedModelError, match="graphsurgeon can't export"):
        load(graph)


def test_optional_types_are_refused(capfd):
    graph = small()
    graph.inputs[0].type = "optional_type"
    with pytest.raises(UnsupportedModelError, match="graphsurgeon can't export"):
        load(graph)
    assert capfd.readouterr() == ("", "")


def test_subclasses_of_graph_load():
    class Mine(gs.Graph):
        pass

    graph = small()
    assert load(Mine(graph.nodes, graph.inputs, graph.outputs, opset=17)).index.nodes


def test_variables_of_lossy_types_are_refused():
    graph = small()
    graph.nodes[0].outputs[0].dtype = np.dtype(ml_dtypes.float8_e4m3fnuz)
    with pytest.raises(UnsupportedModelError, match="float8_e4m3fnuz"):
        load(graph)


def test_the_ir_version_is_one_that_the_runtime_takes():
    graph = small()
    assert load(graph).ir_version <= 13
    assert serialize(load(graph)).data


def test_a_file_is_loaded_without_graphsurgeon(tmp_path, parse):
    path = tmp_path / "m.onnx"
    path.write_bytes(
        parse("agraph (float[1] x) => (float[1] y) { y = Relu(x) }").SerializeToString()
    )
    code = (
        "import sys; from onnxfi.graph import load, operators; operators(load(sys.argv[1]));"
        "sys.exit('onnx_graphsurgeon' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0
