"""Entries and gains against the truth: an element is changed, and what follows is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from onnxfi.bits import from_words, to_words
from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    Session,
    complete_types,
    open_workload,
    profile,
)
from onnxfi.faults import FaultSite, enumerate_sites
from onnxfi.graph import Model, expose, initializer_words, load, replace_initializers
from onnxfi.outcome import BoundCriterion, Top1
from onnxfi.sensitivity.rules import calibrate, find_entry, gain_of, plan
from onnxfi.sensitivity.scores import Axis

IMAGE = "float[batch, 4, 6, 6] image"
ROW = "float[batch, 4] image"
TURNED = "v = Transpose<perm = [1, 0]>(w) y = MatMul(image, v)"
CAST = "v = Cast<to = 1>(w) y = MatMul(image, v)"
SCALES = {"s": (0.02 + np.arange(6) / 100).astype(np.float32)}
CODED = {
    "xs": np.float32(0.02),
    "xz": np.uint8(100),
    "ys": np.float32(0.2),
    "yz": np.uint8(128),
}
# Results of integer operators are rounded, so that small shifts can't be seen in them.
ROUNDED = {"quantized operator": 30, "quantized gemm bias": 4000}


def codes(shape: tuple[int, ...]) -> NDArray[np.int8]:
    return np.random.default_rng(1).integers(-90, 90, shape).astype(np.int8)


def real(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


# Input, nodes, stored tensors, the one that is changed.
CASES: dict[str, tuple[str, str, dict[str, NDArray[Any]], str]] = {
    "conv": (IMAGE, "y = Conv(image, w, b)", {"w": real(6, 4, 1, 1), "b": real(6)}, "w"),
    "conv bias": (IMAGE, "y = Conv(image, w, b)", {"w": real(6, 4, 1, 1), "b": real(6)}, "b"),
    "groups": (IMAGE, "y = Conv<group = 2>(image, w)", {"w": real(6, 2, 1, 1)}, "w"),
    "depthwise": (IMAGE, "y = Conv<group = 4>(image, w)", {"w": real(4, 1, 1, 1)}, "w"),
    "transposed conv": (IMAGE, "y = ConvTranspose(image, w)", {"w": real(4, 6, 1, 1)}, "w"),
    "gemm": (ROW, "y = Gemm<alpha = 0.5>(image, w, b)", {"w": real(4, 6), "b": real(6)}, "w"),
    "gemm turned": (ROW, "y = Gemm<transB = 1>(image, w)", {"w": real(6, 4)}, "w"),
    "gemm bias": (ROW, "y = Gemm<beta = 2.0>(image, w, b)", {"w": real(4, 6), "b": real(6)}, "b"),
    "matmul": (ROW, "y = MatMul(image, w)", {"w": real(4, 6)}, "w"),
    "transpose": (ROW, TURNED, {"w": real(6, 4)}, "w"),
    "cast": (ROW, CAST, {"w": real(4, 6).astype(np.float16)}, "w"),
    "quantized": (
        ROW,
        "v = DequantizeLinear<axis = 1>(w, s) y = MatMul(image, v)",
        {"w": codes((4, 6)), **SCALES},
        "w",
    ),
    "quantized operator": (
        ROW,
        "x = QuantizeLinear(image, xs, xz) z = QLinearMatMul(x, xs, xz, w, s, wz, ys, yz) "
        "y = Cast<to = 1>(z)",
        {"w": codes((4, 6)) // 2, **SCALES, **CODED, "wz": np.zeros(6, np.int8)},
        "w",
    ),
    "quantized gemm bias": (
        ROW,
        "x = QuantizeLinear(image, xs, xz) z = com.microsoft.QGemm(x, xs, xz, w, s, wz, b, ys, yz)"
        " y = Cast<to = 1>(z)",
        {
            "w": codes((4, 6)),
            "b": np.arange(6, dtype=np.int32) * 100,
            **SCALES,
            **CODED,
            "wz": np.zeros(6, np.int8),
        },
        "b",
    ),
    "scale of weights": (
        ROW,
        "v = DequantizeLinear<axis = 1>(w, s) y = MatMul(image, v)",
        {"w": codes((4, 6)), **SCALES},
        "s",
    ),
    "norm scale": (
        IMAGE,
        "y = BatchNormalization(image, g, b, m, v)",
        {"g": real(4), "b": np.zeros(4, np.float32), "m": real(4), "v": np.ones(4, np.float32)},
        "g",
    ),
    "norm bias": (
        IMAGE,
        "y = BatchNormalization(image, g, b, m, v)",
        {"g": real(4), "b": real(4), "m": real(4), "v": np.ones(4, np.float32)},
        "b",
    ),
    "layer norm": (ROW, "y = LayerNormalization(image, g)", {"g": real(4)}, "g"),
    "added": (IMAGE, "y = Add(image, c)", {"c": real(4, 1, 1)}, "c"),
    "taken away": (IMAGE, "y = Sub(image, c)", {"c": real(1, 4, 1, 1)}, "c"),
    "factor": (IMAGE, "y = Mul(c, image)", {"c": real(1, 4, 1, 1)}, "c"),
}


def model_of(given: str, nodes: str, stored: dict[str, NDArray[Any]]) -> Model:
    rank = given.count(",")
    shape = ", ".join(["batch"] + ["n"] * rank)
    head = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>'
    ends = f"g ({given}) => (float[{shape}] out)"
    proto = parser.parse_model(f"{head} {ends} {{ {nodes} out = Relu(y) }}")
    for name, values in stored.items():
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return complete_types(load(proto))


def context_of(model: Model, rank: int) -> EngineContext:
    shape = (16, 4) if rank == 1 else (16, 4, 6, 6)
    values = np.random.default_rng(5).normal(0.3, size=shape).astype(np.float32)
    workload = open_workload(model, {"image": values})
    settings = EngineSettings(batch_size=16)
    criterion = BoundCriterion(criterion=Top1(), output="out")
    found = profile(model, workload, settings, [])
    return EngineContext(
        model=model, workload=workload, profile=found, settings=settings, sites=(),
        criterion=criterion,
    )  # fmt: skip


def site_of(model: Model, name: str) -> FaultSite:
    return enumerate_sites(model.index, model.inputs, model.outputs).by_name()[name]


def values_of(context: EngineContext, model: Model, name: str) -> NDArray[np.float64]:
    feeds = context.workload.batch(0, context.workload.samples)
    found = Session(expose(model, [name]), context.settings).run(feeds, [name])
    return np.asarray(found[name], np.float64)


@pytest.mark.parametrize("case", CASES)
def test_a_change_shifts_the_channel_that_the_gain_names_by_as_much(case: str) -> None:
    given, nodes, stored, name = CASES[case]
    model = model_of(given, nodes, stored)
    context = context_of(model, given.count(","))
    site = site_of(model, name)
    entry = find_entry(model, site)
    assert entry is not None
    found = plan(model, [site], stream=False)
    seen = calibrate(context, found.looked_at, (), 1)
    spread = seen.statistics[entry.values[0].value].spread
    gain = gain_of(model, site, entry, seen, spread)
    words = initializer_words(model, name)
    for element in range(0, words.size, 5):
        numbers = from_words(words, site.element, words.shape).copy()
        before = float(numbers[element])
        numbers[element] = before + ROUNDED.get(case, 3)
        moved = replace_initializers(model, {name: to_words(numbers, site.element)})
        amount = float(numbers[element]) - before
        shift = values_of(context, moved, "y") - values_of(context, model, "y")
        by_channel = np.moveaxis(shift, entry.values[0].axis, 0)
        index = np.array([element])
        channel = int(gain.out.of(index)[0])
        others = np.delete(by_channel, channel, axis=0)
        assert np.abs(others).max() < 1e-5
        into = int(gain.into.of(index)[0])
        if gain.group_out:
            into += channel // gain.group_out * gain.into.size
        unit = gain.unit[channel % len(gain.unit)] * amount * spread
        up = np.sqrt(np.mean(np.maximum(by_channel[channel], 0) ** 2))
        down = np.sqrt(np.mean(np.maximum(-by_channel[channel], 0) ** 2))
        # The root mean square is that of the samples that are shifted in this direction.
        rising = gain.up[into] * np.sqrt(gain.up_share[into])
        falling = gain.down[into] * np.sqrt(gain.down_share[into])
        rel, least = (0.1, 0.3) if case in ROUNDED else (5e-3, 1e-6)
        assert unit * rising == pytest.approx(up, rel=rel, abs=least)
        assert unit * falling == pytest.approx(down, rel=rel, abs=least)


@pytest.mark.parametrize(
    ("nodes", "stored", "name"),
    [
        ("y = Add(image, c)", {"c": np.float32(1.5).reshape(())}, "c"),
        ("y = Add(image, c)", {"c": real(4, 6, 6)}, "c"),
        ("y = Sub(c, image)", {"c": real(4, 1, 1)}, "c"),
        ("y = PRelu(image, c)", {"c": real(4, 1, 1)}, "c"),
        ("v = Add(image, c) y = Mul(v, c)", {"c": real(4, 1, 1)}, "c"),
    ],
)
def test_tensors_used_otherwise_have_no_entry(
    nodes: str, stored: dict[str, NDArray[Any]], name: str
) -> None:
    model = model_of(IMAGE, nodes, stored)
    assert find_entry(model, site_of(model, name)) is None


def test_steps_that_share_a_weight_are_one_entry() -> None:
    nodes = "u = MatMul(image, w) y = MatMul(u, w)"
    model = model_of(ROW, nodes, {"w": real(4, 4)})
    entry = find_entry(model, site_of(model, "w"))
    assert entry is not None
    assert [each.value for each in entry.values] == ["u", "y"]
    assert [each.value for each in entry.sources] == ["image", "u"]


def test_axes_count_in_c_order() -> None:
    index = np.arange(24)
    assert Axis.of_shape((2, 3, 4), 1).of(index).tolist() == [i // 4 % 3 for i in range(24)]
    assert Axis.of_shape((2, 3, 4), -1).of(index).tolist() == [i % 4 for i in range(24)]
