"""doctor: what is installed and what starts."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable

import onnx.parser
import pytest
from click.testing import Result

import onnxfi

Run = Callable[..., Result]


def test_doctor_reports_versions_and_providers(run_cli: Run) -> None:
    result = run_cli("doctor", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema"] == "onnxfi/doctor/1"
    assert document["onnxfi"] == onnxfi.__version__
    assert document["packages"]["onnx"] == onnx.__version__
    assert document["problems"] == []
    assert document["instruction_set"].startswith(document["machine"])
    assert document["int8_arithmetic"] in ("exact", "saturating")
    states = {provider["name"]: provider for provider in document["providers"]}
    assert states["cpu"] == {"name": "cpu", "starts": True, "reason": None}
    assert all(state["starts"] == (state["reason"] is None) for state in states.values())
    printed = run_cli("doctor").stdout
    assert f"onnx               {onnx.__version__}" in printed
    assert f"instruction set    {document['instruction_set']}" in printed
    assert "cpu" in printed


def test_two_runtimes_are_a_problem(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _package: "1.0")
    result = run_cli("doctor")
    assert result.exit_code == 1
    assert "problem: both onnxruntime and onnxruntime-gpu are installed" in result.stderr


def test_a_runtime_that_cannot_be_loaded_is_a_problem(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ImportError("libgomp.so.1: no such file")

    monkeypatch.setattr("onnxfi.engine.available_providers", broken)
    result = run_cli("doctor", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"] == [
        "onnxruntime can't be loaded: libgomp.so.1: no such file"
    ]
