"""Bad input: one clear line, exit code 1, soon, and nothing half-written."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "lenet5_mnist_int8_qdq.onnx"
INPUTS = ROOT / "models" / "mnist_test1000.npz"


def _truncated(folder: Path) -> list[str]:
    path = folder / "model.onnx"
    path.write_bytes(MODEL.read_bytes()[:30_000])
    return ["run", "c", "--model", str(path), "--inputs", str(INPUTS)]


def _outside_data(folder: Path) -> list[str]:
    (folder / "inner").mkdir()
    (folder / "secret.bin").write_bytes(b"\0" * 16)
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("offset", "0"), ("length", "16")):
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "inner" / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return ["inspect", str(path)]


def _function_bomb(folder: Path) -> list[str]:
    """Functions that each call the one before twice: 2^23 nodes from under 2 kB."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("bomb", 1)]

    def function(depth: int) -> onnx.FunctionProto:
        call = ("Identity", "") if depth == 0 else (f"f{depth - 1}", "bomb")
        nodes = [
            helper.make_node(call[0], ["a"], ["b"], domain=call[1]),
            helper.make_node(call[0], ["b"], ["c"], domain=call[1]),
        ]
        return helper.make_function("bomb", f"f{depth}", ["a"], ["c"], nodes, opsets)

    graph = helper.make_graph(
        [helper.make_node("f22", ["x"], ["y"], domain="bomb")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(
        graph, opset_imports=opsets, functions=[function(d) for d in range(23)], ir_version=8
    )
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return ["inspect", str(path)]


def _inputs(name: str, **arrays: np.ndarray) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        path = folder / name
        np.savez(path, **arrays)
        return ["run", "c", "--model", str(MODEL), "--inputs", str(path)]

    return make


def _pickle(folder: Path) -> list[str]:
    class Boom:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("code from the file was run",))

    path = folder / "pickle.npz"
    np.savez(path, allow_pickle=True, image=np.array([pickle.dumps(0), Boom()], dtype=object))
    return ["run", "c", "--model", str(MODEL), "--inputs", str(path)]


def _foreign_list(folder: Path) -> list[str]:
    path = folder / "faults.jsonl"
    path.write_text(
        '{"schema":"onnxfi/faults/1","model_sha256":"' + "0" * 64 + '"}\n'
        '{"scenario":0,"faults":[{"site":"fc3.bias_quantized","index":[0],"flip":0}]}\n'
    )
    return ["run", "c", "--model", str(MODEL), "--inputs", str(INPUTS), "--faults", str(path)]


def _bit_too_high(folder: Path) -> list[str]:
    line = ["run", "c", "--model", str(MODEL), "--inputs", str(INPUTS)]
    return [*line, "--targets", "weight", "--bits", "8"]


def _missing_provider(folder: Path) -> list[str]:
    return ["run", "c", "--model", str(MODEL), "--inputs", str(INPUTS), "--provider", "tpu"]


IMAGE = np.zeros((2, 1, 28, 28), np.float32)
CASES = {
    "truncated model": (_truncated, "model.onnx"),
    "external data outside the folder": (_outside_data, "secret.bin"),
    "nested functions": (_function_bomb, "function"),
    "wrong input name": (_inputs("n.npz", picture=IMAGE), "picture"),
    "wrong input shape": (_inputs("s.npz", image=IMAGE[:, :, :20]), "28"),
    "wrong input dtype": (_inputs("d.npz", image=IMAGE.astype(np.float64)), "float64"),
    "pickle in the inputs": (_pickle, "pickle"),
    "fault list of another model": (_foreign_list, "another model"),
    "bit out of range": (_bit_too_high, "bit 8 is out of range"),
    "missing provider": (_missing_provider, "tpu"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_in_one_line(cli, tmp_path, case):
    make, named = CASES[case]
    arguments = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = cli(*arguments, cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("preparing")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert named in lines[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_the_folder_of_another_campaign_is_refused_and_left_as_it_was(cli, tmp_path):
    line = ["run", "c", "--model", MODEL, "--inputs", INPUTS, "-n", "3"]
    assert cli(*line, "--seed", "1", cwd=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    result = cli(*line, "--seed", "2", cwd=tmp_path)
    assert result.returncode == 1
    assert "another experiment" in result.stderr
    assert "seed" in result.stderr
    after = {path: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    assert after == before
