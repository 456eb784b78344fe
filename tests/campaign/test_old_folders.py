"""Folders that earlier versions wrote open and say what they said: one of each shape is kept.

``folders/NAME`` is a campaign as format ``onnxfi/campaign/2`` stored it, made on twelve labelled
images (``unlabelled``: six random ones); its ``expected.json`` holds what ``status``, ``report``
and ``export`` of that version printed. The models are not needed to read a folder, and not kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from onnxfi.cli import cli

FOLDERS = sorted(path for path in (Path(__file__).parent / "folders").iterdir() if path.is_dir())


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, since a store that is opened may write its log."""
    return Path(shutil.copytree(request.param, tmp_path / request.param.name))


def _printed(*arguments: str) -> str:
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 0, found.output
    return found.stdout


def _expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def test_rows_are_read(folder: Path) -> None:
    lines = _printed("export", str(folder), "--format", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == _expected(folder)["rows"]


def test_status_says_what_it_said(folder: Path) -> None:
    found = json.loads(_printed("status", str(folder), "--json"))
    assert found | {"folder": folder.name} == _expected(folder)["status"]


def test_report_counts_what_it_counted(folder: Path) -> None:
    (found,) = json.loads(_printed("report", str(folder), "--json"))["campaigns"]
    (expected,) = _expected(folder)["report"]["campaigns"]
    assert found | {"folder": folder.name} == expected | {"folder": folder.name}


def test_every_shape_is_kept() -> None:
    settings = [json.loads((path / "campaign.json").read_text())["settings"] for path in FOLDERS]
    kinds = {each["sampler"].get("kind", "list") for each in settings}
    assert kinds == {"uniform", "stratified", "importance", "top", "exhaustive", "ber", "list"}
    assert any(each["spikes"] for each in settings)
    assert any(each["monitors"] for each in settings)
    assert any(each["graph"] == "deployed" for each in settings)
