from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.analysis import Facet, domain_table, failure_rate, source_facets
from onnxfi.errors import ConfigError
from onnxfi.sampling import ExhaustiveSampler, SampledScenarios, UniformSampler


def facet(codes, keys, faults=None):
    return Facet(
        name="site",
        keys=tuple(keys),
        codes=np.array(codes, np.int64),
        bits=tuple(8 * (k + 1) for k in range(len(keys))),
        faults=faults,
        reason="they touch several sites",
    )


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-1, 4), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40
    )
)
def test_agrees_with_counting_by_hand(observed, rows):
    codes, critical, due = (np.array(column) for column in zip(*rows, strict=True))
    table = domain_table(observed(critical, due), facet(codes, "abcde"))
    assert table.left_out == (codes < 0).sum()
    assert table.not_sampled == 5 - len(set(codes[codes >= 0]))
    assert [row.key for row in table.rows] == ["abcde"[k] for k in sorted(set(codes)) if k >= 0]
    every = sum(c + d >= 1 for k, c, d in rows if k >= 0)
    for row in table.rows:
        mine = [(c, d) for k, c, d in rows if k == "abcde".index(row.key)]
        failing = sum(c + d >= 1 for c, d in mine)  # 0.05 of 10 samples is half a sample
        assert (row.n, row.failures) == (len(mine), failing)
        assert row.rate == failure_rate(failing, len(mine))
        assert row.critical_share == pytest.approx(np.mean([c / 10 for c, _ in mine]))
        assert row.due_share == pytest.approx(np.mean([d / 10 for _, d in mine]))
        assert row.failed_share == pytest.approx(row.critical_share + row.due_share)
        assert row.share_of_failures == (pytest.approx(failing / every) if every else None)
        assert row.bits == 8 * ("abcde".index(row.key) + 1)


def test_ranking_breaks_ties_by_the_lower_bound(observed):
    codes = [0] * 4 + [1] * 40 + [2] * 10 + [3] * 5
    failing = [1, 1, 0, 0] + [1] * 20 + [0] * 20 + [1] * 9 + [0] + [0] * 5
    table = domain_table(observed(np.array(failing)), facet(codes, "abcd"))
    assert [row.key for row in table.rows] == ["a", "b", "c", "d"]
    assert [row.key for row in table.ranked()] == ["c", "b", "a", "d"]


def test_nothing_contributes(observed):
    table = domain_table(observed(np.array([1, 0])), facet([-1, -1], "ab"))
    assert (table.rows, table.left_out, table.not_sampled) == ((), 2, 2)
    assert table.reason == "they touch several sites"
    whole = domain_table(observed(np.array([1, 0])), facet([0, 1], "ab"))
    assert whole.reason == ""


def test_facets_of_other_scenarios_are_refused(observed):
    with pytest.raises(ConfigError, match="is of 3 scenarios, 2 are observed"):
        domain_table(observed(np.array([1, 0])), facet([0, 0, 0], "a"))


def test_a_census_knows_every_domain_exactly(floats, space_of, observed):
    space = space_of(floats)
    source = SampledScenarios(space, ExhaustiveSampler(seed=4))
    numbers = source.fault_numbers(0, space.size)
    assert numbers is not None
    # Exponent bits of the convolution's weights fail, and sign bits of the other layer.
    located = space.where(numbers)
    failing = ((located.site == 0) & (located.field == "exponent")) | (
        (located.site == 2) & (located.field == "sign")
    )
    observations = observed(failing.astype(int) * 10)
    tables = {
        one.name: domain_table(observations, one) for one in source_facets(source, {}, space.size)
    }
    for table in tables.values():
        assert (table.not_sampled, table.left_out) == (0, 0)
        for row in table.rows:
            assert row.rate.low == row.rate.value == row.rate.high
            assert row.rate.method == "census"
        assert sum(row.share_of_failures or 0 for row in table.rows) == pytest.approx(1)
        assert sum(row.failures for row in table.rows) == 440
    rates = {row.key: row.rate.value for row in tables["layer"].rows}
    assert rates == {"conv": 400 / (60 * 32), "fc": 40 / (40 * 32)}
    bits = {row.key: row.rate.value for row in tables["bit"].rows}
    assert bits["30"] == 0.5
    assert bits["31"] == 0.4
    assert bits["3"] == 0
    assert tables["site"].ranked()[0].key == "conv.weight"
    assert tables["site"].ranked()[-1].key == "conv.bias"


def test_intervals_of_domains_cover_their_truth(floats, space_of, observed):
    """Domains of samples drawn without replacement, against the census, over many seeds."""
    space = space_of(floats)
    fails = np.random.default_rng(3).random(space.size) < 0.3
    truth = {
        "conv.weight": fails[:1600].mean(),
        "conv.bias": fails[1600:1920].mean(),
        "fc.weight": fails[1920:].mean(),
    }
    hits = []
    for seed in range(150):
        source = SampledScenarios(space, UniformSampler(n=800, seed=seed))
        numbers = source.fault_numbers(0, 800)
        assert numbers is not None
        table = domain_table(observed(fails[numbers] * 10), source_facets(source, {}, 800)[0])
        hits += [row.rate.low <= truth[row.key] <= row.rate.high for row in table.rows]
    assert 0.92 < np.mean(hits) < 0.98
