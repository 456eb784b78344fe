"""A sampler of another package is chosen by name, with its options, like ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryNth:
    """Every n-th fault of the space."""

    name: ClassVar[str] = "every-nth"
    help: ClassVar[str] = "faults at equal distances"
    design: ClassVar[str] = "equal"
    distance: Annotated[int, Meta(description="Faults from one to the next.", ge=1)] = 10
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


def test_its_name_and_options_are_in_the_help(package: Path) -> None:
    code = f"import sys; sys.path.append({str(package)!r}); from onnxfi.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "sample", "--help"], capture_output=True, text=True, check=True
    )
    text = " ".join(done.stdout.split())
    assert "|every-nth]" in text
    assert "every-nth (faults at equal distances)" in text
    assert "--distance" in text
    assert "Faults from one to the next. [default: 10]" in text
