"""inspect counts the zeros among weights and biases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx import TensorProto, helper, numpy_helper

Run = Callable[..., Result]
MODELS = Path(__file__).parents[2] / "models"


def _zeros(result: Result) -> dict[tuple[str, str], int | None]:
    assert result.exit_code == 0, result.stderr
    sites = json.loads(result.stdout)["sites"]
    return {(line["kind"], line["op_type"]): line["zeros"] for line in sites}


@pytest.mark.parametrize("name", ["lenet5_mnist_pruned90", "resnet8_fashion_pruned50"])
def test_zeros_of_pruned_models_are_those_of_the_card(run_cli: Run, name: str) -> None:
    cards = json.loads((MODELS / "cards.json").read_text(encoding="utf-8"))["models"]
    zeros = _zeros(run_cli("inspect", MODELS / f"{name}.onnx", "--json"))
    stored = [count for (kind, _), count in zeros.items() if kind in ("weight", "bias")]
    assert sum(count or 0 for count in stored) == cards[f"{name}.onnx"]["zeros"]
    assert {count for (kind, _), count in zeros.items() if kind == "activation"} == {None}


def test_the_table_shows_the_share(run_cli: Run) -> None:
    shown = run_cli("inspect", MODELS / "resnet8_fashion_pruned90.onnx").stdout
    assert "zero" in shown
    assert "90.3 %" in shown


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (TensorProto.FLOAT, [0, 0x8000_0000, 1, 0x7FC0_0000]),  # both zeros, denormal, NaN
        (TensorProto.FLOAT16, [0, 0x8000, 1, 0x7E00]),
        (TensorProto.BFLOAT16, [0, 0x8000, 1, 0x7FC0]),
        (TensorProto.INT8, [0, 0, 0x80, 1]),
        (TensorProto.INT4, [0, 0, 0x8, 1]),
    ],
)
def test_a_zero_is_a_zero_in_every_format(
    run_cli: Run, tmp_path: Path, element: int, words: list[int]
) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(element)
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    values = np.array(words, unsigned).view(dtype).reshape(4, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["x", "f"], ["y"], name="m"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(values, "w")],
    )
    opset = helper.make_opsetid("", 21)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), tmp_path / "m.onnx")
    zeros = _zeros(run_cli("inspect", tmp_path / "m.onnx", "--json"))
    assert [count for (kind, _), count in zeros.items() if kind == "weight"] == [2]
