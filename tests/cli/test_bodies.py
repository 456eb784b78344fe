"""Campaigns in a recurrent network whose loop is in the graph, by the command line."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper, parser

RECURRENT = """
<ir_version: 10, opset_import: ["" : 17]>
recurrent (float[N, 6, 4] x) => (float[N, 3] scores)
<float[1] none = {0}>
{
  first = ReduceMin <keepdims = 0, axes = [1]> (x)
  start = Mul (first, none)
  [cell] last = Scan <num_scan_inputs = 1, scan_input_axes = [1],
      body = step (float[M, 4] h, float[M, 4] now) => (float[M, 4] next) {
    mixed = MatMul (h, recurrent)
    sum = Add (mixed, now)
    next = Tanh (sum)
  }> (start, x)
  scores = MatMul (last, head)
}
"""
BASE = ("--model", "cell.onnx", "--inputs", "x.npz", "--seed", "3")


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    model = parser.parse_model(RECURRENT)
    for name, shape in {"recurrent": (4, 4), "head": (4, 3)}.items():
        values = rng.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.save(model, tmp_path / "cell.onnx")
    x = rng.normal(size=(7, 6, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, labels=np.arange(7) % 3)
    return tmp_path


def rows(folder):
    with sqlite3.connect(folder / "results.sqlite") as store:
        columns = "scenario, masked, tolerable, critical, due_nonfinite, correct"
        return list(store.execute(f"SELECT {columns} FROM results ORDER BY scenario"))


def test_the_same_rows_interrupted_and_baked(run_cli, files):
    chosen = ("--targets", "state,activation,weight", "--optimization", "disabled", "-n", "40")
    words = ("run", "one", *BASE, *chosen, "--engine", "ports")
    stopped = run_cli(*words, "--max-injections", "11")
    assert stopped.exit_code == 3, stopped.stderr
    assert run_cli("run", "one").exit_code == 0
    baked = run_cli("run", "baked", *BASE, *chosen, "--engine", "bake")
    assert baked.exit_code == 0, baked.stderr
    assert rows(files / "one") == rows(files / "baked")
    assert {row[1] for row in rows(files / "one")} != {7}


def test_steps_are_chosen_and_replayed(run_cli, files):
    done = run_cli("run", "c", *BASE, "--targets", "state", "--step", "0,4-5", "-n", "30")
    assert done.exit_code == 0, done.stderr
    plan = json.loads((files / "c" / "campaign.json").read_text())["plan"]
    assert plan["sites"] == ["cell/body/h@0", "cell/body/h@4", "cell/body/h@5"]
    assert plan["engine"] in ("ports", "bake")
    again = run_cli("replay", "c", "3", "--json")
    assert again.exit_code == 0, again.stderr
    traced = run_cli("replay", "c", "3", "--trace")
    assert traced.exit_code == 0, traced.stderr
    assert run_cli("status", "c").exit_code == 0


def test_sites_tell_their_steps(run_cli, files):
    listed = run_cli("sites", "cell.onnx", "--inputs", "x.npz", "--step", "5", "--json")
    assert listed.exit_code == 0, listed.stderr
    lines = [json.loads(line) for line in listed.stdout.splitlines()[1:]]
    assert {line["site"] for line in lines} == {
        f"cell/body/{name}@5" for name in ("h", "now", "mixed", "sum", "next")
    }
    assert {(line["step"], line["steps"], tuple(line["shape"])) for line in lines} == {
        (5, 6, (1, 4))
    }
    refused = run_cli("sites", "cell.onnx", "--inputs", "x.npz", "--step", "6")
    assert refused.exit_code == 1
    assert "no chosen site has step 6; sites have steps 0 to 5" in refused.stderr


def test_a_list_by_hand_is_written_into_a_model(run_cli, files):
    header = {"schema": "onnxfi/faults/1"}
    entry = {"site": "cell/body/sum", "index": 2, "set": 100.0, "step": 3}
    lines = [header, {"scenario": 0, "faults": [entry]}]
    (files / "f.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    written = run_cli("inject", "cell.onnx", "f.jsonl", "--inputs", "x.npz", "-o", "bad.onnx")
    assert written.exit_code == 0, written.stderr
    x = np.load(files / "x.npz")["x"]
    model = onnx.load(files / "cell.onnx")
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    h = np.zeros_like(x[:, 0])
    for step in range(6):
        total = h @ weights["recurrent"] + x[:, step]
        if step == 3:
            total[:, 2] = 100
        h = np.tanh(total)
    (scores,) = ort.InferenceSession(files / "bad.onnx").run(None, {"x": x})
    np.testing.assert_allclose(scores, h @ weights["head"], rtol=1e-4, atol=1e-5)
    done = run_cli("run", "listed", *BASE[:4], "--faults", "f.jsonl")
    assert done.exit_code == 0, done.stderr
    assert len(rows(files / "listed")) == 1


def test_the_deployed_graph_has_bodies_too(run_cli, files):
    words = ("--targets", "state,activation", "--graph", "deployed", "--step", "2", "-n", "10")
    done = run_cli("run", "c", *BASE, *words)
    assert done.exit_code == 0, done.stderr


def test_engines_that_take_control_flow_as_a_whole_refuse(run_cli, files):
    for engine in ("cut", "lift"):
        refused = run_cli("run", "c", *BASE, "--targets", "state", "--engine", engine)
        assert refused.exit_code == 1
        assert "cell/body/h" in refused.stderr


def test_fault_graphs_act_in_all_iterations_only(run_cli, files):
    drift = """<ir_version: 10, opset_import: ["" : 18]> g (float[n, k] x) => (float[n, k] y)
        <float scale = {1.5}> { y = Mul (x, scale) }"""
    onnx.save(parser.parse_model(drift), files / "drift.onnx")
    words = (*BASE, "--targets", "activation", "--fault-model", "graph:drift.onnx", "-n", "4")
    made = []
    for engine in ("ports", "bake"):
        chosen = ("--engine", engine, "--optimization", "disabled", "--include", "cell/body/sum")
        done = run_cli("run", engine, *words, *chosen)
        assert done.exit_code == 0, done.stderr
        made.append(rows(files / engine))
    assert made[0] == made[1]
    assert {row[1] for row in made[0]} == {0}
    for engine in ("ports", "bake"):
        refused = run_cli("run", f"{engine}2", *words, "--step", "2", "--engine", engine)
        assert refused.exit_code == 1
        assert "applies to none of the 4 chosen sites" in refused.stderr
        assert "Traceback" not in refused.stderr
