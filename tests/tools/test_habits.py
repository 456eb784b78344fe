"""What other services read: workflows, hooks, metadata. Their commands and paths must exist."""

from __future__ import annotations

import itertools
import re
import shlex
import tomllib
from pathlib import Path

import check
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Made by an earlier step of the same job.
MADE = {"oldest.txt", "./unpacked"}


def _read(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


JOBS = _read(".github/workflows/ci.yml")["jobs"]
COMMANDS = [
    pytest.param(step["run"], id=f"{name}-{number}")
    for name, job in JOBS.items()
    for number, step in enumerate(job["steps"])
    if "run" in step
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_what_is_there(command):
    words = shlex.split(command)
    if words[:1] == ["python"] and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file()
        assert words[1] != "tools/check.py" or set(words[2:]) <= set(check.GATES)
    for option, value in itertools.pairwise(words):
        if option in ("-r", "-e"):
            place = value.split("[")[0]
            assert place in MADE or (ROOT / place).exists()
    for extras in re.findall(r"\[([\w,]+)\]", command):
        assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_every_python_that_is_promised_is_tried():
    promised = {
        line.rpartition(" ")[2]
        for line in PROJECT["project"]["classifiers"]
        if re.search(r"Python :: 3\.\d+$", line)
    }
    matrix = JOBS["tests"]["strategy"]["matrix"]
    assert set(matrix["python"]) == promised
    assert min(promised) == PROJECT["project"]["requires-python"].removeprefix(">=")
    systems = [line for line in PROJECT["project"]["classifiers"] if "Operating System" in line]
    assert len(systems) == len(matrix["os"])
    assert JOBS["next-onnxruntime"]["continue-on-error"] is True


def test_hooks_are_gates():
    (repository,) = _read(".pre-commit-config.yaml")["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == ["format", "lint", "size", "layers"]
    for hook in repository["hooks"]:
        assert hook["id"] in check.GATES
        words = hook["entry"].split()
        if words[1] != "-m":
            assert words[1:] == ["tools/check.py", hook["id"]]


def test_a_citation_names_this_version_and_the_papers_of_the_readme():
    citation = _read("CITATION.cff")
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["repository-code"] == PROJECT["project"]["urls"]["Repository"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for paper in citation["references"]:
        assert paper["url"] in readme
        assert paper["title"].split(":")[0] in readme
        assert all(author["family-names"] in readme for author in paper["authors"])


def test_what_distributions_hold_is_there():
    targets = PROJECT["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"] == {"packages": ["onnxfi"]}
    for name in targets["sdist"]["include"]:
        assert (ROOT / name).exists(), name


def test_a_small_install_has_the_bounds_of_the_project():
    text = (ROOT / "requirements-cpu.txt").read_text(encoding="utf-8")
    found = {line for line in text.splitlines() if line and not line.startswith("#")}
    declared = {line.split(";")[0] for line in PROJECT["project"]["dependencies"]}
    assert found == {line for line in declared if not line.startswith("onnxruntime-gpu")}
