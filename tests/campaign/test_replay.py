"""Replays: the stored row comes out again, sample by sample, and nothing is stored."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from onnxfi.campaign import ReplayOptions, replay, run_campaign
from onnxfi.errors import ConfigError
from onnxfi.outcome import Outcome
from onnxfi.settings import RunOptions


@pytest.mark.parametrize("engine", ["bake", "lift", "ports", "cut"])
def test_the_stored_row_comes_out_again(create, engine):
    campaign = create(engine=engine, monitors=("logits",))
    run_campaign(campaign)
    before = campaign.folder.results.read_bytes()
    records = {record.scenario: record for record in campaign.records()}
    worst = max(records, key=lambda number: records[number].counts.critical)
    for number in {0, 17, worst}:
        found = replay(campaign, number, ReplayOptions(outputs=True))
        assert found.same
        assert found.differences == ()
        assert found.counts == records[number].counts
        assert found.monitors == records[number].monitors
        counted = np.bincount(found.outcomes, minlength=len(Outcome)).tolist()
        assert counted == [getattr(found.counts, kind.label) for kind in Outcome]
        golden, faulty = found.golden["logits"], found.faulty["logits"]
        assert golden.shape == faulty.shape == (60, 10)
        changed = (golden.view(np.uint32) != faulty.view(np.uint32)).any(axis=1)
        assert (changed == (found.outcomes != Outcome.MASKED)).all()
        assert found.answers is not None
        assert (found.answers[1] == faulty.argmax(axis=1)).all()
        decided = found.answers[0] != found.answers[1]
        assert (decided == (found.outcomes == Outcome.CRITICAL)).all()
    assert campaign.folder.results.read_bytes() == before


def test_a_pending_scenario_has_nothing_to_be_compared_with(create):
    campaign = create()
    run_campaign(campaign, RunOptions(max_injections=1))
    pending = next(k for k in range(60) if k not in {r.scenario for r in campaign.records()})
    found = replay(campaign, pending)
    assert found.stored is None
    assert found.same is None
    assert found.golden == {}
    with pytest.raises(ConfigError, match=r"scenario 60 does not exist; .* has 0 to 59"):
        replay(campaign, 60)


def test_a_row_that_does_not_come_out_again(create):
    campaign = create(monitors=("logits",))
    run_campaign(campaign)
    with sqlite3.connect(campaign.folder.results) as connection:
        connection.execute(
            "UPDATE results SET masked = masked - 1, critical = critical + 1,"
            " metrics = replace(metrics, '\"nonfinite\": 0', '\"nonfinite\": 1') WHERE scenario = 4"
        )
    connection.close()
    found = replay(campaign, 4)
    assert found.same is False
    assert found.differences == ("masked", "critical", "logits")


def test_a_trace_of_a_campaign(create):
    campaign = create(targets=("activation",), monitors=("logits",))
    found = replay(campaign, 2, ReplayOptions(trace=True))
    (site,) = found.sites
    assert found.trace is not None
    assert found.trace.first is not None
    assert found.trace.first.name == site
    assert found.trace.samples == 60
