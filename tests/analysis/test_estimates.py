from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.analysis import EqualDesign, estimate, observe, outcome_shares, source_facets
from onnxfi.errors import ConfigError, GoldenError
from onnxfi.outcome import InjectionRecord, Outcome, OutcomeCounts, scenario_failed
from onnxfi.sampling import SampledScenarios, UniformSampler


def record(scenario: int, counts: OutcomeCounts) -> InjectionRecord:
    return InjectionRecord(
        scenario=scenario, counts=counts, run_s=0.1, worker="w", finished_at="2024-01-01T00:00:00Z"
    )


def counts_of(seed: int, n: int, *, labels: bool) -> list[OutcomeCounts]:
    rng = np.random.default_rng(seed)
    right = rng.random(20) < 0.7
    return [
        OutcomeCounts.of(
            rng.integers(0, len(Outcome), 20).astype(np.int8), right if labels else None
        )
        for _ in range(n)
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 20), labels=st.booleans())
def test_columns_say_what_the_records_say(seed, n, labels):
    counts = counts_of(seed, n, labels=labels)
    golden = 15 if labels else None
    observations = observe(
        (record(3 * k, one) for k, one in enumerate(counts)), golden_correct=golden, drop=0.2
    )
    assert observations.scenario.tolist() == [3 * k for k in range(n)]
    assert observations.failed.tolist() == [scenario_failed(one, golden, 0.2) for one in counts]
    assert observations.samples.tolist() == [20] * n
    assert observations.critical.tolist() == [one.critical for one in counts]
    assert observations.due.tolist() == [one.due for one in counts]
    assert observations.total() == sum(counts, OutcomeCounts(samples=0))
    shares = outcome_shares(observations.total())
    assert sum(shares.values()) == pytest.approx(1)


def test_the_worst_scenario_is_told_by_its_number():
    rights = [9, 4, 7]
    records = [
        record(5 * k, OutcomeCounts(samples=10, masked=10, correct=right))
        for k, right in enumerate(rights)
    ]
    found = estimate(observe(records, golden_correct=9, drop=0.2))
    assert found.accuracy is not None
    assert (found.accuracy.worst, found.accuracy.worst_scenario) == (0.4, 5)


def test_records_out_of_order_are_refused():
    one = OutcomeCounts(samples=2, masked=2)
    for numbers in ([1, 0], [1, 1]):
        with pytest.raises(ConfigError, match="order of their scenarios"):
            observe([record(k, one) for k in numbers], golden_correct=None, drop=0.1)


def test_labels_on_one_side_only_are_refused():
    bare = record(0, OutcomeCounts(samples=2, masked=2))
    with pytest.raises(ConfigError, match="right answers"):
        observe([bare], golden_correct=2, drop=0.1)
    with pytest.raises(GoldenError, match="none of 2"):
        observe(
            [record(0, OutcomeCounts(samples=2, masked=2, correct=0))], golden_correct=0, drop=0.1
        )


def test_nothing_finished_yet():
    estimates = estimate(
        observe([], golden_correct=9, drop=0.05), design=EqualDesign(population=100)
    )
    assert (estimates.n, estimates.failures, estimates.rates) == (0, 0, {})
    assert estimates.accuracy is None
    assert outcome_shares(estimates.total) == dict.fromkeys(
        ("masked", "tolerable", "critical", "due"), 0.0
    )
    with pytest.raises(ConfigError, match="no rate 'failure'; there are: none yet"):
        estimates.rate("failure")


def test_all_rates_with_labels():
    counts = [
        OutcomeCounts(samples=10, masked=10, correct=9),
        OutcomeCounts(samples=10, masked=4, critical=4, due_crash=2, correct=3),
        OutcomeCounts(samples=10, tolerable=9, critical=1, correct=9),
        OutcomeCounts(samples=10, due_timeout=10, correct=0),
    ]
    observations = observe(
        [record(k, one) for k, one in enumerate(counts)], golden_correct=9, drop=0.05
    )
    estimates = estimate(observations, design=EqualDesign(population=4))
    assert estimates.failures == 2
    values = {name: rate.value for name, rate in estimates.rates.items()}
    assert values == pytest.approx(
        {
            "failure": 0.5,
            "failed_share": (0.6 + 0.1 + 1) / 4,
            "critical_share": 0.5 / 4,
            "due_share": 1.2 / 4,
            "accuracy": 2.1 / 4,
        }
    )
    assert all(rate.method == "census" for rate in estimates.rates.values())
    accuracy = estimates.accuracy
    assert accuracy is not None
    assert (accuracy.golden, accuracy.worst, accuracy.worst_scenario) == (0.9, 0.0, 3)
    assert accuracy.mean == estimates.rate("accuracy")
    assert estimates.total.samples == 40
    with pytest.raises(ConfigError, match="no rate 'accurcy'; there are: failure, failed_share"):
        estimates.rate("accurcy")
    with pytest.raises(ConfigError, match="no table by 'site'"):
        estimates.table("site")


def test_confidence_and_population_reach_every_interval(floats, space_of):
    space = space_of(floats)
    source = SampledScenarios(space, UniformSampler(n=400, seed=8))
    counts = counts_of(1, 400, labels=False)
    observations = observe(
        [record(k, one) for k, one in enumerate(counts)], golden_correct=None, drop=0.8
    )
    facets = source_facets(source, {}, 400)
    narrow, wide = (
        estimate(
            observations,
            design=EqualDesign(population=population),
            facets=facets,
            confidence=confidence,
        )
        for population, confidence in ((source.population, 0.8), (None, 0.99))
    )
    for name, rate in narrow.rates.items():
        assert rate.confidence == 0.8
        assert rate.margin < wide.rates[name].margin
    assert [table.facet for table in narrow.tables] == [
        "site", "layer", "op_type", "kind", "bit", "field"
    ]  # fmt: skip
    assert narrow.table("layer").rows[0].rate.confidence == 0.8
    assert sum(row.n for row in narrow.table("bit").rows) == 400
