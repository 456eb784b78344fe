"""Monitors of campaigns: part of the experiment, kept with every row and once for golden."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
from onnx import parser

from onnxfi.campaign import GoldenFile, named_monitors, open_campaign, run_campaign, summarize
from onnxfi.errors import CampaignMismatchError, ConfigError
from onnxfi.graph import load
from onnxfi.settings import RunOptions

MODELS = Path(__file__).resolve().parents[2] / "models"

GLOBS = ("*relu?/Relu_output_0", "logits")


def test_rows_have_statistics_and_golden_is_kept_once(create, rows_of):
    campaign = create(monitors=GLOBS)
    names = campaign.plan.monitors
    assert len(names) == 5
    assert names[-1] == "logits"
    run_campaign(campaign, RunOptions(max_injections=7))
    resumed = open_campaign(campaign.folder.path)
    run_campaign(resumed)
    golden = GoldenFile.read(campaign.folder.golden).monitors
    assert tuple(golden) == names
    fields = {field.name for field in dataclasses.fields(golden["logits"])}
    for row in rows_of(resumed):
        found = row["metrics"]["monitors"]
        assert sorted(found) == sorted(names)
        assert all(set(found[name]) == fields for name in names)
        assert found["logits"]["elements"] == 60 * 10 == golden["logits"].elements
        if row["masked"] < row["samples"]:
            assert found["logits"]["changed_share"] > 0
        json.dumps(row["metrics"], allow_nan=False)
    at_once = create("other", monitors=GLOBS)
    run_campaign(at_once)
    assert rows_of(at_once) == rows_of(resumed)


def test_the_summary_puts_them_beside_golden(create):
    campaign = create(monitors=("logits",))
    run_campaign(campaign)
    (row,) = summarize(campaign).monitors
    assert row.value == "logits"
    assert row.injections == campaign.total
    masked = sum(r.counts.masked == r.counts.samples for r in campaign.records())
    assert row.changed == campaign.total - masked > 0
    assert summarize(create("plain")).monitors == ()


def test_they_are_part_of_the_identity(create):
    plain = create("plain")
    assert "monitors" not in plain.document.identity_parts["plan"]
    watched = create("watched", monitors=("logits",))
    assert watched.document.identity != plain.document.identity
    with pytest.raises(CampaignMismatchError, match=r"plan\.monitors"):
        create("plain", monitors=("logits",))


def test_campaigns_made_before_there_were_monitors_are_read(create):
    campaign = create()
    path = campaign.folder.document
    text = msgspec.json.decode(path.read_bytes())
    del text["settings"]["monitors"]
    del text["plan"]["monitors"]
    path.write_bytes(msgspec.json.encode(text))
    found = open_campaign(campaign.folder.path)
    assert found.plan.monitors == ()
    assert run_campaign(found).done_now == campaign.total


def test_a_glob_that_names_nothing_is_refused(create, tmp_path):
    with pytest.raises(
        ConfigError, match=r"no computed value matches the monitor 'logit'.*'logits'"
    ):
        create(monitors=("logit",))
    assert not (tmp_path / "c").exists()


IF = """
<ir_version: 10, opset_import: ["" : 18]>
g (float[n] x, bool c) => (float[n] y)
{
  y = If(c) <
    then_branch = t () => (float[n] a) { a = Neg(x) },
    else_branch = e () => (float[n] b) { b = Abs(x) }
  >
}
"""


def test_values_in_bodies_are_no_candidates():
    model = load(parser.parse_model(IF))
    assert named_monitors(("y",), model) == ("y",)
    inside = next(name for node in model.index.nodes for name in node.outputs if "/" in name)
    with pytest.raises(ConfigError, match="lies in a control-flow body"):
        named_monitors((inside,), model)


def test_names_come_in_topological_order_each_once():
    model = load(MODELS / "lenet5_mnist_fp32.onnx")
    found = named_monitors(("logits", "*", "/relu1*"), model)
    made = [name for node in model.index.nodes for name in node.outputs]
    assert list(found) == made


PACKED = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[n, 4] x) => (float[n, 4] y)
<float scale = {0.1}>
{ q = QuantizeLinear<output_dtype = 22>(x, scale)  y = DequantizeLinear(q, scale) }
"""


def test_values_that_are_packed_below_one_byte_are_no_candidates():
    model = load(parser.parse_model(PACKED))
    assert named_monitors(("*",), model) == ("y",)
    with pytest.raises(ConfigError, match="no tensor of a known type"):
        named_monitors(("q",), model)
