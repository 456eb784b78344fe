"""Rules: what follows a value bounds what its shifts can do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.graph import Model, load
from onnxfi.sensitivity.rules import ChannelStatistics, Target, ValueChannels, following, ruled
from onnxfi.sensitivity.scores import DOWN, UP, Response, towards_mean

STORED = {
    "lo": np.float32(0.0),
    "hi": np.float32(6.0),
    "s": np.float32(0.1),
    "z": np.uint8(10),
    "g": np.array([1.0, -1.0], np.float32),
    "b": np.zeros(2, np.float32),
    "m": np.zeros(2, np.float32),
    "v": np.array([1.0, 0.25], np.float32),
}


def model_of(nodes: str) -> Model:
    head = (
        '<ir_version: 10, opset_import: ["" : 21]> g (float[batch, 2] x) => (float[batch, n] out)'
    )
    proto = parser.parse_model(f"{head} {{ y = Identity(x) {nodes} }}")
    for name, values in STORED.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return load(proto)


def seen(kept: float, mean: float) -> ChannelStatistics:
    every = np.ones(2)
    return ChannelStatistics(
        up=every, down=every, up_share=every, down_share=every, spread=2.0, mean=mean * every,
        kept=kept * every,
    )  # fmt: skip


def response(nodes: str, kept: float = 0.5, mean: float = 0.2, *, whole: bool = True) -> Response:
    model = model_of(nodes)
    bound = following(model, "y")
    value = "y" if bound is None else bound.value
    target = Target(
        values=(ValueChannels(value="y", axis=-1),), channels=2, spread=2.0, whole=whole
    )
    return ruled(target, bound, {value: seen(kept, mean)}, 0.05)


@pytest.mark.parametrize(
    ("nodes", "low", "high"),
    [
        ("out = Relu(y)", 0.0, np.inf),
        ("u = Cast<to = 1>(y) out = Relu(u)", 0.0, np.inf),
        ("out = Clip(y, lo, hi)", 0.0, 6.0),
        ("q = QuantizeLinear(y, s, z) out = DequantizeLinear(q, s, z)", -1.0, 24.5),
        ("out = Sigmoid(y)", 0.0, 1.0),
        ("out = Gelu(y)", -0.17, np.inf),
    ],
)
def test_the_first_operator_that_bounds_is_found(nodes: str, low: float, high: float) -> None:
    bound = following(model_of(nodes), "y")
    assert bound is not None
    assert (bound.low, bound.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    "nodes", ["out = Identity(y)", "out = Exp(y)", "t = Relu(y) u = Exp(y) out = Add(t, u)"]
)
def test_what_reaches_an_output_or_the_unknown_is_unbounded(nodes: str) -> None:
    assert following(model_of(nodes), "y") is None


def test_of_several_readers_the_least_bounding_counts() -> None:
    bound = following(model_of("t = Sigmoid(y) u = Relu(y) out = Add(t, u)"), "y")
    assert bound is not None
    assert bound.high == np.inf


def test_a_relu_cuts_falls_and_passes_rises() -> None:
    found = response("out = Relu(y)")
    assert (np.diff(found.lost[:, UP]) > 0).sum() > 5
    # It lets through 0.5, a quarter of the spread: the first dose.
    assert found.lost[0, DOWN] == pytest.approx(np.full(len(found.doses), found.lost[0, DOWN, 0]))


def test_a_clip_stops_at_its_limits() -> None:
    found = response("out = Clip(y, lo, hi)", kept=1.0, mean=1.0)
    # 5 more, or 2.5 spreads, upwards.
    at = found.at(np.zeros(3, np.int64), UP, np.array([2.0, 4.0, 1e5]))
    assert at[0] < at[1]
    assert at[1] == pytest.approx(at[2])


def test_a_negative_factor_of_a_norm_turns_the_sides() -> None:
    found = response("n = BatchNormalization(y, g, b, m, v) out = Relu(n)")
    assert found.lost[0, UP, -1] > found.lost[0, DOWN, -1]
    assert found.lost[1, DOWN, -1] > found.lost[1, UP, -1]


def test_elements_are_not_bounded_by_what_holds_for_channels() -> None:
    found = response("out = Relu(y)", whole=False)
    assert found.lost[0, DOWN] == pytest.approx(found.lost[0, UP])


def test_responses_never_fall_and_are_shares() -> None:
    for nodes in ("out = Relu(y)", "out = LeakyRelu<alpha = 0.1>(y)", "out = Tanh(y)"):
        found = response(nodes)
        assert (np.diff(found.lost, axis=2) >= 0).all()
        assert ((found.lost >= 0) & (found.lost <= 1)).all()


def test_between_doses_a_response_is_read_off_and_below_the_first_it_shrinks() -> None:
    found = response("out = Identity(y)")
    channel = np.zeros(4, np.int64)
    at = found.at(channel, UP, np.array([0.0, 0.125, 0.25, 3.0]))
    assert at[0] == 0
    assert at[1] == pytest.approx(at[2] / 4)
    assert found.lost[0, UP, 3] < at[3] < found.lost[0, UP, 4]


def test_a_channel_that_lost_nothing_is_not_safe_where_others_are_not() -> None:
    found = response("out = Relu(y)")
    lost = np.zeros((2, 2, 3))
    lost[0, UP] = 0.0, 0.5, 1.0
    measured = replace(found, doses=np.array([1.0, 2.0, 4.0]), lost=lost)
    shrunk = towards_mean(measured, 31)
    assert shrunk.lost[1, UP] == pytest.approx([0, 0.25 / 32, 0.5 / 32])
    assert shrunk.lost[0, UP] == pytest.approx([0, 31.25 / 64 * 1.0, 31.5 / 32], rel=0.02)
    assert (shrunk.lost[:, DOWN] == 0).all()
