"""Faults at single gates: in every engine what they are in the whole tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.engine import Engine, EngineContext, open_engine, open_workload
from onnxfi.faults import BitFlip, FaultSpace, Scenario, whole_scenario
from onnxfi.graph import Model, load

H, IN, STEPS = 4, 3, 5
INPUT = f"(float[{STEPS}, batch, {IN}] x) => (float[{STEPS}, 1, batch, {H}] y)"
OPSETS = 'opset_import: ["" : 17, "com.microsoft" : 1]'


def _model(body: str, **weights: np.ndarray) -> Model:
    proto = parser.parse_model(f"<ir_version: 10, {OPSETS}> m {INPUT} {{ {body} }}")
    for name, values in weights.items():
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return load(proto)


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def _lstm() -> Model:
    return _model(
        f"y = LSTM<hidden_size = {H}>(x, w, r, b)",
        w=_floats(1, 4 * H, IN),
        r=_floats(1, 4 * H, H),
        b=_floats(1, 8 * H),
    )


def _quantized() -> Model:
    rng = np.random.default_rng(1)
    scale, zero = np.full(1, 0.01, np.float32), np.zeros(1, np.int8)
    return _model(
        f"""
        y = com.microsoft.DynamicQuantizeLSTM<hidden_size = {H}>
            (x, w, r, b, , , , , ws, wz, rs, rz)
        """,
        w=rng.integers(-90, 90, (1, IN, 4 * H), np.int8),
        r=rng.integers(-90, 90, (1, H, 4 * H), np.int8),
        b=_floats(1, 8 * H),
        **{"ws": scale, "wz": zero, "rs": scale, "rz": zero},
    )


@pytest.fixture(scope="module", params=["lstm", "quantized"])
def context(request, prepare) -> EngineContext:
    model = _lstm() if request.param == "lstm" else _quantized()
    x = np.random.default_rng(2).normal(size=(6, STEPS, IN)).astype(np.float32)
    return prepare(model, open_workload(model, {"x": x})).context


@pytest.mark.parametrize("name", ["bake", "lift", "ports", "cut"])
def test_faults_of_a_gate_are_those_of_the_tensor(
    context: EngineContext, closing: Callable[[Engine], Engine], name: str
) -> None:
    whole = [site for site in context.sites if site.gates is not None]
    assert {site.name for site in whole} == {"w", "r", "b"}
    parts = [part for site in whole for gate in "if" if (part := site.of_gate(gate))]
    space = FaultSpace(parts, [BitFlip(bits=[0, 6])])
    rng = np.random.default_rng(3)
    by_name = {part.name: part for part in parts}
    gated = closing(open_engine(name, replace(context, sites=tuple(parts))))
    plain = closing(open_engine(name, replace(context, sites=tuple(whole))))
    changed = 0
    for number in range(6):
        drawn = rng.choice(space.size, size=1 + number % 3, replace=False)
        scenario = Scenario(number=number, groups=space.scenario_groups(np.sort(drawn)))
        theirs = plain.results(whole_scenario(scenario, by_name))
        for mine, other in zip(gated.results(scenario), theirs, strict=True):
            assert mine.faulty is not None
            assert other.faulty is not None
            np.testing.assert_array_equal(mine.faulty["y"], other.faulty["y"])
            changed += not np.array_equal(mine.faulty["y"], mine.golden["y"])
        assert gated.run(scenario).counts == plain.run(whole_scenario(scenario, by_name)).counts
    assert changed
    assert gated.name == name
    assert gated.golden_counts.masked == 6
