"""Campaigns on unrolled networks: steps, parts, and neurons that are stuck in all steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxfi.campaign import open_campaign, run_campaign, summarize
from onnxfi.errors import ConfigError
from onnxfi.settings import RunOptions

MODELS = Path(__file__).resolve().parents[2] / "models"
STUCK = {
    "model": str(MODELS / "snn_spikingjelly_mnist.onnx"),
    "targets": ("activation",),
    "parts": ("spike",),
    "op_types": ("Cast",),
    "fault_models": ("set:0", "set:1"),
    "over_steps": True,
    "block_size": 4,
    "sampler": {"kind": "uniform", "n": 8, "seed": 1},
}


@pytest.fixture
def few(images, tmp_path):
    path = tmp_path / "few.npz"
    with np.load(images) as data:
        np.savez(path, image=data["image"][:16], labels=data["labels"][:16])
    return str(path)


def test_engines_agree_on_stuck_neurons(create, rows_of, few):
    """With optimisation off, exactly with the model that has the faults written in."""
    rows = {}
    for engine in ("bake", "ports", "cut"):
        chosen = {"engine": engine, "inputs": few, "optimization": "disabled", **STUCK}
        campaign = create(engine, **chosen)
        assert campaign.plan.engine == engine
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert rows["ports"] == rows["cut"] == rows["bake"]
    assert any(row["masked"] < row["samples"] for row in rows["cut"])


def test_a_campaign_of_ties_is_resumed_and_repeated(create, rows_of, few):
    campaign = create("a", inputs=few, **STUCK)
    run_campaign(campaign, RunOptions(max_injections=4))
    again = open_campaign(campaign.folder.path)
    assert [site.name for site in again.experiment().space.sites] == [
        "/lif1/surrogate_function/Cast_output_0@0-7",
        "/lif2/surrogate_function/Cast_output_0@0-7",
    ]
    run_campaign(again)
    pair = create("b", inputs=few, **STUCK)
    run_campaign(pair, RunOptions(workers=2))
    assert rows_of(again) == rows_of(pair)
    summary = summarize(again)
    assert summary.sites == 2
    assert summary.space_size == 2 * (12 * 12 * 12 + 24 * 4 * 4)
    assert {row.key for row in summary.tables["layer"].rows} <= {"/lif1", "/lif2"}
    assert {row.key for row in summary.tables["part"].rows} == {"spike"}
    assert "step" not in summary.tables


def test_its_recipe_and_its_scenarios_written_out_are_the_same_campaign(
    create, rows_of, few, tmp_path
):
    campaign = create("a", inputs=few, **STUCK)
    run_campaign(campaign)
    recipe = {"sampler": {}, "faults": str(campaign.folder.faults), "inputs": few}
    chosen = {"model": STUCK["model"], "block_size": 4}
    from_recipe = create("b", **recipe, **chosen)
    assert from_recipe.document.identity == campaign.document.identity
    scenario = campaign.experiment().source.scenario(0)
    assert len(scenario.groups) == 8
    written = tmp_path / "written.jsonl"
    index = scenario.groups[0].index.tolist()
    value = 0.0 if int(scenario.groups[0].xor_mask[0]) == 0 else 1.0
    entries = ",".join(
        f'{{"site":"{group.site}","index":{index},"set":{value}}}' for group in scenario.groups
    )
    written.write_text(f'{{"schema":"onnxfi/faults/1"}}\n{{"scenario":0,"faults":[{entries}]}}\n')
    listed = create("c", sampler={}, faults=str(written), inputs=few, **chosen)
    run_campaign(listed)
    ours, theirs = rows_of(campaign)[0], rows_of(listed)[0]
    for name in ("masked", "tolerable", "critical", "due_nonfinite", "correct"):
        assert ours[name] == theirs[name]


def test_faults_by_step(create, few):
    campaign = create(
        "s",
        inputs=few,
        model=STUCK["model"],
        targets=("activation",),
        parts=("membrane", "spike"),
        steps=(0, 7),
        sampler={"kind": "uniform", "n": 24, "seed": 1},
    )
    run_campaign(campaign)
    tables = summarize(campaign).tables
    assert [row.key for row in tables["step"].rows] == ["0", "7"]
    assert [row.key for row in tables["part"].rows] == ["membrane", "spike"]
    assert sum(row.n for row in tables["step"].rows) == 24


def test_a_fault_in_all_steps_is_no_single_upset(create, few):
    chosen = STUCK | {"fault_models": ("flip",), "sampler": {"kind": "uniform", "n": 4, "seed": 1}}
    campaign = create("a", inputs=few, **chosen)
    run_campaign(campaign)
    with pytest.raises(ConfigError, match="one flipped bit each"):
        summarize(campaign, fit_per_mbit=100.0)
