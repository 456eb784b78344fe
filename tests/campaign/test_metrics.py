"""Metrics and criteria over two outputs in real campaigns: from the declaration to the rows."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import onnx
import pytest
from msgspec import Meta

import onnxfi as fi
from onnxfi.errors import ConfigError
from onnxfi.outcome import AllOutputs, Metric

MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
quadrants (float[batch, 2] point) => (float[batch, 4] score, float[batch, 4] second)
    <float[2, 4] direction = {1, -1, -1, 1, 1, 1, -1, -1}, float[4] offset = {0, 0, 0, 0}>
{ score = Gemm(point, direction, offset)  second = Neg(score) }
"""
INCIDENTAL = ("run_s", "worker", "finished_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagree(AllOutputs):
    """The sum of both outputs is not what it was."""

    name: ClassVar[str] = "disagree"
    help: ClassVar[str] = "the sum of both outputs is another one"

    by: Annotated[float, Meta(description="How far.", ge=0)] = 0.5

    def decide(self, golden, faulty, labels):
        moved = [np.abs(faulty[name] - golden[name]).max(axis=1) for name in ("score", "second")]
        return ~(np.minimum(*moved) <= self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Metric):
    """The largest change of an element of both outputs."""

    name: ClassVar[str] = "shift"
    help: ClassVar[str] = "the largest change of an element"

    def measure(self, golden, faulty, labels):
        return np.maximum(
            *(np.abs(faulty[name] - golden[name]).max(axis=1) for name in ("score", "second"))
        )


@pytest.fixture
def data(tmp_path: Path) -> dict[str, object]:
    """A model of two outputs, and points."""
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "model.onnx")
    point = np.random.default_rng(1).uniform(-1, 1, (12, 2)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", point=point)
    return {
        "model": tmp_path / "model.onnx",
        "inputs": tmp_path / "inputs.npz",
        "sampler": fi.UniformSampler(n=40, seed=1),
    }


def _rows(campaign: fi.Campaign) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k not in INCIDENTAL} for row in campaign.rows()]


def test_a_criterion_and_a_metric_over_two_outputs(tmp_path, data):
    own = {"criterion": Disagree(by=0.25), "metrics": [Shift(), "relative-error:output=second"]}
    campaign = fi.Campaign.create(tmp_path / "own", **data, **own)
    campaign.run(max_injections=15)
    resumed = fi.Campaign.create(tmp_path / "own", **data, **own)
    resumed.run(workers=2)
    rows = _rows(resumed)
    assert len({row["critical"] for row in rows}) > 3
    for row in rows:
        json.dumps(row["metrics"], allow_nan=False)
        shift, error = row["metrics"]["shift"], row["metrics"]["relative-error:output=second"]
        assert shift["samples"] + row["due_nonfinite"] == row["samples"]
        assert (shift["total"] == 0) == (error["total"] == 0)
        if row["masked"] == row["samples"]:
            assert shift["total"] == 0
    once = fi.Campaign.create(tmp_path / "once", **data, **own)
    once.run()
    assert _rows(once) == rows
    assert once.replay(3).same
    with sqlite3.connect(tmp_path / "once" / "results.sqlite") as connection:
        connection.execute(
            "UPDATE results SET metrics = replace(metrics, '\"samples\": 12', '\"samples\": 11')"
        )
    connection.close()
    assert once.replay(3).differences == ("relative-error:output=second", "shift")
    parts = json.loads((tmp_path / "own" / "campaign.json").read_text())["identity_parts"]
    assert parts["plan"]["criterion"] == "disagree:by=0.25"
    assert parts["metrics"] == ["relative-error:output=second", "shift"]


def test_a_folder_can_not_hold_a_class(tmp_path, data):
    own = {"criterion": "top1", "criterion_output": "score"}
    fi.Campaign.create(tmp_path / "own", **data, **own, metrics=[Shift()])
    with pytest.raises(ConfigError, match="unknown metric 'shift'"):
        fi.Campaign.open(tmp_path / "own").run()


def test_campaigns_without_metrics_are_what_they_were(tmp_path, data):
    own = {"criterion": "top1", "criterion_output": "score"}
    campaign = fi.Campaign.create(tmp_path / "plain", **data, **own)
    document = json.loads((tmp_path / "plain" / "campaign.json").read_text())
    assert "metrics" not in document["settings"]
    assert "metrics" not in document["identity_parts"]
    campaign.run(max_injections=2)
    assert [row["metrics"] for row in campaign.rows()] == [{}, {}]
    with pytest.raises(fi.CampaignMismatchError, match="metrics"):
        fi.Campaign.create(tmp_path / "plain", **data, **own, metrics="relative-error")


def test_what_is_no_metric_is_refused_before_a_folder_exists(tmp_path, data):
    own = {"criterion": "top1", "criterion_output": "score"}
    with pytest.raises(ConfigError, match="metrics has 3"):
        fi.Campaign.create(tmp_path / "none", **data, **own, metrics=[3])
    with pytest.raises(ConfigError, match="unknown output 'third'"):
        fi.Campaign.create(tmp_path / "none", **data, **own, metrics="relative-error:output=third")
    assert not (tmp_path / "none").exists()
