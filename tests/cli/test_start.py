"""What a command does not import: reading results starts no runtime, and help loads no numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import onnxfi as fi

CODE = """
import sys
from onnxfi.cli import main
try:
    main()
except SystemExit as done:
    code = done.code
print(sorted(sys.modules), code, file=sys.stderr)
"""


def _imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=False
    )
    assert done.stderr.rstrip().endswith("0"), done.stderr
    names, _ = done.stderr.strip().splitlines()[-1].rsplit(" ", 1)
    return set(names.strip("[]").replace("'", "").split(", "))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "c"
    model = "models/lenet5_mnist_fp32.onnx"
    sampler = fi.UniformSampler(n=20, seed=1)
    fi.Campaign.create(path, model=model, inputs="random:4:0", sampler=sampler).run()
    return path


def test_status_starts_no_runtime(folder: Path) -> None:
    heavy = {"onnxruntime", "onnx_graphsurgeon", "scipy", "onnxfi.engine.runtime", "onnxfi.inject"}
    assert not heavy & _imported("status", str(folder))


@pytest.mark.parametrize("command", ["run", "sample", "sensitivity", "status"])
def test_declarations_need_no_numbers(command: str) -> None:
    assert not {"numpy", "scipy", "onnx", "onnxruntime"} & _imported(command, "--help")


def test_the_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "onnxfi", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"onnxfi {fi.__version__}\n"
