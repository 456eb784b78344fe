"""Output channels: the index that a faulted element's own layer gives to what it changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import onnxfi as fi
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load
from onnxfi.sensitivity import output_channels

GRAPH = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[batch, 4, 6, 6] x) => (float[batch, 5] out) {
  c = Conv <pads = [1, 1, 1, 1]> (x, conv_w, conv_b)
  t = ConvTranspose (c, up_w)
  p = GlobalAveragePool (t)
  f = Flatten (p)
  g1 = Gemm <transB = 1> (f, gemm_w, gemm_b)
  m = MatMul (g1, mat_w)
  out = Add (m, mat_b)
}
"""
SHAPES = {
    "conv_w": (7, 4, 3, 3),
    "conv_b": (7,),
    "up_w": (7, 3, 2, 2),
    "gemm_w": (6, 3),
    "gemm_b": (6,),
    "mat_w": (6, 5),
    "mat_b": (5,),
}
#: What each stored tensor's layer makes, and the axis of its channels.
MAKES = {
    "conv_w": ("c", 1),
    "conv_b": ("c", 1),
    "up_w": ("t", 1),
    "gemm_w": ("g1", 1),
    "gemm_b": ("g1", 1),
    "mat_w": ("m", 1),
    "mat_b": ("out", 1),
}


@pytest.fixture(scope="module")
def proto():
    made = onnx.parser.parse_model(GRAPH)
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        values = rng.normal(size=shape).astype(np.float32)
        made.graph.initializer.append(numpy_helper.from_array(values, name))
    for value in {value for value, _ in MAKES.values()} - {"out"}:
        made.graph.output.append(onnx.ValueInfoProto(name=value))
    return made


def outputs(proto, x):
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"x": x}), strict=True))


@pytest.mark.parametrize("name", SHAPES)
def test_a_changed_element_changes_its_channel_alone(proto, name):
    x = np.random.default_rng(1).normal(size=(2, 4, 6, 6)).astype(np.float32)
    value, axis = MAKES[name]
    before = outputs(proto, x)[value]
    (site,) = [s for s in fi.enumerate_sites(proto, targets=["weight", "bias"]) if s.name == name]
    channels = output_channels(load(proto), site)
    assert channels is not None
    assert channels.size == before.shape[axis]
    elements = np.arange(site.layout.elements)
    assert (
        np.bincount(channels.of(elements)).tolist()
        == [len(elements) // channels.size] * channels.size
    )
    for element in (0, len(elements) // 2, len(elements) - 1):
        changed = onnx.ModelProto()
        changed.CopyFrom(proto)
        (tensor,) = [one for one in changed.graph.initializer if one.name == name]
        values = numpy_helper.to_array(tensor).copy()
        values.flat[element] += 1
        tensor.CopyFrom(numpy_helper.from_array(values, name))
        moved = outputs(changed, x)[value] != before
        touched = np.flatnonzero(np.moveaxis(moved, axis, 0).reshape(channels.size, -1).any(axis=1))
        assert touched.tolist() == channels.of(np.array([element])).tolist()


def test_computed_tensors_have_their_own(proto):
    inputs = {"x": np.zeros((3, 4, 6, 6), np.float32)}
    sites = fi.enumerate_sites(proto, inputs=inputs, targets=["activation"])
    found = {site.name: output_channels(load(proto), site) for site in sites}
    sizes = {name: None if axis is None else axis.size for name, axis in found.items()}
    assert {name: sizes[name] for name in ("c", "t", "g1", "out")} == {
        "c": 7,
        "t": 3,
        "g1": 6,
        "out": 5,
    }
    (image,) = [site for site in sites if site.name == "c"]
    shape = image.layout.shape
    index = np.arange(image.layout.elements)
    wanted = np.unravel_index(index, shape)[1]
    assert np.array_equal(found["c"].of(index), wanted)


def test_rows_of_packed_blocks_are_channels():
    """Weights, scales and zero points of a product with 4-bit weights, by output channel."""
    stored = {
        "B": np.zeros((3, 2, 8), np.uint8),
        "s": np.ones((3, 2), np.float32),
        "z": np.zeros((3, 1), np.uint8),
    }
    node = helper.make_node(
        "MatMulNBits", ["x", *stored], ["y"], domain="com.microsoft", K=32, N=3, bits=4,
        block_size=16,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 32])],
        [helper.make_tensor_value_info("y", 1, ["N", 3])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = load(helper.make_model(graph, opset_imports=imports, ir_version=10))
    for site in enumerate_sites(model.index, model.inputs, model.outputs).sites:
        if site.kind.stored:
            channels = output_channels(model, site)
            assert channels is not None
            each = site.layout.elements // 3
            assert channels.of(np.arange(3 * each)).tolist() == np.repeat([0, 1, 2], each).tolist()
