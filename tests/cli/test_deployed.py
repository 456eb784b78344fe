"""``--graph deployed``: from the list of sites to a campaign, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import Result

pytestmark = pytest.mark.cpu

Run = Callable[..., Result]
MODELS = Path(__file__).resolve().parents[2] / "models"
LENET = MODELS / "lenet5_mnist_fp32.onnx"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Thirty labelled images."""
    with np.load(MODELS / "mnist_test1000.npz") as data:
        np.savez(tmp_path / "images.npz", image=data["image"][:30], labels=data["labels"][:30])
    return tmp_path / "images.npz"


def _lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_sites_are_those_of_the_chosen_graph(run_cli: Run) -> None:
    header, *stored = _lines(run_cli("sites", LENET, "--json"))
    assert header["graph"] == "stored"
    header, *found = _lines(run_cli("sites", LENET, "--graph", "deployed", "--json"))
    assert header["graph"] == "deployed"
    names = {line["site"] for line in found}
    assert {"conv1.weight", "/relu1/Relu_output_0"} < names
    # Convolution and Relu are one node, so what lies between them does not exist.
    assert "/conv1/Conv_output_0" in {line["site"] for line in stored} - names


def test_other_levels_have_other_tensors(run_cli: Run) -> None:
    level = ("--optimization", "disabled")
    _, *found = _lines(run_cli("sites", LENET, "--graph", "deployed", *level, "--json"))
    assert "/conv1/Conv_output_0" in {line["site"] for line in found}


def test_inspect_counts_the_deployed_operators(run_cli: Run) -> None:
    result = run_cli("inspect", LENET, "--graph", "deployed", "--json")
    document = json.loads(result.stdout)
    assert document["graph"] == "deployed"
    assert "com.microsoft::FusedGemm" in document["operators"]
    reasons = {line["reason"] for line in document["left_out"] if line["stored_bits"]}
    assert reasons == {"settings of operators in attributes: kernel sizes, axes, epsilons"}
    assert document["stored_bits"]["share"] > 0.99


def test_sparse_tensors_are_dense_where_they_are_deployed(run_cli: Run) -> None:
    """onnxruntime makes the same graph of a pruned model, whichever way it is stored."""
    models = [LENET.parent / f"lenet5_mnist_pruned90{form}.onnx" for form in ("", "_sparse")]
    found = [_lines(run_cli("sites", path, "--graph", "deployed", "--json")) for path in models]
    assert found[0][1:] == found[1][1:]
    assert {"conv2.weight", "fc1.weight"} <= {line["site"] for line in found[1][1:]}


def test_a_drawn_list_is_run_and_injected(run_cli: Run, images: Path, tmp_path: Path) -> None:
    choice = ("--graph", "deployed", "--targets", "weight", "-n", 6, "--seed", 2)
    # One engine: another one may have matrix products with packed weights, and other last bits.
    assert run_cli("sample", LENET, *choice, "-o", "list.jsonl").exit_code == 0
    study = ("--model", LENET, "--inputs", images, "--engine", "cut")
    drawn = run_cli("run", "drawn", *study, *choice)
    listed = run_cli("run", "listed", *study, "--faults", "list.jsonl", "--graph", "deployed")
    assert (drawn.exit_code, listed.exit_code) == (0, 0), drawn.stderr + listed.stderr
    assert "of the deployed graph" in drawn.stdout
    rows = [_rows(run_cli("export", name, "--format", "jsonl")) for name in ("drawn", "listed")]
    assert rows[0] == rows[1]
    again = run_cli("run", "drawn", *study, *choice)
    assert "nothing to do" in again.stderr

    written = run_cli(
        "inject", LENET, "list.jsonl", "--scenario", 0, "--graph", "deployed", "-o", "bad.onnx"
    )
    assert written.exit_code == 0, written.stderr
    assert "FusedGemm" in {node.op_type for node in onnx.load(tmp_path / "bad.onnx").graph.node}
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(tmp_path / "bad.onnx"), options)
    with np.load(images) as data:
        answers = session.run(None, {"image": data["image"]})[0].argmax(axis=1)
        right = int((answers == data["labels"]).sum())
    assert right == rows[0][0]["correct"]


def _rows(result: Result) -> list[dict[str, object]]:
    passing = ("run_s", "worker", "finished_at")
    return [{k: v for k, v in row.items() if k not in passing} for row in _lines(result)]


def test_a_campaign_in_activations_stops_and_resumes(run_cli: Run, images: Path) -> None:
    choice = ("--graph", "deployed", "--targets", "activation", "-n", 8)
    study = ("--model", LENET, "--inputs", images)
    assert run_cli("run", "c", *study, *choice, "--max-injections", 3).exit_code == 3
    done = run_cli("run", "c")
    assert done.exit_code == 0, done.stderr
    refused = run_cli("run", "c", "--graph", "stored")
    assert refused.exit_code == 1
    assert "graph: deployed -> stored" in refused.stderr


def test_a_list_of_the_other_graph_is_refused(run_cli: Run) -> None:
    assert run_cli("sample", LENET, "--graph", "deployed", "-n", 2, "-o", "d.jsonl").exit_code == 0
    result = run_cli("inject", LENET, "d.jsonl", "--scenario", 0, "-o", "bad.onnx")
    assert result.exit_code == 1
    assert "sites of the deployed graph" in result.stderr
    assert "--graph deployed" in result.stderr


def test_other_providers_have_no_deployed_graph(run_cli: Run, images: Path) -> None:
    study = ("--model", LENET, "--inputs", images, "-n", 2)
    result = run_cli("run", "c", *study, "--graph", "deployed", "--provider", "cuda")
    assert result.exit_code == 1
    assert "--graph stored" in result.stderr
