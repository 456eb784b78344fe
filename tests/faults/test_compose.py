from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import apply_masks
from onnxfi.faults import Fault, FaultGroup, Scenario, merge_groups, scenario_of

MASK = st.integers(0, 255)
ROW = st.tuples(st.integers(0, 3), MASK, MASK, st.integers(-1, 2))


def group_of(rows, samples=True):
    return FaultGroup(
        site="w",
        index=np.array([row[0] for row in rows], dtype=np.int64),
        and_mask=np.array([row[1] for row in rows], dtype=np.uint64),
        xor_mask=np.array([row[2] for row in rows], dtype=np.uint64),
        sample=np.array([row[3] for row in rows], dtype=np.int64) if samples else None,
    )


def seen_by(group: FaultGroup, sample: int):
    words = np.array([1, 99, 170, 255], dtype=np.uint8)
    rows = np.ones(len(group), dtype=bool)
    if group.sample is not None:
        rows = (group.sample == sample) | (group.sample == -1)
    return apply_masks(words, group.index[rows], group.and_mask[rows], group.xor_mask[rows])


@settings(max_examples=100)
@given(st.lists(ROW, max_size=12))
def test_merged_faults_do_the_same_for_every_sample(rows):
    group = group_of(rows)
    scenario = Scenario(number=3, groups=(group,), weight=0.5, key=2.0)
    merged = merge_groups(scenario)
    (after,) = merged.groups
    assert (merged.number, merged.weight, merged.key) == (3, 0.5, 2.0)
    for sample in range(3):
        np.testing.assert_array_equal(seen_by(after, sample), seen_by(group, sample))
    every, single = after.index[after.sample < 0], after.index[after.sample >= 0]
    mixed = set(every.tolist()) & set(single.tolist())
    pairs = [
        pair
        for pair in zip(after.index.tolist(), after.sample.tolist(), strict=True)
        if pair[0] not in mixed
    ]
    assert len(pairs) == len(set(pairs))


@settings(max_examples=60)
@given(st.lists(ROW, max_size=12))
def test_without_samples_every_element_occurs_once(rows):
    group = group_of(rows, samples=False)
    (after,) = merge_groups(Scenario(number=0, groups=(group,))).groups
    np.testing.assert_array_equal(seen_by(after, 0), seen_by(group, 0))
    assert after.sample is None
    assert after.index.tolist() == sorted({row[0] for row in rows})


def test_scenario_of_gathers_by_site_in_order():
    scenario = scenario_of(
        [
            Fault(site="b", index=4, and_mask=~0, xor_mask=1),
            Fault(site="a", index=0, and_mask=0, xor_mask=9, sample=2),
            Fault(site="b", index=1, and_mask=255, xor_mask=2),
        ],
        7,
        weight=0.1,
        key=0.2,
    )
    assert (scenario.number, scenario.weight, scenario.key) == (7, 0.1, 0.2)
    assert scenario.sites == ("b", "a")
    first, second = scenario.groups
    assert first.index.tolist() == [4, 1]
    assert first.and_mask.tolist() == [2**64 - 1, 255]
    assert first.sample is None
    assert second.sample.tolist() == [2]
    assert scenario.size == 3
