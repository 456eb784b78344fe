"""Blocks, order and unit sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.campaign import (
    UnitSizer,
    default_block_size,
    finished_prefix,
    pending_in_order,
    portions,
    site_keys,
)
from onnxfi.faults import FaultGroup, Scenario
from onnxfi.sampling import ListedScenarios, SampledScenarios, UniformSampler


@given(st.integers(1, 500), st.integers(1, 60), st.data())
@settings(max_examples=50)
def test_pending_is_what_is_not_done_block_by_block(total, block, data):
    done = data.draw(st.sets(st.integers(0, total - 1)))
    order = list(pending_in_order(total, block, done, lambda block: [str(k % 3) for k in block]))
    assert sorted(order) == [k for k in range(total) if k not in done]
    assert [k // block for k in order] == sorted(k // block for k in order)


def test_inside_a_block_scenarios_go_site_by_site():
    order = list(pending_in_order(6, 4, set(), lambda block: ["ba"[k % 2] for k in block]))
    assert order == [1, 3, 0, 2, 5, 4]


@pytest.mark.parametrize(
    ("prefix", "block", "total", "used"),
    [(0, 10, 100, 0), (9, 10, 100, 0), (19, 10, 100, 10), (100, 10, 100, 100), (95, 10, 95, 95)],
)
def test_only_finished_blocks_count(prefix, block, total, used):
    assert finished_prefix(prefix, block, total) == used


def test_blocks_are_a_thousand_or_fewer_for_short_campaigns():
    assert default_block_size(10**6) == 1000
    assert default_block_size(4000) == 200
    assert default_block_size(10) == 50


def test_units_grow_towards_the_wanted_time():
    sizer, pending = UnitSizer(1.0, 1000), iter(range(1000))
    sizes = []
    for _ in range(8):
        unit = sizer.take(pending)
        sizes.append(len(unit))
        sizer.learn(len(unit), 0.05 * len(unit))
    assert sizes[0] == 1
    assert sizes[-1] == 20
    assert list(sizer.take(iter(()))) == []


def test_units_shrink_towards_the_end_where_workers_share_them():
    sizer, pending = UnitSizer(1.0, 1000, workers=2), iter(range(1000))
    for _ in range(20):
        sizer.learn(1, 1e-6)
    sizes = []
    while unit := sizer.take(pending):
        sizes.append(len(unit))
    assert sum(sizes) == 1000
    assert sizes[:2] == [250, 188]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-4:] == [1, 1, 1, 1]


def test_scenarios_of_a_block_by_the_space_or_the_list(create):
    source = create().experiment().source
    homes = site_keys(source)
    sites = [site.name for site in source.space.sites]
    wanted = [7, 3, 50]
    assert [sites[home] for home in homes(wanted)] == [source.scenario(k).sites[0] for k in wanted]
    listed = ListedScenarios(list(source))
    assert site_keys(listed)(wanted) == [source.scenario(k).sites for k in wanted]
    several = UniformSampler(n=5, seed=1, faults_per_scenario=3)
    assert site_keys(SampledScenarios(source.space, several)) is None


def test_portions_hold_about_so_many_faults():
    def scenario(faults):
        ones = np.ones(faults, np.uint64)
        group = FaultGroup(site="w", index=ones.astype(np.int64), and_mask=ones, xor_mask=ones)
        return Scenario(number=0, groups=(group,))

    drawn = [scenario(faults) for faults in (3, 3, 9, 1, 1, 1)]
    assert [[each.size for each in part] for part in portions(drawn, 5)] == [[3, 3], [9], [1, 1, 1]]
    assert list(portions([])) == []
