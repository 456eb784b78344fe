"""Campaigns whose scenarios are not equally likely, from drawing to rates."""

from __future__ import annotations

import re

import numpy as np
import pytest

import onnxfi as fi
from onnxfi.campaign import summarize

MODEL = "models/lenet5_mnist_fp32.onnx"
INPUTS = "models/mnist_test1000.npz"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    with np.load(INPUTS) as file:
        arrays = {name: file[name][:24] for name in file.files}
    path = tmp_path_factory.mktemp("inputs") / "few.npz"
    np.savez(path, **arrays)
    return str(path)


def bias_site():
    sites = fi.enumerate_sites(MODEL, targets=["bias"])
    return min(sites, key=lambda site: site.layout.elements)


def scores_of(site):
    by_bit = np.full((site.layout.elements, 32), 0.01)
    by_bit[:, 30] = 1.0
    return fi.ArrayScores.read({site.name: by_bit}, {site.name: site})


def campaign_of(folder, samples, site, sampler):
    return fi.Campaign.create(
        folder,
        model=MODEL,
        inputs=samples,
        targets=["bias"],
        include=[site.name],
        sampler=sampler,
        drop=0.01,
    )


def test_a_complete_importance_order_equals_the_census(tmp_path, samples):
    site = bias_site()
    size = site.layout.elements * 32
    sampler = fi.ImportanceSampler(n=size, scores=scores_of(site), seed=2)
    ordered = campaign_of(tmp_path / "order", samples, site, sampler)
    census = campaign_of(tmp_path / "census", samples, site, fi.ExhaustiveSampler())
    ordered.run()
    census.run()
    one, other = ordered.summary(), census.summary()
    assert one.counts == other.counts
    assert one.rates["failure"].value == pytest.approx(other.rates["failure"].value)
    assert one.rates["failure"].value > 0
    assert one.rates["failure"].method == "census"
    assert one.accuracy is not None
    assert other.accuracy is not None
    assert one.accuracy.mean.value == pytest.approx(other.accuracy.mean.value)


def test_importance_campaigns_resume_from_their_list_and_estimate_from_a_prefix(tmp_path, samples):
    site = bias_site()
    sampler = fi.ImportanceSampler(n=120, scores=scores_of(site), seed=5)
    campaign = campaign_of(tmp_path / "c", samples, site, sampler)
    campaign.run(max_injections=70)
    part = campaign.summary()
    assert part.used == 50  # whole blocks
    assert part.efficiency is not None
    again = fi.Campaign.open(tmp_path / "c")
    again.run()
    whole = again.summary()
    census = campaign_of(tmp_path / "all", samples, site, fi.ExhaustiveSampler())
    census.run()
    truth = census.estimate("failure").value
    for found in (part.rates["failure"], whole.rates["failure"]):
        assert found.low <= truth <= found.high
    assert whole.rates["failure_bound"].low <= truth <= whole.rates["failure_bound"].high
    # How many faults there are in a domain is known, though the list is written out.
    (row,) = [row for row in whole.tables["bit"].rows if row.key == "30"]
    exact = {row.key: row.rate.value for row in census.summary().tables["bit"].rows}["30"]
    assert row.n == site.layout.elements  # all there are
    assert row.rate.value == pytest.approx(exact, rel=0.1)
    assert row.rate.high < 1
    same = campaign_of(tmp_path / "c", samples, site, sampler)
    assert same.summary().identity == whole.identity


def test_stratified_campaigns_estimate_by_strata(tmp_path, samples):
    site = bias_site()
    sampler = fi.StratifiedSampler(n=100, by=["field"], seed=1)
    campaign = campaign_of(tmp_path / "s", samples, site, sampler)
    campaign.run()
    found = campaign.estimate("failure")
    assert found.method == "stratified, MOVER"
    census = campaign_of(tmp_path / "all", samples, site, fi.ExhaustiveSampler())
    census.run()
    assert found.low <= census.estimate("failure").value <= found.high


def test_a_search_finds_failures_and_gives_no_rate(tmp_path, samples):
    site = bias_site()
    sampler = fi.TopSampler(n=60, scores=scores_of(site), seed=2)
    campaign = campaign_of(tmp_path / "top", samples, site, sampler)
    with pytest.raises(fi.ConfigError, match="no rate can be had from sampler top"):
        campaign.run(stop=fi.StopRule(margin=0.1))
    assert campaign.run(stop=fi.StopRule(find=3)).stopped == "find"
    again = fi.Campaign.open(tmp_path / "top")
    again.run()
    summary = again.summary()
    failed = sum(row["critical"] + row["due_nonfinite"] > 0 for row in again.rows())
    assert summary.search
    assert list(summary.rates) == ["precision"]
    precision = again.estimate("precision")
    assert 0 < precision.value == precision.low == precision.high
    assert precision.value * 60 <= failed
    with pytest.raises(fi.ConfigError, match="use sampler importance"):
        again.estimate("failure")
    with pytest.raises(fi.ConfigError, match="FIT rate needs"):
        summarize(again.opened, fit_per_mbit=700.0)
    assert any("a search for failures" in note for note in summary.notes)
    assert not any("a stop rule looked" in note for note in summary.notes)
    bits = summary.tables["bit"].rows
    assert {row.key: row.n for row in bits}["30"] == site.layout.elements
    assert sum(row.failures for row in bits) == round(precision.value * 60)
    again.report(tmp_path / "top.md")
    told = (tmp_path / "top.md").read_text()
    assert "no rate of the fault space can be had from it" in told
    assert "precision" in told
    assert "failure rate" not in told


