"""docs/stability.md lists what there is: names, formats, commands, exit codes."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import click
import pytest

import onnxfi
from onnxfi import api, plugins, testing
from onnxfi.cli import ExitCode, cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def _rows(section: str, first: str) -> list[tuple[str, str]]:
    """Two-column rows of a table whose first cells match a pattern."""
    return re.findall(rf"^\| {first} \| (.*) \|$", _section(section), re.MULTILINE)


def test_public_names():
    named = {name for _, cell in _rows("Python names", r"(\w[\w ]+)") for name in _code(cell)}
    assert named == set(api.__all__)
    assert {*named, "__version__"} == set(dir(onnxfi))


@pytest.mark.parametrize("module", [plugins, testing])
def test_names_for_plug_ins(module: ModuleType):
    (cell,) = re.findall(rf"^\| `{module.__name__}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(_code(cell)) == set(module.__all__)


def _code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_commands_and_their_options():
    context = click.Context(cli)
    shared = {"verbose", "quiet", "debug", "help"}
    there = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        options = [each for each in command.params if isinstance(each, click.Option)]
        seen = (each for each in options if each.name not in shared and not each.hidden)
        there[name] = sorted(max(each.opts, key=len) for each in seen)
    listed = {name: sorted(_code(cell)) for name, cell in _rows("Command line", r"`([a-z]+)`")}
    assert listed == there


def test_exit_codes():
    cells = [cell for cell, _ in _rows("Command line", r"(\d[\d, ]*)")]
    listed = {int(code) for cell in cells for code in cell.split(", ")}
    assert listed == {int(code) for code in ExitCode}


def test_formats():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "onnxfi").rglob("_*.py"))
    declared = set(re.findall(r'^(?:FORMAT|SCHEMA) = "(.*)"$', sources, re.MULTILINE))
    assert declared
    assert set(re.findall(r"`(onnxfi/[a-z]+/\d+)`", _section("Files"))) == declared
    (version,) = re.findall(r"^SCHEMA_VERSION = (\d+)$", sources, re.MULTILINE)
    assert f"schema version {version}" in _section("Files")
