"""The commands of docs/spiking.md, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "spiking.md").read_text(encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like the project's root to the commands, and may be written to."""
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path


def test_the_commands_of_the_page(cli, clone):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    lines = [
        line for language, text in blocks if not language for line in text.strip().splitlines()
    ]
    assert len(lines) >= 4
    said = ""
    for line in lines:
        program, *arguments = shlex.split(line)
        if program == "python":
            continue
        result = cli(*arguments, cwd=clone)
        assert result.returncode == 0, f"{line}\n{result.stderr}"
        said += result.stdout
    for words in ("Unrolled over 8 time steps", "By time step", "Spikes by layer"):
        assert words in said
