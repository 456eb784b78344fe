"""inspect and sites: what a model holds."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from click.testing import Result

Run = Callable[..., Result]

WEIGHT_BITS = (4 * 6 + 6 * 3) * 32
BIAS_BITS = 6 * 32
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
ROOT = Path(__file__).parents[2]
ZOO = sorted((ROOT / "models").glob("*.onnx"))


def _document(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_inspect_counts_every_stored_bit(run_cli: Run, model: Path) -> None:
    document = _document(run_cli("inspect", model, "--json"))
    assert document["schema"] == "onnxfi/inspect/1"
    assert document["opset"] == 17
    assert document["inputs"] == [
        {"name": "x", "kind": "tensor", "type": "float32", "shape": ["batch", 4]}
    ]
    assert document["operators"] == {"MatMul": 2, "Add": 1, "Relu": 1}
    bits = WEIGHT_BITS + BIAS_BITS
    assert document["stored_bits"] == {"covered": bits, "in_file": bits, "share": 1.0}
    kinds = {(line["kind"], line["op_type"]): line for line in document["sites"]}  # type: ignore[attr-defined]
    assert kinds["weight", "MatMul"]["bits"] == WEIGHT_BITS
    assert kinds["activation", "Relu"]["bits"] is None
    assert document["profile"] is None


def test_inputs_tell_run_time_shapes(run_cli: Run, model: Path, samples: Path) -> None:
    document = _document(run_cli("inspect", model, "--inputs", samples, "--json"))
    kinds = {(line["kind"], line["op_type"]): line for line in document["sites"]}  # type: ignore[attr-defined]
    assert kinds["activation", "Relu"]["bits"] == 6 * 32
    profile = document["profile"]
    assert isinstance(profile, dict)
    assert profile["samples"] == 12
    assert profile["labels"] is True


def test_inspect_prints_tables(run_cli: Run, model: Path) -> None:
    result = run_cli("inspect", model)
    assert result.exit_code == 0
    assert "1,536 of 1,536 can be faulted (100.0 %)" in result.stdout
    assert "input x" in result.stdout
    assert "float32 [batch, 4]" in result.stdout
    assert "? is known only with --inputs" in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_sites_stream_as_json_lines(run_cli: Run, model: Path, samples: Path) -> None:
    result = run_cli("sites", model, "--json", "--inputs", samples, "--fault-model", "stuck0")
    header, *lines = map(json.loads, result.stdout.splitlines())
    assert header["schema"] == "onnxfi/sites/1"
    assert header["sites"] == len(lines)
    assert header["fault_models"] == ["stuck0"]
    by_name = {line["site"]: line for line in lines}
    assert list(by_name)[:3] == ["hidden.weight", "hidden.bias", "head.weight"]
    assert by_name["head.weight"] | {"faults": 0} == {
        "site": "head.weight",
        "kind": "weight",
        "type": "float32",
        "node": "head",
        "op_type": "MatMul",
        "layer": "head",
        "step": None,
        "steps": None,
        "part": None,
        "gate": None,
        "gates": None,
        "shape": [6, 3],
        "batch_axis": None,
        "elements": 18,
        "bits": 576,
        "faults": 0,
    }
    assert by_name["active"]["shape"] == [1, 6]
    assert by_name["active"]["batch_axis"] == 0
    assert all(line["faults"] == line["bits"] for line in lines)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--targets", "bias"], ["hidden.bias"]),
        (["--targets", "bias,weight", "--exclude", "head*"], ["hidden.weight", "hidden.bias"]),
        (["--include", "head.weight", "--include", "logits"], ["head.weight", "logits"]),
        (["--targets", "activation", "--op-type", "Relu"], ["active"]),
    ],
)
def test_sites_are_chosen(run_cli: Run, model: Path, options: list[str], names: list[str]) -> None:
    result = run_cli("sites", model, "--json", *options)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["site"] for line in lines[1:]] == names


def test_bits_narrow_the_faults_and_not_the_bits(run_cli: Run, model: Path) -> None:
    result = run_cli("sites", model, "--targets", "weight", "--bits", "exponent")
    assert "2 sites, 1,344 bits, 336 single faults" in result.stdout


def test_a_wrong_kind_is_wrong_usage(run_cli: Run, model: Path) -> None:
    result = run_cli("sites", model, "--targets", "wieght")
    assert result.exit_code == 2
    assert "did you mean 'weight'?" in result.stderr


def test_a_wrong_fault_model_is_wrong_usage(run_cli: Run, model: Path) -> None:
    result = run_cli("sites", model, "--fault-model", "flop")
    assert result.exit_code == 2
    assert "did you mean 'flip'?" in result.stderr


def test_a_glob_without_a_match_is_an_error(run_cli: Run, model: Path) -> None:
    result = run_cli("sites", model, "--include", "heat.*")
    assert result.exit_code == 1
    assert "heat.*" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x12"])
def test_what_is_no_model_is_refused(run_cli: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    result = run_cli("inspect", "bad.onnx")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("path", [*ZOO, *LIGHT], ids=lambda path: path.stem)
def test_real_models_are_accounted_for(run_cli: Run, path: Path) -> None:
    document = _document(run_cli("inspect", path, "--json"))
    stored = document["stored_bits"]
    assert isinstance(stored, dict)
    left_out = sum(line["stored_bits"] for line in document["left_out"])  # type: ignore[attr-defined]
    assert stored["covered"] + left_out == stored["in_file"] > 0
    assert document["sites"]
    assert all(line["reason"] and line["names"] for line in document["left_out"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "package",
    ["swift_f0", "basic_pitch", "magika", "silero_vad", "rapidocr_onnxruntime"],
)
def test_models_of_packages_are_accounted_for(run_cli: Run, package: str) -> None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed (requirements-models.txt)")
    paths = sorted(Path(spec.origin).parent.rglob("*.onnx"))
    assert paths
    for path in paths:
        document = _document(run_cli("inspect", path, "--json"))
        stored = document["stored_bits"]
        assert isinstance(stored, dict)
        assert stored["share"] > 0.85


def test_inspect_says_how_many_weights_are_zero(run_cli: Run) -> None:
    """The same network, pruned, with its tensors dense and sparse."""
    dense, sparse = (ROOT / f"models/lenet5_mnist_pruned90{form}.onnx" for form in ("", "_sparse"))
    found = {path: _document(run_cli("inspect", path, "--json")) for path in (dense, sparse)}
    zeros = [document["zero_weights"] for document in found.values()]
    assert zeros[0] == zeros[1]
    assert isinstance(zeros[0], dict)
    assert (zeros[0]["zeros"], zeros[0]["elements"]) == (55_323, 61_470)
    assert zeros[0]["share"] == zeros[0]["zeros"] / zeros[0]["elements"]
    first = zeros[0]["tensors"][0]
    assert first["site"] == "conv1.weight"
    assert 0 < first["zeros"] < first["elements"] == 150
    shown = run_cli("inspect", sparse).stdout
    assert "55,323 of 61,470 weights are exactly zero (90.0 %)" in shown
    assert re.search(r"sparse_index +Gemm +3 ", shown)


def test_inspect_names_what_can_not_be_faulted(run_cli: Run) -> None:
    path = ROOT / "models/resnet8_fashion_fp32.onnx"
    document = _document(run_cli("inspect", path, "--json"))
    (rest,) = (line for line in document["left_out"] if line["stored_bits"])  # type: ignore[attr-defined]
    assert rest["reason"].startswith("settings of operators in attributes")
    assert rest["names"][0] == "/stem/Conv"
    stored = document["stored_bits"]
    assert isinstance(stored, dict)
    assert stored["in_file"] - stored["covered"] == rest["stored_bits"] == 6528
    shown = run_cli("inspect", path).stdout
    assert "2,477,376 of 2,483,904 can be faulted (99.7 %)" in shown
    assert "the rest       6,528 settings of operators" in shown


def test_inspect_shows_the_steps_and_parts_of_spiking_networks(run_cli: Run) -> None:
    path = ROOT / "models/snn_snntorch_mnist.onnx"
    time = _document(run_cli("inspect", path, "--json", "--inputs", "random:2:0"))["time"]
    assert isinstance(time, dict)
    assert time["steps"] == 8
    groups = {(group["layer"], group["part"]): group for group in time["parts"]}
    assert groups["/conv2/Conv", "synapse"]["bits"] == (24 * 12 * 25 + 24) * 32
    assert groups["/conv2/Conv", "synapse"]["steps"] == []
    assert groups["/lif1", "spike"]["sites"] == 3 * 8
    assert groups["/lif1", "spike"]["steps"] == list(range(8))
    assert groups["/lif1", "reset"]["steps"] == list(range(1, 8))
    shown = run_cli("inspect", path).stdout
    assert "Unrolled over 8 time steps" in shown
    assert re.search(r"/lif1 +membrane +0-7 +\d+ +\?", shown)


def test_inspect_shows_the_neurons_of_a_loop(run_cli: Run) -> None:
    path = ROOT / "models/snn_snntorch_mnist_loop.onnx"
    time = _document(run_cli("inspect", path, "--json"))["time"]
    assert isinstance(time, dict)
    assert time["steps"] is None
    assert {group["part"] for group in time["parts"]} >= {"synapse", "membrane", "spike", "reset"}
    assert "Spiking neurons in a loop" in run_cli("inspect", path).stdout


def test_inspect_has_nothing_to_say_of_steps_elsewhere(run_cli: Run, model: Path) -> None:
    assert _document(run_cli("inspect", model, "--json"))["time"] is None
    assert "time steps" not in run_cli("inspect", model).stdout


def test_sites_by_part(run_cli: Run) -> None:
    path = ROOT / "models/snn_spikingjelly_mnist.onnx"
    options = ("--targets", "activation", "--part", "spike,membrane", "--step", "2", "--json")
    header, *lines = map(json.loads, run_cli("sites", path, *options).stdout.splitlines())
    assert header["sites"] == len(lines)
    assert {(line["part"], line["step"]) for line in lines} == {("spike", 2), ("membrane", 2)}
    assert {line["layer"] for line in lines} == {"/lif1", "/lif2"}
    wrong = run_cli("sites", path, "--part", "spikes")
    assert wrong.exit_code == 2
    assert "did you mean 'spike'" in wrong.stderr
