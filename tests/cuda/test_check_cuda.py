"""``tools/check_cuda.py``: the whole of it on the CPU, and on a CUDA that computes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from onnxfi.engine import EngineSettings, Session, available_providers
from onnxfi.errors import BackendError
from onnxfi.graph import load

ROOT = Path(__file__).resolve().parents[2]
TOOL = "tools/check_cuda.py"
LITTLE = ["--scenarios", "3", "--images", "10", "--repeats", "2"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def _held(page: str) -> dict[str, set[bool]]:
    """For every claim, whether it held (all answers that occur)."""
    found: dict[str, set[bool]] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[3] in ("yes", "**no**"):
            found.setdefault(cells[1].split(":")[0], set()).add(cells[3] == "yes")
    return found


CLAIMS = {
    "an armed tensor equals the numpy oracle bit for bit",
    "bytes are flipped in place, as numpy does it",
    "kept on the device and fed by the host",
    "fault-free and faulty runs repeat bit for bit, also in a new session",
    "the engines agree",
    "the CPU decides the same",
    "all forms run",
}


def test_on_the_cpu(tmp_path):
    page = tmp_path / "cpu.md"
    models = ["lenet5_mnist_fp32.onnx", "lenet5_mnist_fp16.onnx"]
    done = _run("--provider", "cpu", "--output", str(page), *LITTLE, "--models", *models)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    text = page.read_text(encoding="utf-8")
    assert _held(text) == {claim: {True} for claim in CLAIMS}
    for part in ("# Faults on the provider `cpu`", "| onnxruntime | ", " flips"):
        assert part in text
    assert text.count("| lenet5_mnist_fp16.onnx | 10 | ") == 14


def test_without_a_gpu(tmp_path):
    try:
        Session(load(ROOT / "models" / "lenet5_mnist_fp32.onnx"), EngineSettings(provider="cuda"))
        pytest.skip("there is a GPU")
    except BackendError:
        pass
    page = tmp_path / "cuda.md"
    done = _run("--output", str(page))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("provider 'cuda' ")
    if "cuda" in available_providers():
        assert "can't start here" in done.stderr
    assert not page.exists()


def test_a_cuda_that_computes_nothing_is_found_out(standin, tmp_path):
    """The CUDA paths run to their end, and the page says that the numbers are wrong."""
    page = tmp_path / "cuda.md"
    arguments = ["--output", str(page), *LITTLE, "--models", "resnet8_fashion_fp32.onnx"]
    done = standin.run([str(ROOT / TOOL), *arguments], tmp_path / "log")
    assert done.returncode == 1
    assert done.stderr == ""
    held = _held(page.read_text(encoding="utf-8"))
    assert held.keys() == CLAIMS
    assert held["an armed tensor equals the numpy oracle bit for bit"] == {False}
    assert held["bytes are flipped in place, as numpy does it"] == {False}
    assert held["the CPU decides the same"] == {False}
    assert held["all forms run"] == {True}
