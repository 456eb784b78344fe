"""The commands and examples of pages in docs/, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What the commands of a page must have said.
SAID = {
    "inside": ("Monitored values",),
    "sampling": ("n 60, by site and field", "FIT ["),
    "spiking": ("Unrolled over 8 time steps", "By time step", "Spikes by layer"),
}


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of a language; of commands if it is empty."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for kind, block in found if kind == language]


@pytest.mark.parametrize("page", SAID)
def test_the_commands_of_a_page(cli, clone, page):
    lines = [line for block in blocks(page, "") for line in block.strip().splitlines()]
    own = [words for words in map(shlex.split, lines) if words[0] != "python"]
    assert own
    said = ""
    for program, *arguments in own:
        assert program == "onnxfi"
        result = cli(*arguments, cwd=clone)
        assert result.returncode == 0, f"{arguments}\n{result.stderr}"
        said += result.stdout
    for words in SAID[page]:
        assert words in said


def test_the_example_of_importance_sampling(clone, monkeypatch):
    (example,) = blocks("sampling", "python")
    monkeypatch.chdir(clone)
    names: dict[str, object] = {}
    exec(example, names)  # the page's own example
    rate, bound = names["rate"], names["bound"]
    assert 0 < rate.value < 0.1
    assert bound.low <= rate.value <= bound.high
