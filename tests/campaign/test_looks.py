"""Campaigns that stop when enough is known, and intervals that hold though they do."""

from __future__ import annotations

import numpy as np
import pytest

import onnxfi as fi
from onnxfi.analysis import failure_rate, look_confidence
from onnxfi.campaign import summarize
from onnxfi.errors import ConfigError
from onnxfi.settings import StopRule

MODEL = "models/lenet5_mnist_fp32.onnx"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    with np.load("models/mnist_test1000.npz") as file:
        arrays = {name: file[name][:16] for name in file.files}
    path = tmp_path_factory.mktemp("inputs") / "few.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture
def campaign(tmp_path, samples):
    return fi.Campaign.create(
        tmp_path / "c",
        model=MODEL,
        inputs=samples,
        fault_model=fi.BitFlip("30"),
        sampler=fi.UniformSampler(n=600, seed=3),
        block_size=50,
    )


def test_levels_at_all_looks_together_keep_the_level():
    spent = sum(1 - look_confidence(0.95, look) for look in range(1, 200_000))
    assert 0.0499 < spent < 0.05


def test_a_run_stops_when_the_interval_is_narrow_and_says_how_it_was_judged(campaign):
    told = campaign.run(stop=StopRule(margin=0.1))
    assert told.stopped == "margin"
    summary = campaign.summary()
    rate = summary.rates["failure"]
    assert rate.margin <= 0.1
    assert "holds at every look" in rate.method
    assert any("a stop rule looked" in note for note in summary.notes)
    plain = failure_rate(round(rate.value * rate.n), rate.n)
    assert rate.margin > plain.margin
    assert rate.method.startswith("hypergeometric")  # Wilson's does not hold at looks
    # Asked again, it knows; asked for more, it goes on where it stopped.
    assert campaign.run(stop=StopRule(margin=0.1)).done_now <= 50
    more = campaign.run(stop=StopRule(relative_margin=0.15))
    assert more.stopped == "relative-margin"
    assert summarize(campaign.opened).rates["failure"].n > rate.n


def test_a_run_stops_when_enough_failures_are_found(campaign):
    told = campaign.run(stop=StopRule(find=7))
    assert told.stopped == "find"
    found = [row for row in campaign.opened.records() if row.counts.critical + row.counts.due > 0]
    assert len(found) >= 7
    assert told.done_now < 200


def test_a_margin_that_is_just_met_is_enough(campaign, tmp_path, samples):
    told = campaign.run(stop=StopRule(margin=0.1))
    margin = campaign.summary().rates["failure"].margin
    again = fi.Campaign.create(
        tmp_path / "again",
        model=MODEL,
        inputs=samples,
        fault_model=fi.BitFlip("30"),
        sampler=fi.UniformSampler(n=600, seed=3),
        block_size=50,
    )
    assert again.run(stop=StopRule(margin=margin)).done_now == told.done_now
    assert again.summary().rates["failure"].margin == margin


def test_failures_are_counted_to_the_last_and_those_before_with_them(tmp_path, samples):
    campaign = fi.Campaign.create(
        tmp_path / "c",
        model=MODEL,
        inputs=samples,
        targets=["bias"],
        fault_model=fi.SetValue(
            float("nan")
        ),  # in a bias: every sample is due, whichever element it is
        sampler=fi.UniformSampler(n=100),
    )
    assert campaign.run(stop=StopRule(find=1)).done_now == 1  # the first unit is one scenario
    assert campaign.run(stop=StopRule(find=2)).done_now == 1


def test_a_rule_that_is_never_content_lets_the_campaign_end(campaign):
    told = campaign.run(stop=StopRule(margin=1e-6))
    assert told.stopped is None
    assert told.done_now == 600


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"margin": 0.1, "find": 3}, "choose one"),
        ({"margin": 0}, "margin is 0"),
        ({"relative_margin": -1.0}, "relative_margin is -1"),
        ({"find": 0}, "find is 0"),
    ],
)
def test_rules_that_are_none(rule, message):
    with pytest.raises(ConfigError, match=message):
        StopRule(**rule)
