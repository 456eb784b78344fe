"""sensitivity: tables, files of scores, and campaigns that draw by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx import parser

Run = Callable[..., Result]
RULES = ("--tier", 0)
SAME = """
<ir_version: 8, opset_import: ["" : 17]>
same (float[n] x) => (float[n] y) { y = Identity(x) }
"""


def _document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_tables_tell_of_sites_bits_and_channels(run_cli: Run, model: Path, samples: Path) -> None:
    result = run_cli("sensitivity", model, "--inputs", samples, *RULES, "--samples", 8)
    assert result.exit_code == 0, result.stderr
    said = result.stdout
    for words in (
        "1,344 single faults (flip) at 2 sites",
        "the first 8 samples of 12",
        "0, rules alone",
        "by the scores, not measured",
        "By site",
        "hidden.weight",
        "By bit",
        "Channels with most expected failures",
    ):
        assert words in said
    assert "nothing is written without -o" in result.stderr


def test_a_file_is_written_and_campaigns_draw_by_it(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    words = ("sensitivity", model, "--inputs", samples, *RULES, "-o", "s.npz")
    made = run_cli(*words)
    assert made.exit_code == 0, made.stderr
    assert "onnxfi run FOLDER --model" in made.stderr
    assert "--scores s.npz" in made.stderr
    refused = run_cli(*words)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    before = (tmp_path / "s.npz").read_bytes()
    assert run_cli(*words, "--force").exit_code == 0
    assert (tmp_path / "s.npz").read_bytes() == before
    study = ("run", "c", "--model", model, "--inputs", samples, "--scores", "s.npz", "-n", 90)
    ran = run_cli(*study)
    assert ran.exit_code == 0, ran.stderr
    told = _document(run_cli("report", "c", "--json"))["campaigns"][0]
    uniform = run_cli("run", "u", "--model", model, "--inputs", samples, "--sampler", "exhaustive")
    assert uniform.exit_code == 0
    truth = _document(run_cli("report", "u", "--json"))["campaigns"][0]["rates"]["failure"]
    rate = told["rates"]["failure"]
    assert rate["low"] <= truth["value"] <= rate["high"]
    top = ("--sampler", "top", "--scores", "s.npz", "-n", 20)
    assert run_cli("run", "t", "--model", model, "--inputs", samples, *top).exit_code == 0
    found = _document(run_cli("report", "t", "--json"))["campaigns"][0]["rates"]["precision"]
    assert found["value"] > 2 * truth["value"]
    # What it was run with is not asked for again.
    (tmp_path / "s.npz").rename(tmp_path / "gone.npz")
    again = run_cli("run", "c")
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr


def test_json_has_it_all(run_cli: Run, model: Path, samples: Path, tmp_path: Path) -> None:
    chosen = ("--targets", "weight,bias", "--bits", "exponent", "--drop", "0.2", "--seed", 5)
    words = ("sensitivity", model, "--inputs", samples, *RULES, *chosen, "-o", "s.npz", "--json")
    document = _document(run_cli(*words))
    assert document["schema"] == "onnxfi/sensitivity/1"
    assert document["options"]["drop"] == 0.2
    assert document["options"]["seed"] == 5
    assert document["space"]["size"] == document["expected"]["faults"] == 48 * 8
    sites = {row["key"]: row for row in document["sites"]}
    assert set(sites) == {"hidden.weight", "hidden.bias", "head.weight"}
    assert all(row["method"] for row in sites.values())
    assert sum(row["share"] for row in sites.values()) == pytest.approx(1)
    assert {int(row["key"]) for row in document["bits"]} == set(range(23, 31))
    total = sum(row["failures"] for row in document["bits"])
    assert total == pytest.approx(document["expected"]["failures"])
    assert document["cost"]["workload_samples"] == 12
    with np.load(tmp_path / "s.npz") as file:
        header = json.loads(file["__onnxfi__"].tobytes())
    assert header["digest"] == document["scores_sha256"]
    assert header["told"]["model_sha256"] == document["model_sha256"]


def test_activations_can_be_measured(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("sensitivity", model, "--inputs", samples, *RULES, "--targets", "activation", "--json")
    document = _document(run_cli(*words))
    assert {row["key"] for row in document["sites"]} == {"product", "sum", "active", "logits"}
    assert 0 < document["expected"]["failure_rate"] < 1


def test_scores_of_other_sites_or_another_model_are_refused(
    run_cli: Run, model: Path, samples: Path
) -> None:
    words = ("sensitivity", model, "--inputs", samples, *RULES, "--include", "head*", "-o", "s.npz")
    assert run_cli(*words).exit_code == 0
    draw = ("--scores", "s.npz", "-n", 9, "-o", "-")
    refused = run_cli("sample", model, *draw)
    assert refused.exit_code == 1
    assert "lack site 'hidden.weight' (1 of 2 chosen sites" in refused.stderr
    assert run_cli("sample", model, "--include", "head*", *draw).exit_code == 0
    other = Path(__file__).resolve().parents[2] / "models/lenet5_mnist_fp32.onnx"
    refused = run_cli("sample", other, *draw)
    assert refused.exit_code == 1
    assert "are of another model" in refused.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "needs --inputs"),
        (["--inputs", "random:4:0", "--tier", "2"], 2, "--tier"),
        (["--inputs", "random:4:0", "-o", "no/where.npz"], 1, "'no' does not exist"),
        (["--inputs", "none.npz"], 1, "none.npz"),
        (["--inputs", "random:4:0", "--include", "nothing"], 1, "nothing"),
        (["--inputs", "random:4:0", "--drop", "2"], 2, "--drop"),
    ],
)
def test_what_can_not_be_measured(
    run_cli: Run, model: Path, options: list[str], code: int, message: str
) -> None:
    result = run_cli("sensitivity", model, *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_sampler_by_scores_says_where_they_come_from(run_cli: Run, model: Path) -> None:
    for kind in ("importance", "top"):
        result = run_cli("sample", model, "--sampler", kind, "-n", 5, "-o", "-")
        assert result.exit_code == 2
        assert "onnxfi sensitivity MODEL --inputs FILE" in result.stderr


def test_steps_are_told_now_and_then(
    run_cli: Run, model: Path, samples: Path, bounds: Callable[..., None]
) -> None:
    bounds(line_every_s=0.0)
    words = ("sensitivity", model, "--inputs", samples, *RULES)
    assert "summary: 1,344 of 1,344" in run_cli(*words).stderr
    assert run_cli(*words, "--quiet").stderr == ""


def test_probes_are_counted_and_told(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("sensitivity", model, "--inputs", samples, "--targets", "weight,bias")
    document = _document(run_cli(*words, "--json"))
    cost = document["cost"]
    assert cost["samples"] > 0
    assert cost["injections"] == -(-cost["samples"] // 12)
    assert {row["method"] for row in document["sites"]} == {"probes"}
    said = run_cli(*words).stdout
    assert f"{cost['samples']:,} sample-inferences beyond fault-free runs" in said
    assert f"as many as {cost['injections']} injections on these inputs" in said


def test_the_deployed_graph_has_scores_of_its_own(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("--inputs", samples, "--graph", "deployed")
    made = run_cli("sensitivity", model, *words, *RULES, "-o", "s.npz")
    assert made.exit_code == 0, made.stderr
    study = ("--model", model, "--inputs", samples, "--scores", "s.npz", "-n", 20)
    ran = run_cli("run", "c", *study, "--graph", "deployed")
    assert ran.exit_code == 0, ran.stderr
    refused = run_cli("run", "d", *study)
    assert refused.exit_code == 1
    assert "are of a deployed graph" in refused.stderr


@pytest.mark.parametrize(
    ("faults", "message"),
    [("set:random", "'set:random' is random"), ("graph:same.onnx", "is a graph")],
)
def test_faults_that_have_no_score_are_refused(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path, faults: str, message: str
) -> None:
    onnx.save(parser.parse_model(SAME), tmp_path / "same.onnx")
    words = ("sensitivity", model, "--inputs", samples, *RULES, "--targets", "activation")
    result = run_cli(*words, "--fault-model", faults)
    assert result.exit_code == 1
    assert message in result.stderr
