"""A sampler of another package is chosen by name, with its options, like ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from onnxfi.faults import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryNth:
    """Every n-th fault of the space."""

    name: ClassVar[str] = "every-nth"
    help: ClassVar[str] = "faults at equal distances"
    design: ClassVar[str] = "equal"
    n: Annotated[int, Meta(description="Scenarios.", ge=1)]
    distance: Annotated[int, Meta(description="Faults from one to the next.", ge=1)] = 10

    def size(self, space):
        return self.n

    def scenario(self, space, k):
        numbers = np.array([k * self.distance % space.size])
        return Scenario(number=k, groups=space.scenario_groups(numbers, None))

    def recipe(self):
        return {"kind": self.name, "n": self.n, "distance": self.distance}
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An installed package: a module, and an entry point in its metadata."""
    (tmp_path / "every_nth.py").write_text(CODE)
    told = tmp_path / "every_nth-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: every-nth\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[onnxfi.samplers]\nevery-nth = every_nth:EveryNth\n")
    return tmp_path


def _onnxfi(package: Path, *words: str) -> str:
    code = f"import sys; sys.path.append({str(package)!r}); from onnxfi.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_its_name_and_options_are_in_the_help(package: Path) -> None:
    text = " ".join(_onnxfi(package, "sample", "--help").split())
    assert "|every-nth]" in text
    assert "every-nth (faults at equal distances)" in text
    assert "--distance" in text
    assert "Faults from one to the next. [default: 10]" in text


def test_it_draws_though_it_has_no_seed(package: Path) -> None:
    words = ["--sampler", "every-nth", "--distance", "64", "-n", "3", "-o", "-"]
    lines = _onnxfi(package, "sample", "models/lenet5_mnist_fp32.onnx", *words).splitlines()
    header, *scenarios = map(json.loads, lines)
    assert header["sampler"] == {"kind": "every-nth", "n": 3, "distance": 64}
    assert header["design"] == "equal"
    assert [each["faults"][0]["index"] for each in scenarios] == [[0], [2], [4]]
