"""Campaigns of graph faults: the folder holds the graph, whatever becomes of the file."""

from __future__ import annotations

import msgspec
import pytest
from onnx import parser, save_model

from onnxfi.campaign import open_campaign, replay, run_campaign
from onnxfi.errors import CampaignMismatchError, ConfigError
from onnxfi.faults import parse_fault_model
from onnxfi.settings import RunOptions

TEXT = """<ir_version: 10, opset_import: ["" : 18]>
g (float[n, k] x, float scale) => (float[n, k] y) <float scale = {1.5}> { y = Mul(x, scale) }"""


@pytest.fixture
def drift(tmp_path):
    path = tmp_path / "drift.onnx"
    save_model(parser.parse_model(TEXT), path)
    return path


@pytest.fixture
def graphs(create, drift):
    """A campaign of graph faults; keywords of the graph are its options."""

    def make(name="c", options="", **changes):
        model = parse_fault_model(f"graph:{drift}{options}")
        chosen = {
            "fault_models": (model.spec(),),
            "fault_graphs": {model.graph.sha256: model.graph.data},
            "targets": ("activation",),
        }
        return create(name, **(chosen | changes))

    return make


def test_it_resumes_without_the_file(graphs, drift, rows_of):
    campaign = graphs(options=":scale=40")
    assert campaign.plan.engine in ("bake", "ports")
    run_campaign(campaign, RunOptions(max_injections=9))
    drift.unlink()
    resumed = open_campaign(campaign.folder.path)
    run_campaign(resumed)
    rows = rows_of(resumed)
    assert len(rows) == 60
    assert any(row["critical"] for row in rows)
    assert replay(resumed, 7).same
    save_model(parser.parse_model(TEXT), drift)
    again = graphs("again", ":scale=40", engine="bake")
    assert again.document.identity_parts["faults"] == campaign.document.identity_parts["faults"]
    run_campaign(again)
    assert rows_of(again) == rows


@pytest.mark.slow
def test_workers_change_no_row(graphs, rows_of):
    few = {"sampler": {"kind": "exhaustive", "seed": 0}}
    one, two = graphs("one", ":whole", **few), graphs("two", ":whole", **few)
    run_campaign(one)
    run_campaign(two, RunOptions(workers=2))
    assert rows_of(one) == rows_of(two)


def test_the_graph_is_part_of_the_identity(graphs):
    few = {"sampler": {"kind": "uniform", "n": 10, "seed": 0}}
    graphs(**few)
    graphs(**few)
    with pytest.raises(CampaignMismatchError, match="faults"):
        graphs(options=":scale=2", **few)
    with pytest.raises(CampaignMismatchError, match="faults"):
        graphs(options=":whole", **few)


def test_a_list_holds_it(graphs, create, rows_of, tmp_path):
    first = graphs(sampler={"kind": "uniform", "n": 20, "seed": 1, "faults_per_scenario": 3})
    run_campaign(first)
    listed = create("listed", faults=str(first.folder.faults), sampler={})
    assert listed.settings.fault_graphs == first.settings.fault_graphs
    run_campaign(listed)
    assert rows_of(listed) == rows_of(first)


def test_what_can_not_run_it(graphs):
    with pytest.raises(ConfigError, match="engine cut can't run this campaign: some faults are gr"):
        graphs(engine="cut")
    with pytest.raises(ConfigError, match="there in every sample"):
        graphs(sampler={"kind": "ber", "ber": 0.1, "n": 3, "seed": 0, "per_sample": True})


def test_documents_made_before_are_read(create):
    campaign = create()
    path = campaign.folder.document
    text = msgspec.json.decode(path.read_bytes())
    del text["settings"]["fault_graphs"]
    path.write_bytes(msgspec.json.encode(text))
    assert open_campaign(campaign.folder.path).settings.fault_graphs == {}
