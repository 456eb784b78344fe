"""Bad input: one clear line, exit code 1, and nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx import TensorProto, helper

Run = Callable[..., Result]


def _refused(run: Callable[[], Result], folder: Path, *said: str) -> None:
    """Check that a command is refused in one line, and leaves its folder as it was."""
    before = sorted(folder.rglob("*"))
    result = run()
    assert result.exit_code == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if not line.startswith("preparing ")]
    assert len(errors) == 1, result.stderr
    assert errors[0].startswith("error: ")
    assert "internal error" not in errors[0]
    for part in said:
        assert part in errors[0]
    after = [path for path in sorted(folder.rglob("*")) if path.name != "runs"]
    assert after == before


def _arrays(samples: Path) -> dict[str, Any]:
    with np.load(samples) as data:
        return dict(data)


def _run_words(model: object, inputs: object, *more: object) -> tuple[object, ...]:
    return ("run", "runs/a", "--model", model, "--inputs", inputs, "-n", 5, *more)


def test_truncated_model(run_cli: Run, model: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(model.read_bytes()[:-40])
    _refused(lambda: run_cli(*_run_words("cut.onnx", samples)), tmp_path, "cut.onnx")


def test_external_data_outside_the_folder(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    proto = onnx.load(model)
    tensor = proto.graph.initializer[0]
    (tmp_path / "secret.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "leak.onnx").write_bytes(proto.SerializeToString())
    _refused(lambda: run_cli(*_run_words("inner/leak.onnx", samples)), tmp_path, "secret.bin")


def test_functions_nested_to_eight_million_nodes(
    run_cli: Run, samples: Path, tmp_path: Path
) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("bomb", 1)]
    functions = []
    for level in range(23):
        op, domain = ("Identity", "") if level == 0 else (f"f{level - 1}", "bomb")
        nodes = [
            helper.make_node(op, ["a"], ["b"], domain=domain),
            helper.make_node(op, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("bomb", f"f{level}", ["a"], ["c"], nodes, opsets))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph([helper.make_node("f22", ["x"], ["y"], domain="bomb")], "g", [x], [y])
    bomb = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    (tmp_path / "bomb.onnx").write_bytes(bomb.SerializeToString())
    _refused(lambda: run_cli(*_run_words("bomb.onnx", samples)), tmp_path, "function")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: {"y": a["x"]}, "'x'"),
        (lambda a: {"x": a["x"].astype(np.float64)}, "float64"),
        (lambda a: {"x": a["x"][:, :3]}, "3"),
        (lambda a: {"x": a["x"], "labels": a["labels"][:5]}, "labels"),
        (lambda a: {"x": a["x"], "labels": a["labels"] + 0.5}, "labels"),
    ],
)
def test_inputs_that_do_not_fit(
    run_cli: Run,
    model: Path,
    samples: Path,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    said: str,
) -> None:
    np.savez(tmp_path / "bad.npz", **change(_arrays(samples)))
    _refused(lambda: run_cli(*_run_words(model, "bad.npz")), tmp_path, said)


def test_a_pickle_is_never_loaded(run_cli: Run, model: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    np.savez(tmp_path / "trap.npz", x=trap)
    _refused(lambda: run_cli(*_run_words(model, "trap.npz")), tmp_path, "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_fault_list_of_another_model(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    other = onnx.load(model)
    other.producer_version = "2"
    (tmp_path / "other.onnx").write_bytes(other.SerializeToString())
    assert run_cli("sample", "other.onnx", "-n", 3, "-o", "faults.jsonl").exit_code == 0
    words = ("run", "runs/a", "--model", model, "--inputs", samples, "--faults", "faults.jsonl")
    _refused(lambda: run_cli(*words), tmp_path, "faults.jsonl:1", "another model")


def test_a_bit_out_of_range(run_cli: Run, model: Path, samples: Path, tmp_path: Path) -> None:
    said = "bit 32 is out of range for site 'hidden.weight' (FLOAT, bits 0..31); use --bits 0..31"
    _refused(lambda: run_cli(*_run_words(model, samples, "--bits", 32)), tmp_path, said)


@pytest.mark.parametrize("provider", ["cuda", "openvino", "nonsense"])
def test_a_provider_that_is_missing(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path, provider: str
) -> None:
    if provider == "cuda" and '"cuda",\n      "starts": true' in run_cli("doctor", "--json").stdout:
        pytest.skip("CUDA works on this machine")
    words = _run_words(model, samples, "--provider", provider)
    _refused(lambda: run_cli(*words), tmp_path, provider)


def test_a_folder_with_other_files(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    words = ("run", "full", "--model", model, "--inputs", samples, "-n", 5)
    _refused(lambda: run_cli(*words), tmp_path, "full")


def test_a_damaged_campaign(run_cli: Run, model: Path, samples: Path, tmp_path: Path) -> None:
    assert run_cli(*_run_words(model, samples)).exit_code == 0
    document = tmp_path / "runs/a/campaign.json"
    document.write_text(document.read_text()[:-20])
    for verb in ("status", "run", "report", "export"):
        _refused(lambda verb=verb: run_cli(verb, "runs/a"), tmp_path / "runs/a", "campaign.json")


def test_a_damaged_store(run_cli: Run, model: Path, samples: Path, tmp_path: Path) -> None:
    assert run_cli(*_run_words(model, samples)).exit_code == 0
    (tmp_path / "runs/a/results.sqlite").write_bytes(b"no database" * 100)
    _refused(lambda: run_cli("status", "runs/a"), tmp_path / "runs/a", "results.sqlite")


def test_a_model_that_changed_since(
    run_cli: Run, model: Path, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.onnx").write_bytes(model.read_bytes())
    words = _run_words("mine.onnx", samples, "--max-injections", 1)
    assert run_cli(*words).exit_code == 3
    changed = onnx.load(model)
    changed.graph.initializer[0].raw_data = bytes(96)
    (tmp_path / "mine.onnx").write_bytes(changed.SerializeToString())
    _refused(lambda: run_cli("run", "runs/a", "-q"), tmp_path / "runs/a", "mine.onnx has")
