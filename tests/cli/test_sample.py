"""sample and inject: scenarios on paper, and in a model file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import Result
from onnx import numpy_helper

Run = Callable[..., Result]


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    graph = onnx.load(path).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def test_a_list_is_written_and_described(run_cli: Run, model: Path, tmp_path: Path) -> None:
    result = run_cli("sample", model, "-n", 20, "--seed", 3, "-o", "faults.jsonl", "--json")
    document = json.loads(result.stdout)
    assert document["schema"] == "onnxfi/sample/1"
    assert document["scenarios"] == 20
    assert document["space"]["size"] == 1344
    header, *scenarios = _lines((tmp_path / "faults.jsonl").read_text())
    assert header["schema"] == "onnxfi/faults/1"
    assert header["sampler"] == document["sampler"]
    assert [line["scenario"] for line in scenarios] == list(range(20))


def test_stdout_gets_the_same_list(run_cli: Run, model: Path, tmp_path: Path) -> None:
    words = ("sample", model, "-n", 5, "--bits", "sign", "--targets", "weight,bias", "-o")
    printed = run_cli(*words, "-")
    assert run_cli(*words, "faults.jsonl").stdout == ""
    assert printed.stdout == (tmp_path / "faults.jsonl").read_text()
    masks = {line["faults"][0]["xor"][0] for line in _lines(printed.stdout)[1:]}
    assert masks == {"80000000"}


def test_equal_seeds_draw_equal_scenarios(run_cli: Run, model: Path) -> None:
    draws = [run_cli("sample", model, "-n", 9, "--seed", s, "-o", "-").stdout for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    ("options", "scenarios"),
    [
        (["--sampler", "exhaustive", "--bits", "sign"], 42),
        (["--plan-margin", "0.1"], 90),  # of 1,344, by Leveugle et al. 2009
        ([], 596),  # margin 0.03
        (["--ber", "0.01", "-n", "4"], 4),
        (["--ber", "0.01", "--plan-margin", "0.2"], 25),
    ],
)
def test_the_size_follows_from_the_options(
    run_cli: Run, model: Path, options: list[str], scenarios: int
) -> None:
    result = run_cli("sample", model, *options, "-o", "-")
    assert len(result.stdout.splitlines()) == scenarios + 1


def test_several_faults_stand_in_one_scenario(run_cli: Run, model: Path) -> None:
    result = run_cli("sample", model, "-n", 3, "--faults-per-scenario", 7, "-o", "-")
    for line in _lines(result.stdout)[1:]:
        assert sum(len(entry["index"]) for entry in line["faults"]) == 7


@pytest.mark.parametrize(
    "options",
    [
        ["-n", "5", "--plan-margin", "0.1"],
        ["--sampler", "exhaustive", "-n", "5"],
        ["--sampler", "uniform", "--ber", "0.1"],
        ["--sampler", "ber"],
        ["--ber", "0.1", "--faults-per-scenario", "2"],
        ["--ber-per-sample"],
        ["-n", "0"],
        ["--ber", "2"],
    ],
)
def test_options_that_contradict_are_wrong_usage(
    run_cli: Run, model: Path, tmp_path: Path, options: list[str]
) -> None:
    result = run_cli("sample", model, *options, "-o", "faults.jsonl")
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_json_and_the_list_do_not_share_stdout(run_cli: Run, model: Path) -> None:
    assert run_cli("sample", model, "-n", 2, "-o", "-", "--json").exit_code == 2


def test_activations_need_inputs(run_cli: Run, model: Path, samples: Path) -> None:
    words = ("sample", model, "--targets", "activation", "-n", 4, "-o", "-")
    refused = run_cli(*words)
    assert refused.exit_code == 1
    assert "need --inputs" in refused.stderr
    drawn = _lines(run_cli(*words, "--inputs", samples).stdout)
    assert {line["faults"][0]["site"] for line in drawn[1:]} <= {
        "product",
        "sum",
        "active",
        "logits",
    }


def test_outputs_are_not_overwritten_without_force(
    run_cli: Run, model: Path, tmp_path: Path
) -> None:
    words = ("sample", model, "-n", 2, "-o", "faults.jsonl")
    assert run_cli(*words).exit_code == 0
    before = (tmp_path / "faults.jsonl").read_text()
    refused = run_cli(*words, "--seed", 9)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert (tmp_path / "faults.jsonl").read_text() == before
    assert run_cli(*words, "--seed", 9, "--force").exit_code == 0
    assert (tmp_path / "faults.jsonl").read_text() != before


def test_outputs_need_a_folder_that_exists(run_cli: Run, model: Path) -> None:
    result = run_cli("sample", model, "-n", 2, "-o", "no/where.jsonl")
    assert result.exit_code == 1
    assert "'no' does not exist" in result.stderr


def test_inject_changes_exactly_the_listed_bit(run_cli: Run, model: Path, tmp_path: Path) -> None:
    run_cli("sample", model, "-n", 6, "-o", "faults.jsonl")
    scenario = _lines((tmp_path / "faults.jsonl").read_text())[5]
    entry = scenario["faults"][0]
    result = run_cli(
        "inject", model, "faults.jsonl", "--scenario", 4, "-o", "faulty.onnx", "--json"
    )
    assert json.loads(result.stdout)["sites"] == [entry["site"]]
    clean, faulty = _weights(model), _weights(tmp_path / "faulty.onnx")
    for name, before in clean.items():
        difference = before.view(np.uint32).ravel() ^ faulty[name].view(np.uint32).ravel()
        expected = np.zeros_like(difference)
        if name == entry["site"]:
            expected[entry["index"][0]] = int(entry["xor"][0], 16)
        assert (difference == expected).all()


def test_a_list_by_hand_reaches_an_activation(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "hand.jsonl").write_text(
        '{"schema":"onnxfi/faults/1"}\n'
        '{"scenario":7,"faults":[{"site":"active","index":[2],"set":5.5}]}\n'
    )
    words = ("inject", model, "hand.jsonl", "-o", "faulty.onnx")
    assert run_cli(*words).exit_code == 1  # how large an activation is, is not in the file
    result = run_cli(*words, "--inputs", samples)
    assert result.exit_code == 0, result.stderr
    assert "scenario 7 with 1 fault at active" in result.stderr
    x = np.load(samples)["x"]
    stored = _weights(model)
    active = np.maximum(x @ stored["hidden.weight"] + stored["hidden.bias"], 0)
    active[:, 2] = 5.5
    session = ort.InferenceSession(tmp_path / "faulty.onnx", providers=["CPUExecutionProvider"])
    got = session.run(None, {"x": x})[0]
    np.testing.assert_allclose(got, active @ stored["head.weight"], rtol=1e-5, atol=1e-5)


def test_inject_wants_to_know_which_scenario(run_cli: Run, model: Path, tmp_path: Path) -> None:
    run_cli("sample", model, "-n", 3, "-o", "faults.jsonl")
    words = ("inject", model, "faults.jsonl", "-o", "faulty.onnx")
    for more, message in ([(), "--scenario (0..2)"], [("--scenario", 3), "no scenario 3"]):
        result = run_cli(*words, *more)
        assert result.exit_code == 1
        assert message in result.stderr
    assert not (tmp_path / "faulty.onnx").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ('{"site":"head.weigth","index":[0],"flip":3}', "did you mean 'head.weight'"),
        ('{"site":"head.weight","index":[18],"flip":3}', "element 18 is out of range"),
        ('{"site":"head.weight","index":[0],"flip":32}', "bits 0..31"),
        ('{"site":"head.weight","index":[0],"flap":3}', "flap"),
    ],
)
def test_faults_that_do_not_exist_are_refused_with_their_line(
    run_cli: Run, model: Path, tmp_path: Path, fault: str, message: str
) -> None:
    (tmp_path / "hand.jsonl").write_text(
        f'{{"schema":"onnxfi/faults/1"}}\n{{"scenario":0,"faults":[{fault}]}}\n'
    )
    result = run_cli("inject", model, "hand.jsonl", "-o", "faulty.onnx")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: hand.jsonl:2: ")
    assert message in result.stderr
    assert not (tmp_path / "faulty.onnx").exists()


def test_a_recipe_is_drawn_from(run_cli: Run, model: Path, tmp_path: Path) -> None:
    run_cli("sample", model, "-n", 6, "-o", "faults.jsonl")
    header = (tmp_path / "faults.jsonl").read_text().splitlines()[0]
    (tmp_path / "recipe.jsonl").write_text(header + "\n")
    refused = run_cli("inject", model, "recipe.jsonl", "-o", "a.onnx")
    assert refused.exit_code == 1
    assert "recipe of 6 scenarios" in refused.stderr
    for name, out in (("recipe.jsonl", "a.onnx"), ("faults.jsonl", "b.onnx")):
        result = run_cli("inject", model, name, "--scenario", 5, "-o", out)
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_recipe_of_a_filtered_campaign_is_drawn_from(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    words = ("--targets", "weight,activation", "--include", "h*", "--include", "active", "-n", 6)
    words = (*words, "--seed", 4, "--inputs", samples)
    assert run_cli("run", "c", "--model", model, *words).exit_code == 0
    assert run_cli("sample", model, *words, "-o", "written.jsonl").exit_code == 0
    for number in range(6):
        for name, out in (("c/faults.jsonl", "a.onnx"), ("written.jsonl", "b.onnx")):
            how = ("--scenario", number, "--inputs", samples, "--force", "-o", out)
            result = run_cli("inject", model, name, *how)
            assert result.exit_code == 0, result.stderr
        assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_recipe_of_activations_says_that_it_needs_inputs(
    run_cli: Run, model: Path, samples: Path
) -> None:
    words = ("--targets", "activation", "-n", 3, "--inputs", samples)
    assert run_cli("run", "c", "--model", model, *words).exit_code == 0
    refused = run_cli("inject", model, "c/faults.jsonl", "--scenario", 0, "-o", "a.onnx")
    assert refused.exit_code == 1
    assert "--inputs" in refused.stderr
