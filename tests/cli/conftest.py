"""A small labelled classifier, and the command line in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from onnxfi.cli import cli

SAMPLES = 12


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run ``onnxfi`` in this process, in an empty folder, without the caller's environment."""
    for name in [name for name in os.environ if name.startswith("ONNXFI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words], prog_name="onnxfi")

    return run


#: A shell without job control lets what it starts in the background ignore Ctrl-C.
_HEEDING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from onnxfi.cli import main; main()"
)


@pytest.fixture
def start_cli(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``onnxfi`` as a process of its own, which does not outlive the test."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ONNXFI_")}
    started: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _HEEDING, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def _files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject")
    rng = np.random.default_rng(0)
    weights = {
        "hidden.weight": rng.normal(size=(4, 6)).astype(np.float32),
        "hidden.bias": rng.normal(size=6).astype(np.float32),
        "head.weight": rng.normal(size=(6, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "hidden.weight"], ["product"], name="hidden"),
        helper.make_node("Add", ["product", "hidden.bias"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["active"]),
        helper.make_node("MatMul", ["active", "head.weight"], ["logits"], name="head"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="tests"
    )
    onnx.save(model, folder / "tiny.onnx")
    inputs = rng.normal(size=(SAMPLES, 4)).astype(np.float32)
    hidden = np.maximum(inputs @ weights["hidden.weight"] + weights["hidden.bias"], 0)
    labels = (hidden @ weights["head.weight"]).argmax(axis=1)
    np.savez(folder / "samples.npz", x=inputs, labels=labels)
    return folder


@pytest.fixture
def model(_files: Path) -> Path:
    """Two layers, 4-6-3, float32, 48 weights and biases, opset 17."""
    return _files / "tiny.onnx"


@pytest.fixture
def samples(_files: Path) -> Path:
    """Twelve samples, labelled as the model answers them."""
    return _files / "samples.npz"
