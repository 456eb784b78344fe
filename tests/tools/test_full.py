"""The heavy checks: their table, their record, and the documentation that they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from full import record
from full.section import sections
from full.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "toolchains.md"


def test_every_step_has_a_name_of_its_own_and_a_script():
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    for step in STEPS:
        assert (ROOT / step.command[0]).is_file(), step.name


def test_every_section_step_is_a_section_with_commands():
    headings = {step.command[2] for step in STEPS if step.command[0] == "tools/run_section.py"}
    assert headings == set(sections(PAGE))


def test_quoted_scripts_are_the_files():
    quoted = [script for section in sections(PAGE).values() for script in section.scripts]
    assert {path for path, _ in quoted} == {
        f"docs/toolchains/{path.name}" for path in (ROOT / "docs" / "toolchains").glob("*.py")
    }
    for path, text in quoted:
        assert (ROOT / path).read_text(encoding="utf-8") == text, path


def test_the_record_has_every_step_and_all_held():
    results = record.read(ROOT / "docs" / "full-checks.json")
    assert [name for name, result in results.items() if not result.held] == []
    assert set(results) == {step.name for step in STEPS}


def test_the_page_is_what_the_record_says():
    results = record.read(ROOT / "docs" / "full-checks.json")
    assert (ROOT / "docs" / "full-checks.md").read_text(encoding="utf-8") == record.page(results)


def test_a_step_that_ran_anew_leaves_the_others_alone(tmp_path):
    result = record.Result(held=True, seconds=1.0, runtime="1", python="3", said="fine")
    path = tmp_path / "checks.json"
    first, second = STEPS[0].name, STEPS[1].name
    record.write(path, {second: result, first: result})
    again = {**record.read(path), first: replace(result, held=False, said="broken")}
    record.write(path, again)
    assert list(json.loads(path.read_text())) == [first, second]
    page = path.with_suffix(".md").read_text()
    assert "| yes | 1 |" in page
    assert "**no**" in page
    assert "not run yet" in page


def test_results_of_steps_that_are_gone_are_dropped(tmp_path):
    path = tmp_path / "checks.json"
    path.write_text('{"gone": {}}')
    assert record.read(path) == {}


def _tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.heavy
@pytest.mark.skipif(os.name == "nt", reason="the commands are run by bash")
def test_the_text_model_section_runs_word_for_word(tmp_path):
    place = str(tmp_path / "clone")
    done = _tool("tools/run_section.py", "docs/toolchains.md", "ONNX as text", place)
    assert done.returncode == 0, done.stdout
    assert "384 of 384 can be faulted (100.0 %)" in done.stdout
    assert "fault-free accuracy  1.0000" in done.stdout


def test_a_section_that_is_not_there():
    done = _tool("tools/run_section.py", "docs/toolchains.md", "Nowhere")
    assert done.returncode == 2
    assert "ONNX as text" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="the script is bash")
def test_ci_refuses_what_it_does_not_know_before_it_does_anything():
    done = subprocess.run(
        ["bash", ".ci/run", "--fast"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--full" in done.stderr
    assert done.stdout == ""
