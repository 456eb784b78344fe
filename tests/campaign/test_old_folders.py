"""Folders that earlier versions wrote open and say what they said: one of each shape is kept.

``folders/NAME`` is a campaign as format ``onnxfi/campaign/2`` stored it, made on twelve labelled
images (``unlabelled``: six random ones); its ``expected.json`` holds what ``status``, ``report``
and ``export`` of that version printed. They were made in ``/models``, of which the images are kept
in ``few.npz``; a copy is told where models and images are now, as ``run --model`` would.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from onnxfi.cli import cli

IMAGES = Path(__file__).parent / "folders" / "few.npz"
MODELS = Path(__file__).parents[2] / "models"
FOLDERS = sorted(path for path in (Path(__file__).parent / "folders").iterdir() if path.is_dir())


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, since a store that is opened may write its log; its model and inputs are here."""
    copied = Path(shutil.copytree(request.param, tmp_path / request.param.name))
    document = copied / "campaign.json"
    told = json.loads(document.read_text())
    settings = told["settings"]
    settings["model"] = str(MODELS / Path(settings["model"]).name)
    if settings["inputs"] == "/models/few.npz":
        settings["inputs"] = str(IMAGES)
    document.write_text(json.dumps(told))
    return copied


def _printed(*arguments: str) -> str:
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 0, found.output
    return found.stdout


def _is_read(folder: Path, *arguments: str) -> str:
    """What a command prints; of a deployed graph that is another one here, that it says so."""
    found = CliRunner().invoke(cli, [*arguments, str(folder), "--json"])
    if folder.name == "deployed" and found.exit_code == 1:
        assert "makes another graph" in found.output
        assert "run it there" in found.output
        pytest.skip("onnxruntime makes another graph on this CPU")
    assert found.exit_code == 0, found.output
    return found.stdout


def _expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def test_rows_are_read(folder: Path) -> None:
    lines = _printed("export", str(folder), "--format", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == _expected(folder)["rows"]


def test_status_says_what_it_said(folder: Path) -> None:
    found = json.loads(_is_read(folder, "status"))
    assert found | {"folder": folder.name} == _expected(folder)["status"]


def test_report_counts_what_it_counted(folder: Path) -> None:
    (found,) = json.loads(_is_read(folder, "report"))["campaigns"]
    (expected,) = _expected(folder)["report"]["campaigns"]
    assert found | {"folder": folder.name} == expected | {"folder": folder.name}


def test_every_shape_is_kept() -> None:
    settings = [json.loads((path / "campaign.json").read_text())["settings"] for path in FOLDERS]
    kinds = {each["sampler"].get("kind", "list") for each in settings}
    assert kinds == {"uniform", "stratified", "importance", "top", "exhaustive", "ber", "list"}
    assert any(each["spikes"] for each in settings)
    assert any(each["monitors"] for each in settings)
    assert any(each["graph"] == "deployed" for each in settings)
