"""What is lost of answers: failures wholly, margins in part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    BoundCriterion,
    FunctionCriterion,
    Outcome,
    at_stake,
    classify_samples,
    lost_shares,
    parse_criterion,
)

SCORES = np.array([[1.0, 5.0, 3.0], [2.0, 0.0, 1.0]])


def lost(golden, faulty, criterion="top1", labels=None, layout=None):
    rule = parse_criterion(criterion) if isinstance(criterion, str) else criterion
    layout = layout or SampleLayout(shape=(1, *golden.shape[1:]), batch_axis=0)
    samples = len(golden) // layout.rows
    bound = BoundCriterion(criterion=rule, output="y")
    given_labels = None if labels is None else np.array(labels)
    return lost_shares(
        {"y": golden}, {"y": np.asarray(faulty)}, {"y": layout}, bound, given_labels,
        samples=samples,
    )  # fmt: skip


def part(gone):
    return 0.1 * gone**4


def test_failed_samples_have_lost_all_and_masked_ones_nothing():
    faulty = SCORES.copy()
    faulty[0, 2] = 6.0
    np.testing.assert_array_equal(lost(SCORES, faulty), [1.0, 0.0])
    faulty[0] = [np.inf, 5.0, 3.0]
    np.testing.assert_array_equal(lost(SCORES, faulty), [1.0, 0.0])


def test_no_outputs_are_all_lost():
    bound = BoundCriterion(criterion=parse_criterion("top1"), output="y")
    layout = SampleLayout(shape=(1, 3), batch_axis=0)
    found = lost_shares({"y": SCORES}, None, {"y": layout}, bound, samples=2)
    np.testing.assert_array_equal(found, [1.0, 1.0])


def test_a_margin_that_shrinks_is_lost_in_part():
    faulty = SCORES.copy()
    faulty[0] = [1.0, 4.5, 3.5]  # half of the margin of 2 is gone
    faulty[1] = [2.0, 1.5, 1.0]  # another rival, half of the margin of 1
    np.testing.assert_allclose(lost(SCORES, faulty), [part(0.5), part(0.5)])


def test_a_margin_that_grows_is_not_lost():
    np.testing.assert_array_equal(lost(SCORES, 2 * SCORES), [0.0, 0.0])


def test_top5_minds_the_class_that_would_push_it_out():
    golden = np.arange(7.0)[None]  # the best is 6, pushed out by what is now fifth of the others: 1
    faulty = golden.copy()
    faulty[0, 1] = 3.4  # then 4, 3.4, 3 ... : fifth of the others is 2
    np.testing.assert_allclose(lost(golden, faulty, "top5"), [part(1 / 5)])


def test_label_minds_right_answers_only():
    faulty = SCORES - [[0, 1.0, 0], [1.0, 0, 0.5]]
    np.testing.assert_allclose(lost(SCORES, faulty, "label", [1, 2]), [part(0.5), 0.0])


def test_sequences_lose_what_their_worst_step_loses():
    golden = np.stack([SCORES, SCORES])  # (2 sequences, 2 steps, 3 classes)
    faulty = golden.copy()
    faulty[1, 0, 1] = 4.0
    np.testing.assert_allclose(lost(golden, faulty), [0.0, part(0.5)])
    np.testing.assert_allclose(lost(golden, faulty, "steps:top1"), [0.0, part(0.5)])


def test_samples_of_several_rows_lose_what_their_worst_row_loses():
    faulty = SCORES.copy()
    faulty[0, 1] = 4.0
    layout = SampleLayout(shape=(2, 3), batch_axis=0)
    np.testing.assert_allclose(lost(SCORES, faulty, layout=layout), [part(0.5)])


def test_tolerance_counts_what_is_used_up():
    faulty = SCORES + np.array([[0, 0.05, 0], [0, 0, 0.2]])
    np.testing.assert_allclose(lost(SCORES, faulty, "tolerance:0.1"), [part(0.5), 1.0])


def test_threshold_counts_the_way_to_the_other_side():
    golden = np.array([[0.9], [0.1]])
    faulty = np.array([[0.7], [0.0]])
    np.testing.assert_allclose(lost(golden, faulty, "threshold:0.5"), [part(0.5), 0.0])


def test_a_function_and_integers_know_no_margin():
    rule = FunctionCriterion(lambda g, f, labels: np.zeros(len(g), bool))
    np.testing.assert_array_equal(lost(SCORES, SCORES - 0.1, rule), [0.0, 0.0])
    classes = np.array([3, 4])
    np.testing.assert_array_equal(lost(classes, np.array([3, 5])), [0.0, 1.0])


def test_with_labels_right_answers_are_what_can_be_lost():
    faulty = SCORES[:, [1, 0, 2]]  # both answers change
    for criterion in ("top1", "label", "tolerance:0.1"):
        np.testing.assert_array_equal(lost(SCORES, faulty, criterion, [1, 2]), [1.0, 0.0])
        np.testing.assert_array_equal(lost(SCORES, faulty, criterion, [0, 2]), [-1.0, 0.0])
        np.testing.assert_array_equal(lost(SCORES, SCORES * np.nan, criterion, [1, 2]), [1.0, 0.0])
    bound = BoundCriterion(criterion=parse_criterion("top1"), output="y")
    layouts = {"y": SampleLayout(shape=(1, 3), batch_axis=0)}
    found = at_stake({"y": SCORES}, layouts, bound, np.array([1, 2]), 2)
    np.testing.assert_array_equal(found, [True, False])
    none = lost_shares({"y": SCORES}, None, layouts, bound, np.array([1, 2]), samples=2)
    np.testing.assert_array_equal(none, [1.0, 0.0])
    assert at_stake({"y": SCORES}, layouts, bound, None, 2).all()


@given(seed=st.integers(0, 2**32 - 1))
def test_with_labels_the_sum_is_the_drop_where_no_margin_counts(seed):
    rng = np.random.default_rng(seed)
    golden, faulty = rng.integers(0, 3, (2, 30))  # answers that are classes
    labels = rng.integers(0, 3, 30)
    before, after = np.count_nonzero(golden == labels), np.count_nonzero(faulty == labels)
    assert lost(golden, faulty, "top1", labels).sum() == before - after


@pytest.mark.parametrize("criterion", ["top1", "label", "tolerance:0.5,0.1", "threshold:0.3"])
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 0.1, 1.0, 1e30]))
def test_one_exactly_where_the_sample_failed(criterion, seed, scale):
    rng = np.random.default_rng(seed)
    golden = rng.normal(size=(6, 4)).astype(np.float32)
    faulty = (golden + scale * rng.normal(size=golden.shape)).astype(np.float32)
    faulty[rng.random(faulty.shape) < 0.05] = np.nan
    labels = golden.argmax(axis=1)
    found = lost(golden, faulty, criterion, labels if criterion == "label" else None)
    bound = BoundCriterion(criterion=parse_criterion(criterion), output="y")
    layouts = {"y": SampleLayout(shape=(1, 4), batch_axis=0)}
    codes = classify_samples({"y": golden}, {"y": faulty}, layouts, bound, labels)
    np.testing.assert_array_equal(found == 1.0, codes >= Outcome.CRITICAL)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[codes == Outcome.MASKED] == 0).all()
