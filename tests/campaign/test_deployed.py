"""Campaigns on the deployed graph: made, run, resumed, and refused where the graph is another."""

from __future__ import annotations

import json

import msgspec
import pytest

from onnxfi.campaign import open_campaign, resume_or_create, run_campaign
from onnxfi.errors import CampaignMismatchError, ConfigError, FaultListError
from onnxfi.settings import RunOptions

pytestmark = pytest.mark.cpu

CHOICES = {"graph": "deployed", "sampler": {"kind": "uniform", "n": 24, "seed": 3}}


@pytest.mark.parametrize("targets", [("weight", "bias"), ("activation",)])
def test_a_campaign_runs_and_resumes(create, rows_of, targets):
    whole = create("whole", targets=targets, **CHOICES)
    parts = create("parts", targets=targets, **CHOICES)
    assert whole.document.identity == parts.document.identity
    run_campaign(whole)
    assert run_campaign(parts, RunOptions(max_injections=7)).done_now == 7
    assert run_campaign(open_campaign(parts.folder.path), RunOptions(workers=2)).done_now == 17
    assert rows_of(whole) == rows_of(parts)


def test_the_plan_says_which_graph(create):
    deployed, stored = create("d", **CHOICES), create("s")
    assert deployed.plan.graph == "deployed"
    assert len(deployed.plan.graph_sha256) == 64
    assert (stored.plan.graph, stored.plan.graph_sha256) == ("stored", None)
    header = json.loads(deployed.folder.faults.read_text().splitlines()[0])
    assert header["graph"] == "deployed"
    assert header["graph_sha256"] == deployed.plan.graph_sha256
    assert header["model_sha256"] == stored.document.identity_parts["model"]


def test_campaigns_of_before_there_was_a_choice_are_still_the_same(create):
    campaign = create("s")
    assert "graph" not in campaign.document.identity_parts["plan"]
    assert "graph" not in campaign.folder.faults.read_text().splitlines()[0]
    old = json.loads(campaign.folder.document.read_text())
    for part in (old["plan"], old["settings"]):
        part.pop("graph")
    old["plan"].pop("graph_sha256")
    campaign.folder.document.write_text(json.dumps(old))
    assert run_campaign(open_campaign(campaign.folder.path)).done_now == campaign.total


def test_another_graph_is_another_experiment(create, tmp_path, settings):
    create("c", **CHOICES)
    with pytest.raises(CampaignMismatchError, match=r"plan\.graph: deployed -> null"):
        resume_or_create(tmp_path / "c", settings(sampler=CHOICES["sampler"]))


def test_a_worker_with_another_graph_is_refused(create):
    campaign = create("c", **CHOICES)
    document = campaign.document
    plan = msgspec.structs.replace(document.plan, graph_sha256="0" * 64)
    other = msgspec.structs.replace(campaign.document, plan=plan)
    campaign.folder.document.write_bytes(msgspec.json.encode(other))
    with pytest.raises(CampaignMismatchError, match=r"onnxruntime makes another graph.*000000"):
        run_campaign(open_campaign(campaign.folder.path))


def test_lists_of_one_graph_are_refused_for_the_other(create):
    lists = {name: create(name, **more).folder.faults for name, more in _BOTH.items()}
    for name, other in (("stored", "deployed"), ("deployed", "stored")):
        with pytest.raises(FaultListError, match=f"sites of the {name} graph.*--graph {name}"):
            create("x", faults=str(lists[name]), sampler={}, graph=other)
    again = create("again", faults=str(lists["deployed"]), sampler={}, graph="deployed")
    assert again.plan.sites == create("deployed", **_BOTH["deployed"]).plan.sites


_BOTH = {"stored": {}, "deployed": CHOICES}


def test_a_list_of_another_deployed_graph_is_refused(create):
    path = create("c", **CHOICES).folder.faults
    with pytest.raises(FaultListError, match=r"another deployed graph.*another --optimization"):
        create(
            "x",
            faults=str(path),
            sampler={},
            graph="deployed",
            optimization="basic",
        )


def test_a_list_by_hand_names_deployed_sites(create, tmp_path):
    path = tmp_path / "hand.jsonl"
    header = {"schema": "onnxfi/faults/1", "graph": "deployed"}
    fault = {"site": "/relu1/Relu_output_0_QuantizeLinear_Output", "index": 3, "flip": 7}
    lines = (header, {"scenario": 0, "faults": [fault]})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    campaign = create("c", faults=str(path), sampler={}, graph="deployed")
    assert run_campaign(campaign).done_now == 1


def test_other_providers_are_refused(create):
    with pytest.raises(ConfigError, match="CPU provider only"):
        create("c", provider="cuda", **CHOICES)
