"""Sites that some engines can't reach: who takes them, and that refusals come before folders."""

from __future__ import annotations

import onnx
import pytest
from onnx import parser

from onnxfi.campaign import resume_or_create, run_campaign
from onnxfi.errors import ConfigError
from onnxfi.settings import CampaignSettings

# Between the split and the insertion no value can cross a cut: the sequence goes the same way.
SEQUENCE = """
<ir_version: 8, opset_import: ["" : 17]>
held (float[n, 4] x) => (float[n, 3] y)
<float[4, 4] w = {1.0, -2.0, 3.0, 4.0, 1.0, 2.0, -3.0, 4.0, 1.0, 2.0, 3.0, 4.0,
 1.0, 2.0, 3.0, -4.0},
 float[4, 3] u = {0.5, -1.0, 2.0, 1.0, 1.0, -1.0, 0.25, 2.0, 1.0, -1.0, 1.0, 1.0},
 int64 first = {0}, int64 third = {2}>
{
  h = MatMul(x, w)
  sq = SplitToSequence<axis = 1>(h)
  e = SequenceAt(sq, third)
  less = SequenceErase(sq, first)
  more = SequenceInsert(less, e)
  c = ConcatFromSequence<axis = 1>(more)
  y = MatMul(c, u)
}
"""
# A body of a loop, and a float8 value, which no operator gathers.
APART = """
<ir_version: 10, opset_import: ["" : 19]>
apart (float[n, 4] x) => (float[n, 4] y)
<int64 times = {2}, bool on = {1}, float one = {1.0}>
{
  q = Cast<to = 17>(x)
  f = Cast<to = 1>(q)
  y = Loop(times, on, f) <
    body = body (int64 i, bool c, float[n, 4] v) => (bool d, float[n, 4] r)
      { d = Identity(c)  s = Mul(v, v)  r = Add(s, one) }
  >
}
"""

UNIFORM = {"kind": "uniform", "n": 60, "seed": 2}


def _model(tmp_path, text):
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    return str(tmp_path / "m.onnx")


def _settings(model, engine, **more):
    return CampaignSettings(
        model=model,
        inputs="random:5:0",
        targets=("activation", "input"),
        engine=engine,
        **{"sampler": UNIFORM, "criterion": "top1", "optimization": "disabled", **more},
    )


def test_what_can_not_be_cut_is_baked_beside(tmp_path, rows_of):
    model = _model(tmp_path, SEQUENCE)
    rows = {}
    for engine in ("auto", "bake", "ports"):
        campaign = resume_or_create(tmp_path / engine, _settings(model, engine))
        run_campaign(campaign)
        assert "e" in campaign.plan.sites
        rows[engine] = rows_of(campaign)
        if engine == "auto":
            assert campaign.plan.engine == "cut"
            assert "site 'e' is baked: the graph can't be cut" in campaign.plan.engine_reason
    assert rows["auto"] == rows["bake"] == rows["ports"]


def test_an_engine_that_can_not_is_refused_before_a_folder_is_made(tmp_path):
    model = _model(tmp_path, SEQUENCE)
    said = r"engine cut can't run this campaign: site 'e': .* cut behind it.*that can: bake, ports"
    with pytest.raises(ConfigError, match=said):
        resume_or_create(tmp_path / "made", _settings(model, "cut"))
    said = "engine lift can't run this campaign: site 'x': it is computed.*can: bake, ports"
    with pytest.raises(ConfigError, match=said):
        resume_or_create(tmp_path / "made", _settings(model, "lift"))
    assert not (tmp_path / "made").exists()


def test_scenarios_of_many_sites_go_to_an_engine_that_reaches_all(tmp_path, rows_of):
    model = _model(tmp_path, SEQUENCE)
    ber = {"kind": "ber", "ber": 0.002, "n": 12, "seed": 1}
    rows = {}
    for engine in ("auto", "bake", "ports"):
        campaign = resume_or_create(tmp_path / engine, _settings(model, engine, sampler=ber))
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert rows["auto"] == rows["bake"] == rows["ports"]


def test_two_engines_carry_out_what_neither_can_alone(tmp_path, rows_of):
    model = _model(tmp_path, APART)
    campaign = resume_or_create(tmp_path / "c", _settings(model, "auto", criterion="tolerance:1"))
    assert campaign.plan.engine == "cut"
    assert {"q", "f", "Loop#1/body/s"} <= set(campaign.plan.sites)
    run_campaign(campaign)
    assert len(rows_of(campaign)) == 60
    for engine in ("bake", "ports", "cut"):
        with pytest.raises(ConfigError, match=f"engine {engine} can't run this campaign: site"):
            resume_or_create(tmp_path / engine, _settings(model, engine, criterion="tolerance:1"))


# Nothing waits for the product; what the cast goes by is not read where the type is known.
UNREAD = """
<ir_version: 8, opset_import: ["" : 17]>
unread (float[n, 3] x, double[n, 3] like) => (float[n, 3] y)
{
  dead = Mul(x, x)
  h = Neg(x)
  d = CastLike(h, like)
  y = Cast<to = 1>(d)
}
"""


def test_what_no_output_needs_is_no_site_and_not_fed(tmp_path, rows_of):
    model = _model(tmp_path, UNREAD)
    rows = {}
    for engine in ("bake", "ports", "cut"):
        settings = _settings(model, engine, optimization="all")
        campaign = resume_or_create(tmp_path / engine, settings)
        assert "h" in campaign.plan.sites
        assert "dead" not in campaign.plan.sites
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert rows["bake"] == rows["ports"] == rows["cut"]