@pytest.fixture
def pilot(tmp_path, samples):
    site = bias_site()
    made = campaign_of(tmp_path / "pilot", samples, site, fi.UniformSampler(n=100, seed=1))
    made.run()
    return made


def test_a_pilot_says_where_more_scenarios_are_needed(tmp_path, samples, pilot):
    rates = fi.pilot_rates(pilot.folder, ["field"])
    assert rates["exponent"] > rates["mantissa"] > 0
    site = bias_site()
    told = fi.StratifiedSampler(n=120, by=["field"], seed=1, rates=rates)
    campaign = campaign_of(tmp_path / "s", samples, site, told)
    campaign.run()
    rows = {row.key: row for row in campaign.summary().tables["field"].rows}
    # A quarter of the bits are exponent bits, where all failures of the pilot were.
    assert rows["exponent"].n > 0.35 * 120
    assert rows["sign"].n >= 1
    census = campaign_of(tmp_path / "all", samples, site, fi.ExhaustiveSampler())
    census.run()
    found = campaign.estimate("failure")
    assert found.low <= census.estimate("failure").value <= found.high
    # A stratified campaign can be one, too; what it can be no pilot for is said.
    assert set(fi.pilot_rates(campaign.folder, ["bit"])) == {str(bit) for bit in range(32)}


def test_what_can_be_no_pilot(tmp_path, samples, pilot):
    site = bias_site()
    idle = campaign_of(tmp_path / "idle", samples, site, fi.UniformSampler(n=60, seed=9))
    top = campaign_of(tmp_path / "t", samples, site, fi.TopSampler(n=9, scores=scores_of(site)))
    sets = fi.UniformSampler(n=9, faults_per_scenario=2)
    several = campaign_of(tmp_path / "m", samples, site, sets)
    for campaign, message in ((idle, "no block"), (top, "single faults"), (several, "single")):
        with pytest.raises(fi.ConfigError, match=message):
            fi.pilot_rates(campaign.folder, ["bit"])


def test_rates_by_channel_have_the_weights_of_their_design(tmp_path, samples):
    site = bias_site()
    size = site.layout.elements
    whole = fi.ImportanceSampler(n=size * 32, scores=scores_of(site), seed=2)
    rows = []
    for name, sampler in (("order", whole), ("census", fi.ExhaustiveSampler())):
        campaign = campaign_of(tmp_path / name, samples, site, sampler)
        campaign.run()
        assert "channel" not in campaign.summary().tables
        table = campaign.summary(by=["channel"]).tables["channel"]
        assert [row.key for row in table.rows] == [f"{site.name}:{k}" for k in range(size)]
        assert {row.n for row in table.rows} == {32}
        rows.append([row.rate.value for row in table.rows])
    assert rows[0] == pytest.approx(rows[1])
    assert max(rows[1]) > 0
    some = fi.ImportanceSampler(n=80, scores=scores_of(site), seed=2)
    campaign = campaign_of(tmp_path / "some", samples, site, some)
    campaign.run()
    found = campaign.summary(by=["channel"]).tables["channel"].rows
    for row in found:
        truth = rows[1][int(row.key.rpartition(":")[2])]
        assert row.rate.low <= truth <= row.rate.high
    with pytest.raises(fi.ConfigError, match="by 'colour'"):
        campaign.summary(by=["colour"])


def test_a_list_that_lost_its_keys_gives_no_rate(tmp_path, samples):
    site = bias_site()
    sampler = fi.ImportanceSampler(n=60, scores=scores_of(site), seed=5)
    campaign = campaign_of(tmp_path / "c", samples, site, sampler)
    listed = (tmp_path / "c" / "faults.jsonl").read_text()
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text(re.sub(r'"key":[^,}]+,', "", listed))
    other = fi.Campaign.create(
        tmp_path / "d", model=MODEL, inputs=samples, faults=damaged, drop=0.01
    )
    other.run()
    with pytest.raises(fi.FaultListError, match="priority sample"):
        other.summary()
    assert campaign.summary().total == 60
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(listed.splitlines()[:41]) + "\n")
    short = fi.Campaign.create(tmp_path / "e", model=MODEL, inputs=samples, faults=cut, drop=0.01)
    short.run()
    with pytest.raises(fi.FaultListError, match="of 60 scenarios, but has 40"):
        short.summary()
