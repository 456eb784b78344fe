"""The study of EfficientNet-Lite0: its pictures, its steps, and the page with its figures."""

from __future__ import annotations

import importlib.util
import json
from argparse import Namespace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from evaluation import pictures
from evaluation.large import COLUMNS, figures, markdown, severe, written
from evaluation.pictures import SIDE, PictureError, crops, cut, load, samples
from evaluation.steps import StepError, step

ROOT = Path(__file__).resolve().parents[4]


class Picture:
    """Stands in for one of Pillow: its pixels say where they are from."""

    def __init__(self, size: tuple[int, int], value: int = 127) -> None:
        self.size = size
        across = np.linspace(0, 250, size[0]).astype(np.uint8)
        self.pixels = np.full((size[1], size[0], 3), value, np.uint8)
        self.pixels[..., 0] = across

    def resize(self, size: tuple[int, int], _how: int) -> Picture:
        return Picture(size, int(self.pixels[0, 0, 1]))

    def crop(self, box: tuple[int, int, int, int]) -> np.ndarray:
        left, top, right, bottom = box
        assert 0 <= left < right <= self.size[0]
        assert 0 <= top < bottom <= self.size[1]
        return self.pixels[top:bottom, left:right]


def test_no_crop_serves_both_to_judge_and_to_calibrate():
    judged, calibration = crops()
    assert judged[0] == (256, (0.5, 0.5), False), "what the network is measured by elsewhere"
    assert not set(judged) & set(calibration)
    # A mirrored crop is as good as the crop: the same place and scale are on one side only.
    assert not {crop[:2] for crop in judged} & {crop[:2] for crop in calibration}


def test_a_crop_is_cut_mirrored_and_scaled():
    picture = Picture((640, 480))
    plain = cut(picture, (256, (0.25, 0.5), False))
    assert (plain.shape, plain.dtype) == ((3, SIDE, SIDE), np.float32)
    assert np.unique(plain[1]).tolist() == [0.0]
    assert plain[0].min() >= -127 / 128
    mirrored = cut(picture, (256, (0.25, 0.5), True))
    np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])
    assert cut(picture, (256, (0.75, 0.5), False))[0].mean() > plain[0].mean()


@pytest.mark.parametrize("size", [(300, 451), (512, 512), (640, 427)])
def test_crops_stay_inside(size):
    for crop in [*crops()[0], *crops()[1]]:
        assert cut(Picture(size), crop).shape == (3, SIDE, SIDE)


def test_pictures_take_turns():
    found = [Picture((300, 300), value) for value in (0, 50, 100)]
    values = samples(found, crops()[0], 7)[:, 1, 0, 0] * 128 + 127
    assert values.tolist() == [0, 50, 100, 0, 50, 100, 0]
    with pytest.raises(PictureError, match=f"{3 * len(crops()[0])}"):
        samples(found, crops()[0], 1_000)


def test_missing_pictures_are_told_with_what_to_install(monkeypatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(pictures.importlib, "import_module", missing)
    with pytest.raises(PictureError, match="pip install --no-deps pillow"):
        load()


def test_a_step_is_done_once_and_its_cost_kept(tmp_path):
    cost = step(tmp_path, "version", ["--version"])
    assert cost.wall_s > 0
    assert cost.cpu_s > 0
    assert cost.peak_mib > 1
    assert "onnxfi" in (tmp_path / "version.txt").read_text()
    assert step(tmp_path, "version", ["--version"]) == cost
    assert len((tmp_path / "costs.jsonl").read_text().splitlines()) == 1


def test_a_step_that_fails_is_told_and_begun_again(tmp_path):
    for _ in range(2):
        with pytest.raises(StepError, match=r"nowhere.*exit code 1"):
            step(tmp_path, "status", ["status", str(tmp_path / "nowhere")])
    costs = [json.loads(line) for line in (tmp_path / "costs.jsonl").read_text().splitlines()]
    assert [each["code"] for each in costs] == [1, 1]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> dict:
    """The tool's steps on a small network."""
    folder = tmp_path_factory.mktemp("study")
    with np.load(ROOT / "models" / "mnist_test1000.npz") as file:
        images = {name: file[name] for name in file.files if name != "labels"}
    for name, start in (("pictures", 0), ("calibration", 500)):
        np.savez(folder / f"{name}.npz", **{k: v[start : start + 20] for k, v in images.items()})
    spec = importlib.util.spec_from_file_location(
        "study", ROOT / "tools" / "studies" / "sampling" / "eval_efficientnet.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    small = {"stratified": 200, "top": 10, "importance": 50, "calibration": 20, "pictures": 20}
    model = ROOT / "models" / "lenet5_mnist_fp32.onnx"
    costs = tool.run_steps(Namespace(folder=folder, model=model, **small))
    return figures(folder, costs)


@pytest.mark.heavy
def test_a_study_tells_what_was_run(study):
    assert (study["pictures"], study["strata"]["n"]) == (20, 200)
    assert [study[name]["n"] for name in ("top", "importance")] == [10, 50]
    assert sum(row["n"] for row in study["strata"]["fields"]) == 200
    assert set(study["costs"]) == {"strata", "sensitivity", "top", "importance"}
    names = [row[0] for row in study["rows"]]
    assert names == ["strata"] * 200 + ["top"] * 10 + ["importance"] * 50
    assert study["top"]["precision"]["value"] > study["strata"]["rates"]["failure"]["value"]
    assert {row[3] for row in study["rows"] if row[0] == "top"} <= set(range(23, 31))


@pytest.mark.heavy
def test_the_tables_of_a_study(study):
    text = markdown(study)
    assert "| **all faults** | 200 |" in text
    assert "| bit 30 |" in text
    assert "| bit 22 |" not in text
    assert "precision of the 10 faults of highest score" in text
    assert [line.split(" | ")[1] for line in text.splitlines()[-4:-2]] == ["200 injections", ANY]


def _kept() -> dict:
    return json.loads((ROOT / "docs" / "sampling-efficientnet.json").read_text(encoding="utf-8"))


def test_the_page_shows_the_figures_that_are_kept():
    page = (ROOT / "docs" / "sampling-efficientnet.md").read_text(encoding="utf-8")
    assert markdown(_kept()) in page


def test_figures_are_those_of_the_rows():
    kept = _kept()
    assert tuple(kept["columns"]) == COLUMNS
    by_campaign = {name: [] for name in ("strata", "top", "importance")}
    for row in kept["rows"]:
        assert sum(row[4:]) == kept["pictures"]
        by_campaign[row[0]].append(row)
    found = by_campaign["strata"]
    assert len(found) == kept["strata"]["n"]
    # A scenario fails where 5 % of the pictures lose their answer.
    failing = [row for row in found if row[6] + row[7] >= 0.05 * kept["pictures"]]
    assert sum(row["failures"] for row in kept["strata"]["bits"]) == len(failing)
    top = by_campaign["top"]
    assert kept["top"]["precision"]["value"] == pytest.approx(
        sum(row[6] + row[7] > 0 for row in top) / len(top)
    )
    assert kept["top"]["severe"] == severe(top, kept["pictures"])


def test_rows_are_written_one_a_line():
    document = {
        "format": "x",
        "rows": [["top", "a", 1, 30, 0, 0, 1, 0], ["top", "b", 2, 3, 0, 0, 1, 0]],
    }
    text = written(document)
    assert json.loads(text) == document
    assert sum(line.startswith('["top"') for line in text.splitlines()) == 2
