"""Making campaigns: identity, refusals, and that nothing half-written stays behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxfi.campaign import InMemory, open_campaign, resume_or_create, run_campaign
from onnxfi.engine import instruction_set, int8_arithmetic
from onnxfi.errors import (
    CampaignError,
    CampaignExistsError,
    CampaignMismatchError,
    ConfigError,
    GoldenError,
    OnnxFIError,
    StoreError,
)
from onnxfi.settings import RunOptions


def test_the_folder_holds_what_the_design_says(create):
    campaign = create()
    names = {path.name for path in campaign.folder.path.iterdir()}
    assert names == {"campaign.json", "faults.jsonl", "golden.npz", "results.sqlite"}
    document = json.loads(campaign.folder.document.read_text())
    assert document["settings"]["drop"] == 0.05  # defaults are written out
    assert document["plan"]["scenarios"] == 60
    assert document["plan"]["golden_correct"] > 50
    assert campaign.folder.faults.read_text().count("\n") == 1  # a recipe: header only


def test_the_same_settings_open_the_same_campaign(create):
    first, second = create("a"), create("a")
    assert first.document == second.document
    assert first.document.identity == create("b").document.identity


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"drop": 0.1}, "drop"),
        ({"sampler": {"kind": "uniform", "n": 60, "seed": 4}}, "faults"),
        ({"targets": ("weight",)}, "faults"),
        ({"batch_size": 7}, "plan.batch_size: 60 -> 7"),
        ({"model": "lenet5_mnist_int8_qoperator.onnx"}, "model"),
    ],
)
def test_another_experiment_in_the_folder_is_refused_with_what_differs(create, change, named):
    create("a")
    if "model" in change:
        change = {"model": str(Path("models").absolute() / change["model"])}
    with pytest.raises(CampaignMismatchError, match=f"differs in .*{named}"):
        create("a", **change)


def test_a_folder_with_other_files_is_refused_and_left_alone(create, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.tex").write_text("mine")
    with pytest.raises(CampaignExistsError, match="not a campaign"):
        create("c")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert (tmp_path / "c" / "thesis.tex").read_text() == "mine"


def test_an_empty_folder_is_taken(create, tmp_path):
    (tmp_path / "c").mkdir()
    assert create("c").folder.holds_campaign()


@pytest.mark.parametrize(
    "change",
    [
        {"drop": 0.0},
        {"batch_size": 0},
        {"timeout_s": -1.0},
        {"sampler": {}},
        {"sampler": {"kind": "uniform", "n": 60, "seed": 3}, "faults": "list.jsonl"},
        {"sampler": {"kind": "magic"}},
        {"include": ("no-such-site*",)},
        {"criterion": "tolerance:x"},
        {"engine": "warp"},
        {"optimization": "max"},
        {"provider": "abacus"},
        {"fault_models": ("flip:bits=31",)},
        {"inputs": "missing.npz"},
        {"model": "missing.onnx"},
    ],
)
def test_bad_settings_are_refused_and_nothing_is_left(create, tmp_path, change):
    with pytest.raises(OnnxFIError) as caught:
        create("c", **change)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_labels_that_are_never_right_are_refused(create, images, tmp_path):
    wrong = tmp_path / "wrong.npz"
    with np.load(images) as data:
        np.savez(wrong, image=data["image"], labels=np.full(60, 99, np.int64))
    with pytest.raises(GoldenError, match="none of the 60 labelled samples"):
        create("c", inputs=str(wrong))


def test_a_changed_model_is_refused_when_running(create, tmp_path):
    source = Path("models/lenet5_mnist_int8_qdq.onnx")
    model = tmp_path / "model.onnx"
    model.write_bytes(source.read_bytes())
    campaign = create("c", model=str(model))
    proto = onnx.load(model)
    proto.graph.name = "another"
    onnx.save(proto, model)
    with pytest.raises(CampaignMismatchError, match="has changed since"):
        run_campaign(campaign)


def test_an_edited_document_is_refused(create):
    campaign = create()
    text = campaign.folder.document.read_text().replace('"drop": 0.05', '"drop": 0.06')
    document = json.loads(text)
    document["identity_parts"]["drop"] = 0.06
    campaign.folder.document.write_text(json.dumps(document))
    with pytest.raises(CampaignMismatchError, match="was edited"):
        open_campaign(campaign.folder.path)


def test_damaged_files_give_one_clear_error(create, tmp_path):
    campaign = create()
    for content in (b"x", campaign.folder.golden.read_bytes()[:-400]):
        campaign.folder.golden.write_bytes(content)
        with pytest.raises(StoreError, match=r"golden\.npz is damaged"):
            run_campaign(open_campaign(campaign.folder.path))
    campaign.folder.golden.unlink()
    with pytest.raises(StoreError, match=r"golden\.npz is missing"):
        run_campaign(open_campaign(campaign.folder.path))
    campaign.folder.results.write_bytes(b"not a database, much longer than a header" * 10)
    with pytest.raises(StoreError, match="not a readable result store"):
        run_campaign(open_campaign(campaign.folder.path))
    campaign.folder.results.unlink()
    with pytest.raises(StoreError, match="missing"):
        campaign.done()
    campaign.folder.document.write_text("{")
    with pytest.raises(CampaignError, match="damaged"):
        open_campaign(campaign.folder.path)
    with pytest.raises(CampaignError, match="holds no campaign"):
        open_campaign(tmp_path / "nowhere")


@pytest.mark.parametrize("graph", ["stored", "deployed"])
def test_another_machine_is_refused(create, settings, monkeypatch, graph):
    """Before all else: there, the deployed graph is another one, too."""
    campaign = create(graph=graph)
    run_campaign(campaign, RunOptions(max_injections=5))
    before = campaign.folder.results.read_bytes()
    here = instruction_set()
    monkeypatch.setattr("onnxfi.engine.instruction_set", lambda: "vax")
    monkeypatch.setattr("onnxfi.campaign._campaign.choose_graph", _another_graph)
    reason = (
        f"was made with instruction set {re.escape(here)} \\(here it is vax\\); rows would not be "
        "comparable: run it there, or make a new campaign"
    )
    with pytest.raises(CampaignMismatchError, match=reason):
        run_campaign(open_campaign(campaign.folder.path))
    with pytest.raises(CampaignMismatchError, match=reason):
        resume_or_create(campaign.folder.path, settings(graph=graph))
    assert campaign.folder.results.read_bytes() == before
    assert len(open_campaign(campaign.folder.path).records()) == 5


def _another_graph(*_arguments):
    raise AssertionError("looked at before the machine")


def test_kernels_that_saturate_are_another_machine(create, monkeypatch):
    campaign = create()
    here = int8_arithmetic()
    monkeypatch.setattr("onnxfi.engine.int8_arithmetic", lambda: "odd")
    with pytest.raises(CampaignMismatchError, match=rf"int8 arithmetic {here} \(here it is odd\)"):
        run_campaign(campaign)


def test_a_finished_campaign_can_be_opened_anywhere(create, monkeypatch):
    campaign = create()
    run_campaign(campaign)
    monkeypatch.setattr("onnxfi.engine.instruction_set", lambda: "vax")
    assert run_campaign(open_campaign(campaign.folder.path)).done_now == 0


def test_model_and_workload_in_memory_are_saved_into_the_folder(settings, images, tmp_path):
    proto = onnx.load("models/lenet5_mnist_int8_qdq.onnx")
    before = proto.SerializeToString()
    with np.load(images) as data:
        arrays = {name: data[name] for name in data.files}
    campaign = resume_or_create(
        tmp_path / "c", settings(), objects=InMemory(model=proto, inputs=arrays)
    )
    assert proto.SerializeToString() == before
    assert campaign.settings.model == "model.onnx"
    moved = tmp_path / "moved"
    campaign.folder.path.rename(moved)
    assert run_campaign(open_campaign(moved)).done_now == 60


def test_without_a_folder_the_name_tells_model_and_identity(settings, tmp_path, monkeypatch):
    chosen = settings(model=str(Path("models/lenet5_mnist_int8_qdq.onnx").absolute()))
    monkeypatch.chdir(tmp_path)
    campaign = resume_or_create(None, chosen)
    assert campaign.folder.path.parent == Path("runs")
    assert campaign.folder.path.name.startswith("lenet5_mnist_int8_qdq-")
    assert resume_or_create(None, chosen).folder == campaign.folder
    with pytest.raises(ConfigError, match="neither"):
        resume_or_create(None, None)


def test_a_model_that_moved_is_found_where_it_is_now(create, tmp_path):
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    before.write_bytes(Path("models/lenet5_mnist_int8_qdq.onnx").read_bytes())
    campaign = create("a", model=str(before))
    before.rename(after)
    with pytest.raises(CampaignError, match=r"before\.onnx, the model of .* not there any .*run"):
        run_campaign(campaign)
    assert create("a", model=str(after)).settings.model == str(after)
    assert run_campaign(open_campaign(campaign.folder.path)).done_now == 60


def test_files_inside_the_folder_stay_the_campaigns_own(settings, images, tmp_path):
    path = Path("models/lenet5_mnist_int8_qdq.onnx").absolute()
    inside = settings(model=InMemory.MODEL)
    made = resume_or_create(tmp_path / "a", inside, objects=InMemory(model=path.read_bytes()))
    saved = str(made.folder.model)
    assert resume_or_create(tmp_path / "a", settings(model=saved)).settings.model == InMemory.MODEL
