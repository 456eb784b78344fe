"""inject: what it writes besides the fault, it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from click.testing import Result
from onnx import numpy_helper, parser

Run = Callable[..., Result]

MODEL = """<ir_version: 10, opset_import: ["": 17, "own": 1]>
g (float[n,2] x) => (float[n,2] y) <float[2] w = {1, 2}>
{
  k = Constant<value = float[2] {3, 4}>()
  a = own.scaled(x)
  [same] b = Add(a, w)
  [same] y = Mul(b, k)
}
<domain: "own", opset_import: ["": 17]>
scaled (p) => (q) { two = Constant<value = float {2}>() q = Mul(p, two) }"""


@pytest.fixture
def scaled(tmp_path: Path) -> Path:
    proto = parser.parse_model(MODEL)
    (weight,) = proto.graph.initializer
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), "w"))
    path = tmp_path / "m.onnx"
    settings = {"location": "m.data", "size_threshold": 0}
    onnx.save_model(proto, path, save_as_external_data=True, **settings)
    return path


def _injected(run_cli: Run, model: Path, site: str, *more: str) -> Result:
    drawn = run_cli(
        "sample", model, "--include", site, *more, "-n", "1", "-o", "list.jsonl", "--force"
    )
    assert drawn.exit_code == 0, drawn.stderr
    result = run_cli("inject", model, "list.jsonl", "-o", model.parent / "faulty.onnx", "--force")
    assert result.exit_code == 0, result.stderr
    return result


def test_functions_are_inlined_only_for_a_fault_in_one_and_that_is_said(
    run_cli: Run, scaled: Path
) -> None:
    assert "are inlined" not in _injected(run_cli, scaled, "k").stderr
    written = onnx.load(scaled.parent / "faulty.onnx")
    assert [function.name for function in written.functions] == ["scaled"]
    told = _injected(run_cli, scaled, "two*", "--targets", "constant").stderr
    assert "functions are inlined, because a fault lies inside of one" in told
    assert not onnx.load(scaled.parent / "faulty.onnx").functions


def test_shared_external_data_is_said(run_cli: Run, scaled: Path) -> None:
    told = _injected(run_cli, scaled, "k").stderr
    assert f"reads external data from the same files as {scaled}" in told
    assert "reads external" not in _injected(run_cli, scaled, "w").stderr  # the fault is all of it


def test_inspect_says_how_nodes_are_called(run_cli: Run, scaled: Path) -> None:
    document = json.loads(run_cli("inspect", scaled, "--json").stdout)
    assert document["node_names"] == {"shared": {"same": 2}, "unnamed": 2}
    text = " ".join(run_cli("inspect", scaled).stdout.split())
    assert "2 nodes share 1 name; in file order they are same, same#2 and so on" in text
    assert "2 nodes without a name" in text
    listed = run_cli("sites", scaled, "--inputs", "random:2:0").stdout
    assert "same#2" in listed
