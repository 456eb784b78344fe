"""The command and the example of docs/sampling.md, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sampling.md").read_text(encoding="utf-8")


def test_the_page_runs(cli, tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(ROOT / "models")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    commands = [line for language, text in blocks if not language for line in text.splitlines()]
    examples = [text for language, text in blocks if language == "python"]
    assert commands
    assert len(examples) == 1
    said = ""
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "onnxfi"
        result = cli(*arguments, cwd=tmp_path)
        assert result.returncode == 0, f"{line}\n{result.stderr}"
        said += result.stdout
    assert "n 60, by site and field" in said
    assert "FIT [" in said
    (tmp_path / "runs").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(examples[0], space)  # the page's own example
    rate, bound = space["rate"], space["bound"]
    assert 0 < rate.value < 0.1
    assert bound.low <= rate.value <= bound.high
