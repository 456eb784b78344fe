"""Campaigns and faulty files with bits that are no plain tensors, by the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from click.testing import Result

Run = Callable[..., Result]
MODELS = Path(__file__).parents[2] / "models"
SPARSE = MODELS / "lenet5_mnist_pruned90_sparse.onnx"
REGRESSOR = """
<ir_version: 10, opset_import: ["" : 17, "ai.onnx.ml" : 3]> g (float[N, 2] x) => (float[N, 1] y)
{ [lin] y = ai.onnx.ml.LinearRegressor<coefficients = [1.0, 2.0], intercepts = [0.5]>(x) }
"""


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.npz"
    with np.load(MODELS / "mnist_test1000.npz") as data:
        np.savez(path, image=data["image"][:20], labels=data["labels"][:20])
    return path


def _rows(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_campaign_in_indices_and_values(run_cli: Run, digits: Path) -> None:
    study = ("--model", SPARSE, "--inputs", digits, "--targets", "sparse_index,weight")
    done = run_cli("run", "campaign", *study, "-n", 40, "--seed", 1)
    assert done.exit_code == 0, done.stderr
    rows = _rows(run_cli("export", "campaign", "--format", "jsonl"))
    assert len(rows) == 40
    lost = [row for row in rows if row["due_exception"] == 20]
    assert lost, "most bits of an index lead out of its tensor"
    assert all(row["due_exception"] in (0, 20) for row in rows)
    report = run_cli("report", "campaign")
    assert "sparse_index" in report.stdout
    why = run_cli("replay", "campaign", lost[0]["scenario"])
    assert why.exit_code == 0, why.stderr
    assert "20 samples: the faulty model is refused: onnxruntime" in why.stdout
    (reason,) = json.loads(run_cli("replay", "campaign", lost[0]["scenario"], "--json").stdout)[
        "reasons"
    ]
    assert reason.startswith("the faulty model is refused")
    assert "indices" in reason.lower() or "index" in reason.lower()


def test_a_fault_in_an_attribute_as_a_file(run_cli: Run, tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(REGRESSOR), tmp_path / "m.onnx")
    drawn = run_cli("sample", "m.onnx", "--bits", "sign", "-n", 2, "-o", "list.jsonl")
    assert drawn.exit_code == 0, drawn.stderr
    answers = []
    for scenario in (0, 1):
        made = run_cli(
            "inject", "m.onnx", "list.jsonl", "--scenario", scenario, "-o", f"{scenario}.onnx"
        )
        assert made.exit_code == 0, made.stderr
        session = onnxruntime.InferenceSession(tmp_path / f"{scenario}.onnx")
        (found,) = session.run(None, {"x": np.array([[1, 10]], np.float32)})
        answers.append(float(found[0, 0]))
    assert sorted(answers) == [-18.5, 19.5]
