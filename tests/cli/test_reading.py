"""What a sample is, on the command line: printed, chosen, kept, and part of the identity."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import parser

from onnxfi import Campaign, ConfigError, UniformSampler, enumerate_sites

# Steps first: what comes out depends on all steps before.
STEPS = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[T, B, 3] x) => (float[B, 3] y)
<float[3, 3] w = {1., 0., 0., 0., 2., 0., 0., 0., 3.}, int64 first = {0}, int64[1] axes = {0}>
{ h = MatMul(x, w) sums = CumSum(h, first) y = ReduceSum<keepdims = 0>(sums, axes) }
"""
LINE = "x [5, 3] → y [3]; batch axis x:1 y:0"


@pytest.fixture
def steps(tmp_path):
    """The model, seven sequences as it takes them, and the answers."""
    onnx.save(parser.parse_model(STEPS), tmp_path / "steps.onnx")
    x = np.random.default_rng(5).normal(size=(5, 7, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    answers = (np.cumsum(x * [1, 2, 3], axis=0).sum(axis=0)).argmax(axis=-1)
    return x, answers


RUN = ("run", "c", "--model", "steps.onnx", "--inputs", "x.npz", "-n", 5)


def test_two_readings_are_refused_and_nothing_is_made(run_cli, steps, tmp_path):
    result = run_cli(*RUN)
    assert result.exit_code == 1
    assert "7 samples (--batch-axis x=1)" in result.stderr
    assert not (tmp_path / "c").exists()


def test_the_reading_is_printed_before_the_first_injection(run_cli, steps):
    result = run_cli(*RUN, "--batch-axis", "x=1")
    assert result.exit_code == 0, result.stderr
    assert f"a sample: {LINE}" in result.stderr
    assert LINE in result.stdout
    assert LINE in run_cli("status", "c").stdout
    assert json.loads(run_cli("status", "c", "--json").stdout)["sample"] == LINE
    assert json.loads(run_cli("report", "c", "--json").stdout)["campaigns"][0]["sample"] == LINE
    shown = run_cli("inspect", "steps.onnx", "--inputs", "x.npz", "--batch-axis", "x=1", "--json")
    assert json.loads(shown.stdout)["profile"]["sample"] == LINE
    # Opened again it is known; another reading is another experiment.
    assert run_cli("run", "c").exit_code == 0
    other = run_cli(*RUN, "--batch-axis", "x=0:1")
    assert other.exit_code == 1
    assert "batch_axes: x=1 -> x=0:1" in other.stderr


def test_a_settings_file_says_it_too(run_cli, steps, tmp_path):
    (tmp_path / "c.toml").write_text('batch-axis = ["x=1"]\n')
    assert LINE in run_cli(*RUN, "--config", "c.toml").stdout


def test_python_says_it_too(steps, tmp_path):
    common = {"model": tmp_path / "steps.onnx", "inputs": tmp_path / "x.npz"}
    common["sampler"] = UniformSampler(n=5, seed=0)
    campaign = Campaign.create(tmp_path / "c", batch_axes={"x": 1}, **common)
    campaign.run()
    assert campaign.summary().sample == LINE
    np.testing.assert_array_equal(campaign.replay(0, outputs=True).golden["y"].shape, (7, 3))
    whole = Campaign.create(tmp_path / "w", whole_inputs=["x"], criterion="tolerance:0.1", **common)
    assert whole.summary().samples == 1
    runs = Campaign.create(
        tmp_path / "r",
        criterion="tolerance:0.1",
        samples_are_runs=True,
        **{**common, "inputs": {"x": steps[0][None]}},
    )
    assert (runs.summary().samples, runs.opened.plan.reading) == (1, {"x": "each"})
    with pytest.raises(ConfigError, match="is not NAME=AXIS"):
        Campaign.create(tmp_path / "b", batch_axes={"x": "first"}, **common)
    (x,) = enumerate_sites(
        tmp_path / "steps.onnx", inputs=tmp_path / "x.npz", batch_axes={"x": 1}, targets=["input"]
    )
    assert x.layout.shape == (5, 1, 3)


def test_the_accuracy_is_told_first_with_a_doubt_at_chance(run_cli, steps, tmp_path):
    x, answers = steps
    np.savez(tmp_path / "x.npz", x=x, labels=answers)
    told = run_cli(*RUN).stderr
    assert "fault-free accuracy 1.0000 (7 of 7 samples)" in told
    assert "warning" not in told
    labels = np.where(np.arange(7) < 5, (answers + 1) % 3, answers)
    np.savez(tmp_path / "x.npz", x=x, labels=labels)
    result = run_cli("run", "d", *RUN[2:])
    assert "warning: the fault-free accuracy 0.2857 (2 of 7 samples) is no better" in result.stderr
    assert "is no better than chance" in result.stdout
