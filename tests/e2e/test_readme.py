"""The README's commands and its Python example, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks() -> list[str]:
    """Fenced blocks without a language: commands."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for language, text in fenced if not language]


def _marked(name: str) -> str:
    found = re.search(rf"^<!-- {name} -->\n```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found, f"README has no block marked {name}"
    return found[1].strip()


def test_the_commands_of_the_section_use_it(cli, clone):
    block = next(block for block in _blocks() if block.startswith("onnxfi inspect"))
    lines = block.strip().splitlines()
    assert len(lines) >= 9
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "onnxfi"
        result = cli(*arguments, cwd=clone)
        assert result.returncode == 0, f"{line}\n{result.stderr}"


def test_the_main_job(installed, clone):
    """Word for word but for the number of scenarios; CI runs it as it is."""
    line = _marked("main-job")
    assert "-n 1000 " in line
    commands = [part.split() for part in line.split(" && ") if part.split()[0].endswith("/onnxfi")]
    assert [command[1] for command in commands] == ["run", "report"]
    for command in commands:
        short = ["20" if word == "1000" else word for word in command[1:]]
        result = installed(*short, cwd=clone)
        assert result.returncode == 0, result.stderr
    again = installed(*["20" if word == "1000" else word for word in commands[0][1:]], cwd=clone)
    assert "nothing to do: 20 of 20 injections are stored" in again.stderr
    assert "By layer" in again.stdout
    assert "By bit" in again.stdout
    assert "failure" in again.stdout
    assert "<html" in (clone / "runs" / "resnet8_int8.html").read_text()


def test_the_tests_line_is_the_gate_that_ci_runs():
    assert _marked("tests").endswith("tools/check.py tests")


def test_the_python_example(clone, monkeypatch):
    code = re.search(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert code
    monkeypatch.chdir(clone)
    names: dict[str, object] = {}
    exec(compile(code[1], "README.md", "exec"), names)
    assert names["rate"].n == 20  # type: ignore[attr-defined]
    assert (clone / "runs" / "resnet8.html").is_file()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
