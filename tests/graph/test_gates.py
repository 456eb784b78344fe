"""Gates of recurrent operators, packed as they are stored and moved about on their way."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from onnxfi.graph import Gates, load

H, IN = 3, 2


def _model(body, **weights):
    text = f"""
    <ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
    m (float[5, 1, {IN}] x) => (float[a, b, c, d] y) {{ {body} }}
    """
    proto = parser.parse_model(text)
    for name, values in weights.items():
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return load(proto)


def _floats(*shape):
    return np.zeros(shape, np.float32)


def _lstm(directions=1):
    way = "bidirectional" if directions == 2 else "forward"
    return _model(
        f'y = LSTM<hidden_size = {H}, direction = "{way}">(x, w, r, b, , , , p)',
        w=_floats(directions, 4 * H, IN),
        r=_floats(directions, 4 * H, H),
        b=_floats(directions, 8 * H),
        p=_floats(directions, 3 * H),
    )


@pytest.mark.parametrize("directions", [1, 2])
def test_weights_biases_and_peepholes_of_an_lstm(directions):
    found = _lstm(directions).index.gates
    assert found["w"] == found["r"] == Gates(axis=1, size=H, blocks=tuple("iofc"))
    assert found["b"] == Gates(axis=1, size=H, blocks=tuple("iofciofc"))
    assert found["p"] == Gates(axis=1, size=H, blocks=tuple("iof"))


def test_gru_and_rnn():
    gru = _model(
        f"y = GRU<hidden_size = {H}>(x, w, r, b)",
        w=_floats(1, 3 * H, IN),
        r=_floats(1, 3 * H, H),
        b=_floats(1, 6 * H),
    )
    assert gru.index.gates["w"].blocks == tuple("zrh")
    assert gru.index.gates["b"].blocks == tuple("zrhzrh")
    rnn = _model(f"y = RNN<hidden_size = {H}>(x, w, r)", w=_floats(1, H, IN), r=_floats(1, H, H))
    assert rnn.index.gates["w"] == Gates(axis=1, size=H, blocks=("i",))


def test_dynamically_quantized_weights_lie_the_other_way():
    model = _model(
        f"""
        y = com.microsoft.DynamicQuantizeLSTM<hidden_size = {H}>
            (x, w, r, b, , , , , ws, wz, rs, rz)
        """,
        w=np.zeros((1, IN, 4 * H), np.int8),
        r=np.zeros((1, H, 4 * H), np.int8),
        b=_floats(1, 8 * H),
        ws=_floats(1, 4 * H),
        wz=np.zeros((1, 4 * H), np.int8),
        rs=_floats(1),
        rz=np.zeros(1, np.int8),
    )
    found = model.index.gates
    assert found["w"] == found["r"] == Gates(axis=2, size=H, blocks=tuple("iofc"))
    assert found["ws"] == found["wz"] == Gates(axis=1, size=H, blocks=tuple("iofc"))
    assert "rs" not in found


def test_tensors_in_another_order_are_followed_through_slices():
    """As PyTorch exports them: input, forget, cell, output, without an axis of directions."""
    cuts = "\n".join(
        f"{name}{gate} = Slice({name}_ih, s{at}, s{at + 1}, zero)"
        for name in ("w", "b")
        for at, gate in enumerate("ifco")
    )
    model = _model(
        f"""
        {cuts}
        wp = Concat<axis = 0>(wi, wo, wf, wc)
        w = Unsqueeze(wp, zero)
        bp = Concat<axis = 0>(bi, bo, bf, bc, b_hh)
        b = Unsqueeze(bp, zero)
        t = Transpose<perm = [1, 0]>(r_t)
        r = Reshape(t, shape)
        y = LSTM<hidden_size = {H}>(x, w, r, b)
        """,
        w_ih=_floats(4 * H, IN),
        b_ih=_floats(4 * H),
        b_hh=_floats(4 * H),
        r_t=_floats(H, 4 * H),
        zero=np.array([0]),
        shape=np.array([1, 4 * H, -1]),
        **{f"s{at}": np.array([at * H]) for at in range(5)},
    )
    found = model.index.gates
    assert found["w_ih"] == found["b_ih"] == Gates(axis=0, size=H, blocks=tuple("ifco"))
    assert found["b_hh"] == Gates(axis=0, size=H, blocks=tuple("iofc"))
    assert found["r_t"] == Gates(axis=1, size=H, blocks=tuple("iofc"))


def test_what_is_computed_or_used_in_two_ways_has_none():
    model = _model(
        f"""
        w = Mul(half, two)
        y = LSTM<hidden_size = {H}>(x, w, r, b)
        z = GRU<hidden_size = {4 * H // 3}>(x, w, , b)
        """,
        half=_floats(1, 4 * H, IN),
        two=np.float32(2),
        r=_floats(1, 4 * H, H),
        b=_floats(1, 8 * H),
    )
    assert set(model.index.gates) == {"r"}


def test_models_without_recurrent_operators_have_none():
    proto = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 17]> m (float[2] x) => (float[2] y) { y = Neg(x) }'
    )
    assert isinstance(proto, onnx.ModelProto)
    assert load(proto).index.gates == {}
