"""Campaigns over sequences, by the command line: the same rows however they are made."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import onnx
import pytest
from onnx import parser

STREAM = """
<ir_version: 10, opset_import: ["" : 17]>
stream (float[batch, 4] x, float[1, batch, 4] h) => (float[batch, 3] y, float[1, batch, 4] hn)
{
  step = Unsqueeze(x, first)
  mixed = MatMul(h, recurrent)
  sum = Add(step, mixed)
  hn = Tanh(sum)
  flat = Squeeze(hn, first)
  y = MatMul(flat, head)
}
"""


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    model = parser.parse_model(STREAM)
    weights = {
        "recurrent": rng.normal(size=(4, 4)).astype(np.float32),
        "head": rng.normal(size=(4, 3)).astype(np.float32),
        "first": np.array([0], np.int64),
    }
    for name, values in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(model, tmp_path / "stream.onnx")
    x = rng.normal(size=(6, 5, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, labels=np.arange(6) % 3)
    return tmp_path


BASE = ("--model", "stream.onnx", "--inputs", "x.npz", "--state", "hn=h", "--seed", "3")


def _rows(folder):
    with sqlite3.connect(folder / "results.sqlite") as store:
        columns = "scenario, masked, tolerable, critical, due_nonfinite, correct"
        return list(store.execute(f"SELECT {columns} FROM results ORDER BY scenario"))


@pytest.mark.parametrize(
    "sites",
    [
        pytest.param(("--targets", "weight"), marks=pytest.mark.heavy),
        ("--targets", "activation,state"),
    ],
)
def test_a_campaign_is_the_same_interrupted_and_by_two_workers(run_cli, files, sites):
    words = ("run", "one", *BASE, *sites, "-n", "20")
    stopped = run_cli(*words, "--max-injections", "7")
    assert stopped.exit_code == 3, stopped.stderr
    resumed = run_cli("run", "one")
    assert resumed.exit_code == 0, resumed.stderr
    assert run_cli(*words).exit_code == 0  # the same line again: nothing to do
    two = run_cli("run", "two", *words[2:], "--workers", "2")
    assert two.exit_code == 0, two.stderr
    assert _rows(files / "one") == _rows(files / "two")
    for verb in ("status", "report"):
        shown = run_cli(verb, "one", "--json")
        assert shown.exit_code == 0, shown.stderr
        assert json.loads(shown.stdout)
    plan = json.loads((files / "one" / "campaign.json").read_text())["plan"]
    assert plan["criterion"] == "steps:top1"
    assert plan["samples"] == 6


def test_another_state_is_another_experiment(run_cli, files):
    assert run_cli("run", "c", *BASE, "-n", "3").exit_code == 0
    other = run_cli("run", "c", "--model", "stream.onnx", "--inputs", "x.npz", "--state", "hn=x")
    assert other.exit_code == 1
    assert "hn=x" in other.stderr


def test_steps_bit_error_rates_and_single_samples(run_cli, files):
    at = run_cli("run", "at", *BASE, "--targets", "state,activation", "--step", "2", "-n", "8")
    assert at.exit_code == 0, at.stderr
    sites = json.loads((files / "at" / "campaign.json").read_text())["plan"]["sites"]
    assert "h@2" in sites
    assert all(name.endswith("@2") for name in sites)
    words = ("--targets", "weight,state", "--ber", "1e-2", "-n", "4", "--ber-per-sample")
    ber = run_cli("run", "ber", *BASE, *words)
    assert ber.exit_code == 0, ber.stderr


def test_sites_tell_state_and_steps(run_cli, files):
    listed = run_cli("sites", "stream.onnx", "--state", "hn=h", "--inputs", "random:2:1:steps=4")
    assert listed.exit_code == 0, listed.stderr
    line = next(line for line in listed.stdout.splitlines() if line.strip().startswith("h "))
    assert "state" in line


def test_settings_from_a_file(run_cli, files):
    (files / "c.toml").write_text(
        'model = "stream.onnx"\ninputs = "random:3:1:steps=4"\nstate = ["hn=h"]\nn = 4\n'
    )
    done = run_cli("run", "c", "--config", "c.toml")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--state", "hn"), "not OUT=IN"),
        (("--state", "hn=h", "--engine", "cut"), "samples are sequences"),
        (("--state", "hn=h", "--step", "9", "--targets", "state"), "step 9"),
    ],
)
def test_what_can_not_be_is_told(run_cli, files, words, message):
    refused = run_cli("run", "c", "--model", "stream.onnx", "--inputs", "x.npz", *words)
    assert refused.exit_code == 1
    assert message in refused.stderr


def test_the_deployed_graph_streams_too(run_cli, files):
    done = run_cli("run", "c", *BASE, "--graph", "deployed", "-n", "5")
    assert done.exit_code == 0, done.stderr


def test_gates_of_a_recurrent_operator(run_cli, tmp_path):
    proto = parser.parse_model(
        """
        <ir_version: 10, opset_import: ["" : 17]>
        m (float[5, batch, 2] x) => (float[5, 1, batch, 3] y) { y = LSTM<hidden_size = 3>(x, w, r) }
        """
    )
    rng = np.random.default_rng(0)
    for name, shape in (("w", (1, 12, 2)), ("r", (1, 12, 3))):
        values = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(proto, tmp_path / "lstm.onnx")
    words = ("--model", "lstm.onnx", "--inputs", "random:8:1", "--criterion", "tolerance:0.1")
    done = run_cli("run", "c", *words, "--gate", "i,f", "-n", "40")
    assert done.exit_code == 0, done.stderr
    assert run_cli("run", "c", *words, "--gate", "i,f", "-n", "40").exit_code == 0
    report = run_cli("report", "c")
    assert "By gate" in report.stdout
    (document,) = json.loads(run_cli("report", "c", "--json").stdout)["campaigns"]
    assert "w[gate=i]" in json.dumps(document["tables"]["site"])
    listed = run_cli("sample", "lstm.onnx", "--gate", "c", "-n", "3", "-o", "faults.jsonl")
    assert listed.exit_code == 0, listed.stderr
    again = run_cli("run", "d", *words, "--faults", "faults.jsonl")
    assert again.exit_code == 0, again.stderr
    baked = run_cli("inject", "lstm.onnx", "faults.jsonl", "--scenario", "1", "-o", "faulty.onnx")
    assert baked.exit_code == 0, baked.stderr
    refused = run_cli("run", "e", *words, "--gate", "z")
    assert refused.exit_code == 1
    assert "no chosen site has gate 'z'; they are i, o, f, c" in refused.stderr


def test_a_sensitivity_of_sequences_is_what_campaigns_draw_by(run_cli, files):
    words = ("--inputs", "x.npz", "--state", "hn=h", "--targets", "weight,activation")
    made = run_cli("sensitivity", "stream.onnx", *words, "--tier", 0, "-o", "s.npz")
    assert made.exit_code == 0, made.stderr
    ran = run_cli("run", "c", "--model", "stream.onnx", *words, "--scores", "s.npz", "-n", 20)
    assert ran.exit_code == 0, ran.stderr
    assert len(_rows(files / "c")) == 20
