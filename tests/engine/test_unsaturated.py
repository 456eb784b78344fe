"""The twin that names are proven on: no sum of its 8-bit products saturates, on any CPU."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.engine import EngineSettings, deployed
from onnxfi.engine.executable import optimized, unsaturated
from onnxfi.graph import initializer_words, load

pytestmark = pytest.mark.cpu

SETTINGS = EngineSettings()
STORED = """
<ir_version: 10, opset_import: ["" : 17]>
quantized (float[n, 4, 6, 6] x) => (float[n, 16, 6, 6] y)
{
  xq = QuantizeLinear(x, s, zx)
  xd = DequantizeLinear(xq, s, zx)
  wd = DequantizeLinear(w, s, zw)
  c = Conv<pads = [1, 1, 1, 1]>(xd, wd)
  r = Relu(c)
  rq = QuantizeLinear(r, t, zx)
  rd = DequantizeLinear(rq, t, zx)
  y = Softmax<axis = 1>(rd)
}
"""
LATER = STORED.replace(
    "wd = DequantizeLinear(w, s, zw)",
    "wt = Transpose<perm = [1, 0, 2, 3]>(w)\n  wq = QuantizeLinear(wt, s, zw)\n"
    "  wd = DequantizeLinear(wq, s, zw)",
)


def _model(text, weight):
    proto = parser.parse_model(text)
    values = {
        "w": weight,
        "s": np.float32(0.02),
        "t": np.float32(0.8),
        "zx": np.uint8(128),
        "zw": np.int8(0),
    }
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()
    )
    return load(proto)


@pytest.fixture
def heavy():
    """Weights as large as they can be, so that every sum saturates where kernels do."""
    signs = np.random.default_rng(0).integers(0, 4, (16, 4, 3, 3)) > 0
    return np.where(signs, 127, -128).astype(np.int8)


def _codes(model, name):
    return initializer_words(model, name).view(np.int8)


def test_signed_weights_are_cut_off_and_nothing_else(heavy):
    model = _model(STORED, heavy)
    executable = optimized(model, SETTINGS)
    twin, small = unsaturated(model, executable, SETTINGS)
    assert set(_codes(twin, "w")) == {-64, 64}
    assert _codes(twin, "zw") == _codes(model, "zw")
    assert [node.name for node in small.index.nodes] == [n.name for n in executable.index.nodes]
    stored = [each for each in small.index.initializers.values() if len(each.shape) == 4]
    assert [set(_codes(small, each.name)) for each in stored] == [{-64, 64}]


def test_weights_that_become_signed_bytes_are_halved(heavy):
    floats = (heavy * np.float32(0.02)).transpose(1, 0, 2, 3)
    model = _model(LATER, np.ascontiguousarray(floats))
    executable = optimized(model, SETTINGS)
    _, small = unsaturated(model, executable, SETTINGS)
    (weight,) = [each for each in small.index.initializers.values() if len(each.shape) == 4]
    assert set(_codes(small, weight.name)) == {-64, 64}


def test_a_model_without_bytes_is_its_own_twin(models):
    model = load(models / "lenet5_mnist_fp32.onnx")
    executable = optimized(model, SETTINGS)
    assert unsaturated(model, executable, SETTINGS) == (model, executable)


@pytest.mark.parametrize("text", [STORED, LATER])
def test_names_are_found_however_large_the_weights_are(heavy, text):
    weight = heavy if text is STORED else (heavy * np.float32(0.02)).transpose(1, 0, 2, 3)
    graph = deployed(_model(text, np.ascontiguousarray(weight)), EngineSettings(graph="deployed"))
    made = {name for node in graph.index.nodes for name in node.outputs}
    assert made >= {"xq", "rq", "y"}
