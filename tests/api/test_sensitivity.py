"""Sensitivities from Python: measured, looked at, kept, and drawn by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxfi as fi

MODEL = Path("models/lenet5_mnist_fp32.onnx")


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    with np.load("models/mnist_test1000.npz") as data:
        return {"image": data["image"][:40], "labels": data["labels"][:40]}


def test_scores_are_measured_kept_and_drawn_by(tmp_path, arrays):
    seen = []
    found = fi.measure_sensitivity(
        MODEL,
        arrays,
        targets=["weight"],
        include=["fc3*"],
        tier=0,
        samples=16,
        on_progress=lambda *step: seen.append(step),
    )
    assert list(found.scores.sites) == ["fc3.weight"]
    assert found.options == fi.SensitivityOptions(tier=0, samples=16)
    assert all(0 < done <= total for _, done, total in seen)
    sites = fi.enumerate_sites(MODEL, include=["fc3.weight"])
    expected = found.expected(sites)
    top = max(expected.bits, key=lambda row: row.rate)
    assert top.key == "30"
    assert expected.share(top) > 0.5
    fewer = found.expected(sites, fi.BitFlip(bits="mantissa"))
    assert fewer.rate < expected.rate / 10
    found.save(tmp_path / "scores.npz")
    again = fi.Sensitivity.load(tmp_path / "scores.npz")
    campaigns = [
        fi.Campaign.create(
            tmp_path / name,
            model=MODEL,
            inputs=arrays,
            targets=["weight"],
            include=["fc3*"],
            sampler=fi.TopSampler(n=20, scores=scores),
        )
        for name, scores in (("direct", found.scores), ("read", again.scores))
    ]
    one, other = (campaign.opened.document.identity for campaign in campaigns)
    assert one == other
    campaigns[0].run()
    assert campaigns[0].estimate("precision").value > 10 * expected.rate


def test_a_model_in_memory_gives_the_same_scores(arrays):
    choice = {"include": ["fc3.weight"], "tier": 0, "samples": 8}
    found = [
        fi.measure_sensitivity(model, arrays, **choice).scores.digest
        for model in (MODEL, onnx.load(MODEL), MODEL.read_bytes())
    ]
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sampler": fi.UniformSampler(n=3)}, "sampler has no part in a sensitivity"),
        ({"colour": 3}, "colour"),
        ({"tier": 3}, "tier is 3"),
        ({"drop": 0.0}, "drop is 0.0"),
        ({"include": ["nothing"]}, "nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(arrays, wrong, message):
    with pytest.raises(fi.ConfigError, match=message):
        fi.measure_sensitivity(MODEL, arrays, **wrong)
