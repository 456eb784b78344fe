"""Where scenarios come from: error rates, written lists, recipes, functions, activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxfi.campaign import CustomParts, run_campaign, summarize
from onnxfi.errors import FaultListError
from onnxfi.faults import CustomFault, Fault
from onnxfi.settings import RunOptions

SITE = "fc3.bias_quantized"


def test_bit_error_rates_run_and_have_no_domains(create):
    campaign = create(sampler={"kind": "ber", "ber": 1e-3, "n": 12, "seed": 1})
    run_campaign(campaign)
    summary = summarize(campaign)
    assert summary.rates["failed_share"].n == 12
    assert summary.tables["bit"].rows == ()
    assert "several faults" in summary.tables["bit"].reason


@pytest.mark.parametrize("engine", ["ports", "cut"])
def test_activations_do_not_depend_on_workers(create, rows_of, engine):
    chosen = {"targets": ("activation", "input"), "op_types": ("Conv", "Gemm", "")}
    campaign, pair = (create(name, engine=engine, **chosen) for name in "ab")
    assert campaign.plan.engine == engine
    run_campaign(campaign)
    run_campaign(pair, RunOptions(workers=2))
    assert rows_of(campaign) == rows_of(pair)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"schema":"onnxfi/faults/1"}\n'
        f'{{"scenario":5,"faults":[{{"site":"{SITE}","index":[3],"flip":30}}]}}\n'
        f'{{"scenario":9,"faults":[{{"site":"{SITE}","index":[0],"flip":0}}]}}\n'
    )
    return path


def test_a_list_written_by_hand_runs_in_its_order(create, written, rows_of):
    campaign = create("c", sampler={}, faults=str(written))
    run_campaign(campaign)
    rows = rows_of(campaign)
    assert [row["scenario"] for row in rows] == [0, 1]
    assert rows[0]["critical"] > 3
    assert rows[1]["critical"] == 0
    table = summarize(campaign).tables["bit"]
    assert {row.key: row.failures for row in table.rows} == {"0": 0, "30": 1}


def test_the_list_is_copied_so_its_file_may_go(create, written):
    campaign = create("c", sampler={}, faults=str(written))
    written.unlink()
    assert run_campaign(campaign).done_now == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"site":"fc3.bias_quantized","index":[3],"flip":32}', "bit 32 is out of range"),
        ('{"site":"fc3.bias_quantized","index":[10],"flip":0}', "10"),
        ('{"site":"fc9.bias","index":[0],"flip":0}', "there is no site"),
        ('{"site":"fc3.bias_quantised","index":[3],"flip":0}', "mean 'fc3.bias_quantized'"),
        ('{"site":"fc3.bias_quantized","index":[0],"flap":0}', "flap"),
        ('{"site":"logits","index":[0],"flip":0,"sample":[60]}', "sample 60 is out of range"),
    ],
)
def test_a_wrong_list_is_refused_with_file_and_line(create, written, tmp_path, line, message):
    written.write_text(f'{{"schema":"onnxfi/faults/1"}}\n{{"scenario":0,"faults":[{line}]}}\n')
    with pytest.raises(FaultListError, match=f"mine.jsonl:2: .*{message}"):
        create("c", sampler={}, faults=str(written))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


def test_a_campaigns_own_recipe_makes_the_same_campaign(create, rows_of, tmp_path):
    first = create("a")
    again = create("b", sampler={}, faults=str(first.folder.faults))
    assert again.document.identity == first.document.identity
    # The recipe tells its sites, so what is said about targets beside it does not matter.
    third = create("c", sampler={}, faults=str(first.folder.faults), targets=("activation",))
    assert third.document.identity == first.document.identity


def test_a_recipe_for_other_sites_is_refused(create, tmp_path):
    recipe = tmp_path / "recipe.jsonl"
    text = create("a").folder.faults.read_text()
    recipe.write_text(text.replace("fc3.bias_quantized", "fc9.bias_quantized"))
    with pytest.raises(FaultListError, match=r"fc9\.bias_quantized"):
        create("b", sampler={}, faults=str(recipe))
    recipe.write_text(text.replace('"size":', '"size":1'))
    with pytest.raises(FaultListError, match="another fault space: size"):
        create("b", sampler={}, faults=str(recipe))


def loud(site, rng: np.random.Generator) -> Fault:
    """Set a random element to all ones."""
    return Fault(
        site=site.name,
        index=int(rng.integers(site.layout.elements)),
        and_mask=0,
        xor_mask=0x7F,
    )


def test_a_function_as_fault_model_is_written_out(create, rows_of):
    custom = CustomParts(fault_models=(CustomFault(loud, "loud"),))
    campaign = create("c", custom=custom, targets=("weight",), fault_models=("custom:loud",))
    assert campaign.folder.faults.read_text().count("\n") == 61
    run_campaign(campaign)
    assert any(row["masked"] < row["samples"] for row in rows_of(campaign))
