"""Scores from trials: real faults in real models, against a census where one is small enough."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper, parser

from onnxfi.engine import EngineContext, EngineSettings, open_engine, open_workload, profile
from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, Scenario, enumerate_sites, tie
from onnxfi.graph import Model, load
from onnxfi.outcome import BoundCriterion, Top1
from onnxfi.sensitivity import Cost, SensitivityScores
from onnxfi.sensitivity.scores import DOSES, DOWN, UP, BitScores, StoredScores
from onnxfi.sensitivity.trials import (
    TrialOptions,
    Trials,
    candidates,
    flips,
    in_turn,
    ladder,
    sort_of,
    stored_words,
    try_sites,
)
from onnxfi.workload import Workload

IMAGES = "models/mnist_test1000.npz"

LSTM = """
<ir_version: 10, opset_import: ["" : 17]> m (float[7, batch, 4] x) => (float[batch, 5] y)
<int64[1] axis = {0}>
{
  all, last = LSTM<hidden_size = 6>(x, w, r, b)
  hidden = Squeeze(last, axis)
  y = MatMul(hidden, v)
}
"""
TABLE = """
<ir_version: 10, opset_import: ["" : 17]> m (int64[batch, 6] x) => (float[batch, 5] y)
<int64[1] axis = {1}>
{
  rows = Gather(table, x)
  mean = ReduceMean<axes = [1], keepdims = 0>(rows)
  y = MatMul(mean, v)
}
"""


def _model(text: str, **shapes: tuple[int, ...]) -> Model:
    rng = np.random.default_rng(1)
    proto = parser.parse_model(text)
    for name, shape in shapes.items():
        values = rng.normal(scale=0.6, size=shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return load(proto)


def _context(model: Model, inputs: Any, samples: int = 24, **settings: Any) -> EngineContext:
    workload: Workload = open_workload(model, inputs).take(samples)
    how = EngineSettings(**settings)
    found = profile(model, workload, how)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=how,
        sites=tuple(site for site in table.sites if site.layout is not None),
        criterion=BoundCriterion(criterion=Top1(), output=model.outputs[0].name),
    )


def _named(context: EngineContext, *names: str) -> list[FaultSite]:
    by_name = {site.name: site for site in context.sites}
    return [by_name[name] for name in names]


def _signals(seed: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).normal(size=(24, 7, 4)).astype(np.float32)}


def _words(seed: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).integers(0, 12, size=(24, 6))}


@pytest.mark.parametrize(
    ("text", "shapes", "inputs", "sites"),
    [
        (LSTM, {"w": (1, 24, 4), "r": (1, 24, 6), "b": (1, 48), "v": (6, 5)}, _signals,
         ["w", "r", "b"]),
        (TABLE, {"table": (12, 6), "v": (6, 5)}, _words, ["table"]),
    ],
    ids=["lstm", "gather"],
)  # fmt: skip
def test_the_highest_scores_are_of_faults_that_fail(text, shapes, inputs, sites) -> None:
    """Measured on some samples, compared with a census on others."""
    model = _model(text, **shapes)
    known = _context(model, inputs(1))
    found, cost = try_sites(known, _named(known, *sites))
    parts = sum(len(site.gates.blocks) if site.gates else 2 for site in _named(known, *sites))
    assert cost.injections(24) <= 15 * parts
    other = _context(model, inputs(2))
    # Sign, exponent and the first bit behind: what can fail at all, and 3/4 of the bits can't.
    space = FaultSpace(_named(other, *sites), [BitFlip(bits="22-31")])
    groups = space.single_groups(np.arange(space.size))
    scenarios = [Scenario(number=number, groups=each) for number, each in enumerate(groups)]
    with closing(open_engine("lift", replace(other, sites=space.sites))) as engine:
        fails = np.array([each.counts.failed_share >= 0.05 for each in engine.run_many(scenarios)])
    scores = SensitivityScores(sites=found, drop=0.05, digest="0")
    likely = np.concatenate(
        [
            scores.of(part.site, part.columns, part.stop - part.start)
            for part in space.stretches(0, space.size)
        ]
    )
    best = np.argsort(-likely, kind="stable")[:50]
    chance = fails.mean()
    assert chance < 0.45
    assert fails[best].mean() >= min(0.9, 3 * chance)
    assert likely[fails].mean() > 1.5 * likely[~fails].mean()


def test_losses_are_those_of_injections_and_every_sample_is_paid() -> None:
    context = _context(load("models/lenet5_mnist_fp32.onnx"), IMAGES, batch_size=10)
    (site,) = _named(context, "fc3.bias")
    numbers = np.array([32 * element + bit for element in (1, 7) for bit in (31, 30, 29, 3)])
    faults = flips(site, numbers)
    with closing(Trials(context, [site], 8)) as trials:
        found = trials.lost(site, faults)
        assert trials.cost == Cost(samples=8 * 24, runs=8 * 3)
    space = FaultSpace([site], [BitFlip()])
    groups = space.single_groups(numbers)
    with closing(open_engine("bake", replace(context, sites=(site,)))) as engine:
        shares = [
            engine.run(Scenario(number=row, groups=each)).counts.failed_share
            for row, each in enumerate(groups)
        ]
    assert max(shares) > 0.5
    failed = np.array(shares)
    np.testing.assert_array_equal(found[failed == 1], 1)
    assert (found >= failed).all()  # samples that kept their answer may have lost some margin
    assert (found <= failed + 0.5).all()


def test_biases_of_a_convolution_behind_which_a_relu_follows() -> None:
    context = _context(load("models/lenet5_mnist_fp32.onnx"), IMAGES)
    biases = _named(context, "conv1.bias", "fc1.bias")
    found, cost = try_sites(context, biases)
    again, _ = try_sites(context, biases)
    for site in biases:
        scores = found[site.name]
        assert isinstance(scores, StoredScores)
        # Raised to 10^37 a channel drowns the others, lowered it is just gone.
        assert scores.response.lost[0, UP, -1] > 0.3
        assert scores.response.lost[0, DOWN, -1] < 0.1
        faults = flips(site, np.arange(32 * 6))
        np.testing.assert_array_equal(again[site.name].lost(faults), scores.lost(faults))
        values = stored_words(context.model, site).view(np.float32)
        raised = 32 * np.flatnonzero(values > 0)
        assert scores.lost(flips(site, raised + 30)).min() > scores.lost(faults).mean()
        assert scores.lost(flips(site, raised + 10)).max() < 0.01
    assert 0 < cost.injections(24) <= 2 * 27


def test_bits_of_tensors_inside_a_loop() -> None:
    context = _context(load("models/snn_snntorch_mnist_loop.onnx"), IMAGES, samples=12)
    names = ["time/body/lif2/spike", "time/body/lif2/fires", "time/body/readout/current"]
    told: list[tuple[int, int]] = []
    found, cost = try_sites(
        context, _named(context, *names), on_progress=lambda *each: told.append(each)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    spike, fires, current = (found[name] for name in names)
    assert isinstance(spike, BitScores)
    assert isinstance(current, BitScores)
    assert isinstance(fires, BitScores)
    assert spike.by_bit[30] > 0.2  # a spike of 2, or one without end, each time
    assert current.by_bit[30] > 0.5
    assert not current.by_bit[:8].any()
    assert fires.by_bit.shape == (1,)
    assert cost.runs * 12 >= cost.samples > 12 * 23
    quiet, cost = try_sites(context, _named(context, "time/body/conv1/current"))
    assert cost.injections(12) == 3 * 2  # sign and the highest bits of the exponent, two elements
    assert (
        quiet["time/body/conv1/current"].lost(flips(context.sites[0], np.arange(32))).max() < 1e-3
    )


def test_sparse_tensors_and_attributes_are_baked() -> None:
    context = _context(load("models/lenet5_mnist_pruned90_sparse.onnx"), IMAGES, samples=4)
    sparse = [site for site in context.sites if site.name.startswith("fc3.weight")]
    assert len(sparse) == 2
    few = TrialOptions(stored=6, elements=2)
    found, cost = try_sites(context, sparse, few)
    places = found["fc3.weight/indices"]
    assert isinstance(places, StoredScores)
    assert places.response.lost.max() > 0.5  # an index far outside: the model does not load
    assert cost.samples <= 4 * 2 * 12


def test_steps_tied_together_and_single_steps_are_tried() -> None:
    context = _context(load("models/snn_snntorch_mnist.onnx"), IMAGES, samples=6)
    spikes = [site for site in context.sites if site.series == "/lif1/Cast_1_output_0"]
    (tied,) = tie(spikes[:3])
    assert tied.members
    few = TrialOptions(bit_elements=1)
    found, _ = try_sites(context, [tied, spikes[0]], few)
    assert set(found) == {tied.name, spikes[0].name}


def test_gates_of_a_packed_tensor_have_their_own_words() -> None:
    model = _model(LSTM, w=(1, 24, 4), r=(1, 24, 6), b=(1, 48), v=(6, 5))
    context = _context(model, _signals(1), samples=6)
    (whole,) = _named(context, "r")
    gate = whole.of_gate("f")
    assert gate is not None
    words = stored_words(model, whole).reshape(4, 6, 6)
    np.testing.assert_array_equal(stored_words(model, gate).reshape(6, 6), words[2])
    context = replace(context, sites=(gate,))
    found, _ = try_sites(context, [gate], TrialOptions(stored=6))
    assert found[gate.name].lost(flips(gate, np.array([30]))).shape == (1,)


def test_gates_are_tried_one_by_one() -> None:
    model = _model(LSTM, w=(1, 24, 4), r=(1, 24, 6), b=(1, 48), v=(6, 5))
    context = _context(model, _signals(1))
    bias, rest = _named(context, "b", "r")
    found, cost = try_sites(context, [bias, rest], TrialOptions(stored=16))
    scores = found["b"]
    assert isinstance(scores, StoredScores)
    assert scores.response.channels == 8  # i, o, f, c of the inputs, then of the state
    assert found["r"].response.channels == 4  # type: ignore[union-attr]
    gates = scores.shifts(flips(bias, 32 * np.arange(48))).channel
    np.testing.assert_array_equal(gates, np.repeat(np.arange(8), 6))
    assert len(np.unique(scores.response.lost, axis=0)) > 2
    assert cost.injections(24) <= 12 * (8 + 3)


def test_a_site_that_no_engine_reaches_is_refused() -> None:
    context = _context(load("models/lenet5_mnist_fp32.onnx"), IMAGES, samples=2)
    (site,) = _named(context, "logits")
    context = replace(context, settings=replace(context.settings, engine="lift"))
    with pytest.raises(ConfigError, match="only stored tensors"):
        try_sites(context, [site])


def test_sites_of_one_sort_follow_each_other() -> None:
    context = _context(load("models/snn_snntorch_mnist_loop.onnx"), IMAGES, samples=2)
    ordered = in_turn(context.sites[::-1])
    assert sorted(site.name for site in ordered) == sorted(site.name for site in context.sites)
    sorts = [sort_of(site) for site in ordered]
    changes = sum(before != after for before, after in itertools.pairwise(sorts))
    assert changes == len(set(sorts)) - 1 > 0


def test_trial_faults_lie_near_their_doses_at_different_elements() -> None:
    context = _context(load("models/lenet5_mnist_int8_qdq.onnx"), IMAGES, samples=2)
    site = next(s for s in context.sites if s.element.value == "int8" and s.layout.elements > 999)
    pool = candidates(site, 3)
    assert len(np.unique(pool.numbers)) == len(pool.numbers)
    doses = np.random.default_rng(0).normal(scale=8, size=len(pool.numbers))
    found = ladder(pool, doses, 3)
    for (way, place), chosen in found.items():
        assert 1 <= len(np.unique(pool.element[chosen])) == len(chosen) <= 3
        assert ((doses[chosen] > 0) == (way == UP)).all()
        np.testing.assert_allclose(np.abs(np.log2(np.abs(doses[chosen]) / DOSES[place])), 0, atol=2)
    assert (UP, len(DOSES) - 1) not in found
    np.testing.assert_array_equal(candidates(site, 3).numbers, pool.numbers)
    assert not np.array_equal(candidates(site, 4).numbers, pool.numbers)
