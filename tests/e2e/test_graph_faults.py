"""The code and the commands of docs/graph-faults.md, run as they stand."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "graph-faults.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page(cli, clone, monkeypatch):
    monkeypatch.chdir(clone)
    names: dict[str, object] = {}
    said = {}
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(text, "graph-faults.md", "exec"), names)
            continue
        for line in text.strip().splitlines():
            program, *arguments = shlex.split(line)
            assert program == "onnxfi"
            result = cli(*arguments, cwd=clone)
            assert result.returncode == 0, f"{line}\n{result.stderr}"
            said[" ".join(arguments[:2])] = result.stdout
    assert "came out again" in said["replay runs/rounding"]
    assert "differs first" in said["replay runs/rounding"]
    _check_injected(clone)


def _check_injected(clone: Path) -> None:
    """The injected model needs nothing but ONNX, and one element is three times what it was."""
    scenario = json.loads((clone / "runs" / "drifts.jsonl").read_text().splitlines()[3])
    (entry,) = scenario["faults"]
    faulty, clean = (
        onnx.load(path)
        for path in (clone / "runs" / "drifting.onnx", clone / "models/lenet5_mnist_fp32.onnx")
    )
    assert [value.name for value in faulty.graph.input] == ["image"]
    for model in (faulty, clean):
        model.graph.output.append(onnx.ValueInfoProto(name=entry["site"]))
    with np.load(clone / "models" / "mnist_test1000.npz") as data:
        image = data["image"][:2]
    before, after = (
        ReferenceEvaluator(model).run([entry["site"]], {"image": image})[0].reshape(2, -1)
        for model in (clean, faulty)
    )
    (element,) = entry["index"]
    np.testing.assert_array_equal(after[:, element], before[:, element] * np.float32(3))
    np.testing.assert_array_equal(np.delete(after, element, 1), np.delete(before, element, 1))
