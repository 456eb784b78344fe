"""What onnxruntime writes into optimised graphs and does not read again is mended when read."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser

from onnxfi.engine.executable import optimized
from onnxfi.engine.runtime import EngineSettings, Session
from onnxfi.graph import load, loadable

# Before opset 13 a scale is one number; onnxruntime, moving layouts, writes an axis all the same.
QDQ = """
<ir_version: 7, opset_import: ["" : 11]>
qdq (float[n, 2, 4, 4] x) => (float[n, 2, 4, 4] y)
<float s = {0.02}, int8 z = {0}, float t = {0.01}, float v = {0.05}, int8 o = {3},
 int8[2, 2, 1, 1] k = {3, -40, 70, 22}, int8[1, 2, 1, 1] b = {30, -60}>
{
  q = QuantizeLinear(x, s, z)   d = DequantizeLinear(q, s, z)
  kd = DequantizeLinear(k, t, z)
  c = Conv(d, kd)
  cq = QuantizeLinear(c, v, o)  cd = DequantizeLinear(cq, v, o)
  bd = DequantizeLinear(b, t, z)
  a = Add(cd, bd)               h = Relu(a)
  hq = QuantizeLinear(h, v, o)  hd = DequantizeLinear(hq, v, o)
  e = Conv(hd, kd)
  eq = QuantizeLinear(e, v, o)  y = DequantizeLinear(eq, v, o)
}
"""


@pytest.mark.cpu
def test_an_axis_of_a_later_opset_is_taken_out():
    model = load(parser.parse_model(QDQ))
    feeds = {"x": np.random.default_rng(0).uniform(-2, 2, (3, 2, 4, 4)).astype(np.float32)}
    plain = EngineSettings()
    made = optimized(model, plain)
    own = Session(model, plain).run(feeds)["y"]
    assert np.array_equal(Session(made, plain, replay=True).run(feeds)["y"], own)


def test_what_says_something_stays():
    later = QDQ.replace('"" : 11', '"" : 13').replace(
        "DequantizeLinear(b, t, z)", "DequantizeLinear<axis = 1>(b, t, z)"
    )
    model = load(parser.parse_model(later))
    assert loadable(model) is model
    model = load(parser.parse_model(QDQ))
    assert loadable(model) is model
