from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.errors import ConfigError, GoldenError
from onnxfi.outcome import InjectionRecord, MetricSum, Outcome, OutcomeCounts, scenario_failed

CODES = st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=30)


@given(CODES, st.integers(0, 2**32))
def test_counts_say_what_the_codes_say(codes, seed):
    right = np.random.default_rng(seed).random(len(codes)) < 0.5
    counts = OutcomeCounts.of(np.array(codes, np.int8), right)
    assert counts.samples == len(codes)
    for outcome in Outcome:
        assert getattr(counts, outcome.label) == codes.count(outcome)
    assert counts.due == sum(code.due for code in codes)
    assert counts.failed == sum(code.failed for code in codes)
    assert counts.failed_share == counts.failed / len(codes)
    expected = sum(r and not c.due for c, r in zip(codes, right, strict=True))
    assert counts.correct == expected


@given(CODES, CODES)
def test_addition_is_counting_together(first, second):
    one, two = (OutcomeCounts.of(np.array(part, np.int8)) for part in (first, second))
    assert one + two == OutcomeCounts.of(np.array(first + second, np.int8))
    assert one + OutcomeCounts(samples=0) == one


def test_labels_survive_an_empty_start_and_never_mix():
    labelled = OutcomeCounts(samples=2, masked=2, correct=1)
    assert sum([labelled, labelled], OutcomeCounts(samples=0)).correct == 2
    with pytest.raises(ValueError, match="labels"):
        labelled + OutcomeCounts(samples=1, masked=1)
    with pytest.raises(TypeError):
        labelled + 1  # type: ignore[operator]


def test_a_run_without_outputs():
    counts = OutcomeCounts.whole(Outcome.DUE_TIMEOUT, 5, labelled=True)
    assert counts == OutcomeCounts(samples=5, due_timeout=5, correct=0)
    assert OutcomeCounts.whole(Outcome.DUE_CRASH, 5, labelled=False).correct is None
    with pytest.raises(ValueError, match="critical"):
        OutcomeCounts.whole(Outcome.CRITICAL, 5, labelled=True)


def test_records_travel_between_processes():
    record = InjectionRecord(
        scenario=3,
        counts=OutcomeCounts(samples=2, masked=2, metrics={"m": MetricSum(samples=2, total=0.5)}),
        run_s=0.1,
        worker="w0",
        finished_at="2024-01-01T00:00:00Z",
    )
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301


def test_a_scenario_fails_by_relative_accuracy():
    def after(correct):
        return OutcomeCounts(samples=1000, critical=1000, correct=correct)

    assert scenario_failed(after(855), 900, 0.05)
    assert not scenario_failed(after(856), 900, 0.05)
    assert not scenario_failed(after(950), 900, 0.05)  # faults may also help


def test_a_scenario_fails_by_its_failed_share_without_labels():
    assert scenario_failed(
        OutcomeCounts(samples=100, critical=3, due_crash=2, masked=95), None, 0.05
    )
    assert not scenario_failed(OutcomeCounts(samples=100, critical=4, tolerable=96), None, 0.05)


def test_no_accuracy_no_drop():
    with pytest.raises(GoldenError, match="none of 10"):
        scenario_failed(OutcomeCounts(samples=10, masked=10, correct=0), 0, 0.05)
    with pytest.raises(ConfigError, match="right answers"):
        scenario_failed(OutcomeCounts(samples=10, masked=10), 5, 0.05)


@pytest.mark.parametrize("drop", [0.0, -0.1, 1.01, float("nan")])
def test_drop_out_of_range(drop):
    with pytest.raises(ConfigError, match="drop"):
        scenario_failed(OutcomeCounts(samples=10, masked=10), None, drop)
