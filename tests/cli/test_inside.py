"""Seeing inside from the command line: monitors, replays; and graphs as faults."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from onnx import parser, save_model

from onnxfi.cli import ExitCode

Run = Callable[..., Result]


@pytest.fixture
def new(model: Path, samples: Path) -> tuple[object, ...]:
    """The words of a new campaign: 20 flips of exponent bits in stored tensors."""
    return ("run", "runs/a", "--model", model, "--inputs", samples, "-n", 20, "--bits", "exponent")


def test_monitors_from_the_first_line_to_the_export(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--monitor", "*", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["report"]["monitors"]
    names = [row["value"] for row in rows]
    assert len(names) >= 2
    assert all(row["injections"] == 20 for row in rows)
    assert any(row["changed"] for row in rows)
    assert rows[-1]["golden"]["elements"] > 0
    assert "Monitored values" in run_cli("report", "runs/a").stdout
    text = run_cli("export", "runs/a").stdout
    for row in csv.DictReader(io.StringIO(text)):
        assert sorted(json.loads(row["metrics"])["monitors"]) == sorted(names)
    again = run_cli(*new, "--monitor", "*")
    assert "nothing to do" in again.stderr
    other = run_cli(*new, "--monitor", names[0])
    assert other.exit_code == 1
    assert "monitors" in other.stderr


def test_a_monitor_that_names_nothing(run_cli: Run, new: tuple[object, ...]) -> None:
    result = run_cli(*new, "--monitor", "no_such_value")
    assert result.exit_code == 1
    assert "no computed value matches the monitor 'no_such_value'" in result.stderr
    assert not Path("runs/a").exists()


def test_replay_with_its_trace_and_outputs(run_cli: Run, new: tuple[object, ...]) -> None:
    assert run_cli(*new).exit_code == 0
    row = json.loads(run_cli("export", "runs/a", "--format", "jsonl").stdout.splitlines()[3])
    result = run_cli("replay", "runs/a", 3, "--trace", "--json", "-o", "out.npz")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["schema"] == "onnxfi/replay/1"
    assert found["same"] is True
    assert found["outcomes"]["masked"] == row["masked"] == found["samples"].count("masked")
    assert found["scenario"]["scenario"] == 3
    (entry,) = found["scenario"]["faults"]
    values = found["trace"]["values"]
    reached = [value["name"] for value in values if value["changed"]]
    assert found["trace"]["first"] == (reached[0] if reached else None)
    with np.load("out.npz") as saved:
        assert list(saved["outcome"]) == found["samples"]
        outputs = [key for key in saved if key.startswith("golden/")]
        assert outputs
        assert all(saved[key].shape == saved[f"faulty/{key[7:]}"].shape for key in outputs)
    page = run_cli("replay", "runs/a", 3, "--trace").stdout
    assert f"{entry['site']}[{entry['index'][0]}] xor" in page
    assert "came out again" in page
    assert "Trace:" in page
    refused = run_cli("replay", "runs/a", 3, "-o", "out.npz")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr


def test_a_row_that_differs_exits_with_5(run_cli: Run, new: tuple[object, ...]) -> None:
    assert run_cli(*new).exit_code == 0
    with sqlite3.connect("runs/a/results.sqlite") as connection:
        connection.execute("UPDATE results SET tolerable = tolerable + 1 WHERE scenario = 2")
    connection.close()
    result = run_cli("replay", "runs/a", 2)
    assert result.exit_code == ExitCode.DIFFERENT == 5
    assert "DIFFERS: tolerable is" in result.stdout
    assert run_cli("replay", "runs/a", 20).exit_code == 1
    assert run_cli("replay", "runs/none", 2).exit_code == 1


TRIPLE = """<ir_version: 10, opset_import: ["" : 18]>
g (float[n, k] x, float gain) => (float[n, k] y) <float gain = {3.0}> { y = Mul(x, gain) }"""


def test_a_graph_as_fault_model(run_cli: Run, new: tuple[object, ...]) -> None:
    save_model(parser.parse_model(TRIPLE), "triple.onnx")
    words = (*new[:6], "-n", 8, "--targets", "activation", "--fault-model")
    first = run_cli(*words, "graph:triple.onnx:gain=50")
    assert first.exit_code == 0, first.stderr
    Path("triple.onnx").rename("moved.onnx")
    again = run_cli(*words, "graph:moved.onnx:gain=50")
    assert "nothing to do" in again.stderr
    assert run_cli("replay", "runs/a", 0).exit_code == 0
    other = run_cli(*words, "graph:moved.onnx")
    assert other.exit_code == 1
    assert "fault_models" in other.stderr
    for text, message in (
        ("graph:none.onnx", "none.onnx"),
        ("graph:moved.onnx:gain=x", "expected a number"),
        ("graph", "names no file"),
    ):
        result = run_cli(*words, text)
        assert result.exit_code == 2
        assert message in result.stderr
    result = run_cli(*words, "graph:moved.onnx", "--engine", "cut")
    assert result.exit_code == 1
    assert "--bits" not in result.stderr
