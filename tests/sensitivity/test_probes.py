"""Probes: responses equal direct computation, on small networks and on the zoo's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.engine import EngineContext, EngineSettings, Session, open_workload, profile
from onnxfi.graph import Model, expose, load
from onnxfi.outcome import choose_criterion, lost_shares
from onnxfi.sensitivity import Cost
from onnxfi.sensitivity.probes import probe
from onnxfi.sensitivity.rules import Target, ValueChannels
from onnxfi.sensitivity.scores import DOSES, DOWN, UP, likelihood
from onnxfi.settings import SensitivityOptions
from onnxfi.workload import Workload

MODELS = Path(__file__).parents[2] / "models"
OPTIONS = SensitivityOptions()
GRID = np.array(DOSES)

PERCEPTRON = """
<ir_version: 10, opset_import: ["" : 13]>
g (float[batch, 4] x) => (float[batch, 3] scores)
{
  hidden = Gemm(x, w1, b1)
  kept = Relu(hidden)
  scores = Gemm(kept, w2, b2)
}
"""


def context_of(model: Model, workload: Workload, **settings) -> EngineContext:
    asked = EngineSettings(**settings)
    known = profile(model, workload, asked)
    first = Session(model, asked).run(workload.batch(0, min(workload.samples, known.batch_size)))
    criterion = choose_criterion(first, known.outputs, labels=workload.labels)
    return EngineContext(model=model, workload=workload, profile=known, settings=asked, sites=(),
                         criterion=criterion)  # fmt: skip


def zoo(name: str, samples: int = 8, **settings) -> EngineContext:
    model = load(MODELS / name)
    data = np.load(MODELS / "mnist_test1000.npz")
    given = {key: data[key][-samples:] for key in data.files}
    return context_of(model, open_workload(model, given), **settings)


def made(context: EngineContext, operators: Sequence[str]) -> list[str]:
    """Values that nodes of some operators make."""
    nodes = (node for node in context.model.index.nodes if node.op_type in operators)
    return [node.outputs[0] for node in nodes if node.outputs[0] in context.profile.layouts]


def target(context: EngineContext, *values: str, whole: bool = True) -> Target:
    """A target with the spread that its values have on the samples."""
    session = Session(expose(context.model, values), EngineSettings(optimization="disabled"))
    feeds = [context.workload.batch(k, k + 1) for k in range(context.workload.samples)]
    runs = [session.run(each) for each in feeds]
    arrays = [run[value] for run in runs for value in values]
    axis = 1 if arrays[0].ndim == 4 else -1
    return Target(
        values=tuple(ValueChannels(value=value, axis=axis) for value in values),
        channels=arrays[0].shape[axis],
        spread=float(np.std(np.stack(arrays).astype(np.float64))),
        whole=whole,
    )


@pytest.fixture(scope="module")
def perceptron() -> tuple[EngineContext, dict[str, np.ndarray]]:
    """A small network, and its weights."""
    rng = np.random.default_rng(5)
    proto = parser.parse_model(PERCEPTRON)
    shapes = {"w1": (4, 6), "b1": (6,), "w2": (6, 3), "b2": (3,)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, values in weights.items():
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    model = load(proto)
    images = rng.normal(size=(15, 4)).astype(np.float32)
    context = context_of(model, open_workload(model, {"x": images}))
    return context, weights


def directly(context: EngineContext, weights, channel: int, shift: float) -> float:
    """What a shift of the hidden layer loses, by numpy: one bias is another."""
    x, golden = context.workload.inputs["x"].astype(np.float64), []
    for bias in (0.0, shift):
        hidden = x @ weights["w1"] + weights["b1"]
        hidden[:, channel] += bias
        golden.append(np.maximum(hidden, 0) @ weights["w2"] + weights["b2"])
    pair = [{"scores": each} for each in golden]
    layouts = context.profile.outputs
    return float(lost_shares(*pair, layouts, context.criterion, samples=len(x)).mean())


def test_a_shift_is_another_bias(perceptron):
    context, weights = perceptron
    hidden = target(context, "hidden")
    responses, cost = probe(context, [hidden], OPTIONS)
    response = responses["hidden", True]
    probes = 0
    for channel in range(6):
        for way, sign in ((UP, 1), (DOWN, -1)):
            true = np.array(
                [directly(context, weights, channel, sign * d * hidden.spread) for d in DOSES]
            )
            true = np.maximum.accumulate(true)
            found = response.lost[channel, way]
            likely = [likelihood(each, OPTIONS.drop) for each in (found, true)]
            np.testing.assert_allclose(*likely, atol=0.2 + 1e-3)
            np.testing.assert_allclose(response.lost[channel, way, -1], true[-1], atol=1e-4)
            probes += 1
    np.testing.assert_array_equal(response.broken, 1.0)
    assert cost.samples % 15 == 0
    assert probes * 15 <= cost.samples < probes * len(DOSES) * 15


def test_one_dose_is_measured_not_interpolated(perceptron):
    context, weights = perceptron
    hidden = target(context, "hidden")
    responses, cost = probe(context, [hidden], OPTIONS, doses=[2.0])
    expected = [
        [directly(context, weights, channel, sign * 2 * hidden.spread) for sign in (1, -1)]
        for channel in range(6)
    ]
    np.testing.assert_allclose(responses["hidden", True].lost[..., 0], expected, atol=1e-5)
    assert cost == Cost(samples=15 * (12 + 6), runs=cost.runs)


def test_only_some_channels_and_the_mean_for_others(perceptron):
    context, _ = perceptron
    hidden = target(context, "hidden")
    every, _ = probe(context, [hidden], OPTIONS)
    some, _ = probe(context, [hidden], SensitivityOptions(max_channels=2))
    full, part = every["hidden", True], some["hidden", True]
    same = [k for k in range(6) if np.array_equal(full.lost[k], part.lost[k])]
    assert len(same) >= 2
    rest = [k for k in range(6) if k not in same]
    np.testing.assert_allclose(part.lost[rest[0]], part.lost[same[:2]].mean(axis=0))


def test_the_same_seed_gives_the_same(perceptron):
    context, _ = perceptron
    both = [target(context, "kept", whole=whole) for whole in (True, False)]
    seen = []
    first, _ = probe(context, both, OPTIONS, on_progress=lambda *told: seen.append(told))
    again, _ = probe(context, both, OPTIONS)
    assert first.keys() == {("kept", True), ("kept", False)} == again.keys()
    for key, response in first.items():
        np.testing.assert_array_equal(response.lost, again[key].lost)
    done, expected = zip(*seen, strict=True)
    assert list(done) == sorted(done)
    assert all(a <= b for a, b in seen)
    assert done[-1] == expected[-1]


def test_batches_and_single_samples_agree(perceptron):
    context, _ = perceptron
    alone = replace(context, profile=replace(context.profile, batch_size=1, rows_independent=False))
    hidden = target(context, "hidden")
    together, cost = probe(context, [hidden], OPTIONS)
    single, more = probe(alone, [hidden], OPTIONS)
    np.testing.assert_allclose(
        single["hidden", True].lost, together["hidden", True].lost, atol=1e-6
    )
    assert more.samples == more.runs == cost.samples > cost.runs


def test_what_loses_half_of_the_first_samples_is_not_tried_on_the_others():
    context = zoo("lenet5_mnist_fp32.onnx", samples=24)
    value = made(context, ("Conv",))[0]
    options = SensitivityOptions(max_element_channels=6)
    for whole, least in ((True, 8), (False, 24)):
        hit = target(context, value, whole=whole)
        responses, cost = probe(context, [hit], options, doses=[1e6])
        lost = responses[value, whole].lost[..., 0]
        enough = np.count_nonzero(lost >= 0.5)
        assert enough >= 2
        known = enough * least + (12 - enough) * 24  # two directions of six channels
        assert cost.samples == known + 6 * least  # and no number in each


def test_lenet_minds_shifts_upwards():
    context = zoo("lenet5_mnist_fp32.onnx")
    values = made(context, ("Conv", "Gemm"))
    responses, _ = probe(context, [target(context, each) for each in values], OPTIONS)
    for value in values[:-1]:  # all that a Relu follows
        lost = responses[value, True].lost
        assert lost[:, UP, -1].mean() > 0.6
        assert lost[:, DOWN, -1].mean() < 0.1
        np.testing.assert_array_equal(responses[value, True].broken, 1.0)


def test_the_logits_are_shifted_as_the_host_would():
    context = zoo("lenet5_mnist_fp32.onnx")
    logits = target(context, "logits")
    doses = [1.0, 1e3]
    responses, _ = probe(context, [logits], OPTIONS, doses=doses)
    clean = Session(context.model, context.settings).run(context.workload.batch(0, 8))["logits"]
    found = responses["logits", True].lost
    for channel in range(10):
        for way, sign in ((UP, 1), (DOWN, -1)):
            moved = clean.copy()
            moved[:, channel] += np.float32(sign * 1e3 * logits.spread)
            pair = [{"logits": each} for each in (clean, moved)]
            expected = lost_shares(*pair, context.profile.outputs, context.criterion, samples=8)
            np.testing.assert_allclose(found[channel, way, 1], expected.mean(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("lenet5_mnist_fp16.onnx", ("Conv", "Gemm")),
        ("lenet5_mnist_bf16.onnx", ("Conv", "Gemm")),
        ("lenet5_mnist_int8_qdq.onnx", ("Conv",)),
        ("lenet5_mnist_int8_qoperator.onnx", ("QLinearConv",)),
    ],
)
def test_narrow_types_lose_by_large_shifts_upwards(name, operators):
    context = zoo(name)
    values = made(context, operators)[:3]
    targets = [target(context, each) for each in values]
    responses, _ = probe(context, targets, SensitivityOptions(max_channels=6))
    assert len(responses) == len(values)
    first = responses[values[0], True].lost
    assert first[:, UP, -1].mean() > 0.2 > first[:, DOWN, -1].mean()


def test_where_samples_depend_on_each_other_each_runs_alone():
    context = zoo("lenet5_mnist_int8_dynamic.onnx", samples=2)
    value = made(context, ("ConvInteger",))[0]
    options = SensitivityOptions(max_channels=2)
    responses, cost = probe(context, [target(context, value)], options, doses=[1e3])
    assert cost == Cost(samples=2 * 2 * 2, runs=2 * 2 * 2)
    assert responses[value, True].lost[:, UP].mean() > 0.5


def test_steps_of_a_spiking_network_share_a_probe():
    context = zoo("snn_snntorch_mnist.onnx", samples=4)
    gemms = made(context, ("Gemm",))
    spikes = [each for each in made(context, ("Greater",)) if "lif1" in each]
    targets = [target(context, *gemms), target(context, *spikes, whole=False)]
    responses, cost = probe(context, targets, SensitivityOptions(max_channels=4))
    together = responses[gemms[0], True].lost
    first, _ = probe(context, [target(context, gemms[0])], SensitivityOptions(max_channels=4))
    assert together[:, UP, -1].mean() > 0.5
    assert together[:, UP, -1].mean() >= first[gemms[0], True].lost[:, UP, -1].mean()
    assert responses[spikes[0], False].lost.max() <= 1
    assert cost.samples % 4 == 0


def test_disarmed_decisions_are_those_of_the_model():
    context = zoo("lenet5_mnist_fp32.onnx")
    hidden = replace(target(context, made(context, ("Conv",))[0]), spread=0.0)
    responses, cost = probe(context, [hidden], OPTIONS)
    (response,) = responses.values()
    np.testing.assert_array_equal(response.lost, 0.0)
    assert cost.samples == 8 * response.channels  # not a number, and nothing else


def test_runs_that_fail_have_lost_all():
    proto = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["" : 13]>
        g (float[batch, 3] x) => (float[batch, 3] scores)
        {
          best = ArgMax<axis = 1, keepdims = 1>(x)
          chosen = GatherElements<axis = 1>(x, best)
          scores = Expand(chosen, three)
        }
        """
    )
    proto.graph.initializer.append(numpy_helper.from_array(np.array([1, 3]), "three"))
    model = load(proto)
    images = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    context = context_of(model, open_workload(model, {"x": images}))
    best = Target(values=(ValueChannels(value="best", axis=1),), channels=1, spread=1.0, whole=True)
    responses, cost = probe(context, [best], OPTIONS, doses=[0.4, 100.0])
    lost = responses["best", True].lost
    np.testing.assert_array_equal(lost[0, :, 0], 0.0)  # no integer is so near
    np.testing.assert_array_equal(lost[0, :, 1], 1.0)
    assert cost.samples > 2 * 5  # the samples of runs that fail run again, down to single ones


def test_what_can_not_be_shifted_is_left_out(perceptron):
    context, _ = perceptron
    other = Target(
        values=(ValueChannels(value="hidden", axis=1),), channels=5, spread=1.0, whole=True
    )
    responses, cost = probe(context, [other], OPTIONS)
    assert responses == {}
    assert cost == Cost()
