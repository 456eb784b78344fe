from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    BoundCriterion,
    FunctionCriterion,
    Outcome,
    Tolerance,
    Top1,
    classify,
    classify_samples,
    correct_samples,
)

MASKED, TOLERABLE, CRITICAL = Outcome.MASKED, Outcome.TOLERABLE, Outcome.CRITICAL
NONFINITE = Outcome.DUE_NONFINITE


def scores() -> np.ndarray[Any, Any]:
    return np.array([[3, 1, 0], [0, 2, 1], [1, 0, 5], [1, 2, 9]], np.float32)


def test_the_four_outcomes(judge):
    faulty = scores()
    faulty[1, 2] = 1.5  # same winner
    faulty[2, 1] = 6.0  # another winner
    faulty[3, 0] = np.inf  # another winner and non-finite: due is tested first
    assert judge(scores(), faulty) == [MASKED, TOLERABLE, CRITICAL, NONFINITE]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_every_float_width_knows_its_infinities(judge, dtype):
    golden = scores().astype(dtype)
    faulty = golden.copy()
    faulty[0, 2] = np.nan
    faulty[1, 0] = -np.inf
    faulty[2, 0] = 2
    assert judge(golden, faulty) == [NONFINITE, NONFINITE, TOLERABLE, MASKED]


def test_the_sign_of_zero_is_a_difference(judge):
    golden = np.array([[1.0, 0.0]], np.float32)
    assert judge(golden, np.array([[1.0, -0.0]], np.float32)) == [TOLERABLE]


def test_nan_payloads_are_compared_by_their_bits(judge):
    quiet, other = 0x7FC00000, 0x7FC00001
    golden = np.array([[0x3F800000, quiet]], np.uint32).view(np.float32)
    faulty = np.array([[0x3F800000, other]], np.uint32).view(np.float32)
    assert judge(golden, golden.copy()) == [MASKED]
    # Golden is not finite there either, so it is no due; NaN never counts as agreement.
    assert judge(golden, faulty) == [CRITICAL]


def test_signalling_nan_raises_no_warning(judge):
    faulty = scores()
    faulty.view(np.uint32)[0, 1] = 0x7FA00000
    for criterion in ("top1", "tolerance:0.1,0.1", "label"):
        assert judge(scores(), faulty, criterion, labels=[0, 1, 2, 2])[0] is NONFINITE


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.bool_])
def test_integers_are_never_nonfinite(judge, dtype):
    golden = np.array([0, 1, 1], dtype)
    assert judge(golden, np.array([1, 1, 1], dtype)) == [CRITICAL, MASKED, MASKED]


def test_text_labels_are_decisions(judge):
    golden = np.array(["cat", "dog"], object)
    assert judge(golden, np.array(["cat", "cow"], object)) == [MASKED, CRITICAL]


def test_complex_values_compare_by_bits_and_finiteness(judge):
    golden = np.array([[1 + 1j], [2 + 0j], [3 + 0j]], np.complex128)
    faulty = golden.copy()
    faulty[0] += 1e-12
    faulty[1] = complex(1, np.inf)
    assert judge(golden, faulty, "tolerance:0.1") == [TOLERABLE, NONFINITE, MASKED]


def test_masked_and_due_look_at_all_outputs(layout_of):
    logits, aux = scores(), np.ones((4, 2), np.float32)
    layouts = {"logits": layout_of(logits), "aux": layout_of(aux)}
    bound = BoundCriterion(criterion=Top1(), output="logits")
    bad = aux.copy()
    bad[0, 0] = 2
    bad[1, 1] = np.nan
    golden = {"logits": logits, "aux": aux}
    codes = classify_samples(golden, {"logits": logits, "aux": bad}, layouts, bound)
    assert codes.tolist() == [TOLERABLE, NONFINITE, MASKED, MASKED]


def test_an_output_of_the_whole_run_counts_for_all_samples(layout_of):
    logits, total = scores(), np.zeros(3, np.float32)
    layouts = {"logits": layout_of(logits), "total": SampleLayout(shape=(3,), batch_axis=None)}
    bound = BoundCriterion(criterion=Top1(), output="logits")
    golden = {"logits": logits, "total": total}
    moved = {"logits": logits, "total": total + 1}
    assert classify_samples(golden, moved, layouts, bound).tolist() == [TOLERABLE] * 4
    broken = {"logits": logits, "total": total + np.nan}
    assert classify_samples(golden, broken, layouts, bound).tolist() == [NONFINITE] * 4
    decides = BoundCriterion(criterion=Top1(), output="total")
    changed = {"logits": logits, "total": np.array([0, 1, 0], np.float32)}
    assert classify_samples(golden, changed, layouts, decides).tolist() == [CRITICAL] * 4


def test_a_sample_is_critical_if_any_of_its_rows_is(judge):
    golden = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]  # 3 samples of 2 rows
    faulty = golden.copy()
    faulty[3] = [0, 1, 0]  # second row of the second sample
    faulty[4, 1] = 2.0  # same winner in the third
    layout = SampleLayout(shape=(2, 3), batch_axis=0)
    assert judge(golden, faulty, layout=layout) == [MASKED, CRITICAL, TOLERABLE]
    expected = [MASKED, CRITICAL, CRITICAL]
    assert judge(golden, faulty, "tolerance:0.5", layout=layout) == expected


def test_integer_rows_of_a_sample_are_values_not_scores(judge):
    layout = SampleLayout(shape=(2,), batch_axis=0)
    golden = np.array([1, 5, 1, 5], np.int64)
    faulty = np.array([0, 5, 1, 5], np.int64)  # a largest entry would still be the second
    assert judge(golden, faulty, layout=layout) == [CRITICAL, MASKED]


def test_the_batch_axis_may_be_anywhere(judge):
    golden = scores().T.copy()  # (C, B): no class axis last any more, so by tolerance
    faulty = golden.copy()
    faulty[1, 2] += 1
    layout = SampleLayout(shape=(3, 1), batch_axis=1)
    expected = [MASKED, MASKED, CRITICAL, MASKED]
    assert judge(golden, faulty, "tolerance:0.5", layout=layout) == expected
    assert judge(golden, faulty, "tolerance:2", layout=layout)[2] is TOLERABLE


def test_padding_is_cut_off(layout_of):
    golden, faulty = scores(), scores()
    faulty[3] = np.nan
    layouts = {"y": layout_of(golden)}
    bound = BoundCriterion(criterion=Top1(), output="y")
    counts = classify({"y": golden}, {"y": faulty}, layouts, bound, None, 3)
    assert (counts.samples, counts.masked) == (3, 3)
    labelled = classify({"y": golden}, {"y": faulty}, layouts, bound, np.array([0, 1, 2]))
    assert (labelled.samples, labelled.correct) == (3, 3)


def test_another_number_of_results_is_another_decision(judge, layout_of):
    golden = np.ones((5, 4), np.float32)
    per_run = SampleLayout(shape=(5, 4), batch_axis=None)
    assert judge(golden, golden[:3], "tolerance:9", layout=per_run) == [CRITICAL]
    assert judge(golden, golden[:3] * np.inf, "tolerance:9", layout=per_run) == [NONFINITE]
    per_row = layout_of(golden)
    assert judge(golden, np.ones((7, 4), np.float32), layout=per_row) == [CRITICAL] * 5


def test_due_samples_are_counted_wrong(layout_of):
    faulty = scores()
    faulty[0, 0] = np.inf  # still the largest, and the label
    faulty[1] = [9, 0, 0]
    bound = BoundCriterion(criterion=Top1(), output="y")
    layouts = {"y": layout_of(faulty)}
    labels = np.array([0, 1, 2, 0])
    counts = classify({"y": scores()}, {"y": faulty}, layouts, bound, labels)
    assert (counts.correct, counts.due_nonfinite, counts.critical) == (1, 1, 1)
    golden = correct_samples({"y": scores()}, layouts, bound, labels)
    assert golden is not None
    assert golden.tolist() == [True, True, True, False]


def test_a_lost_shape_is_answered_wrong(layout_of):
    bound = BoundCriterion(criterion=Top1(), output="y")
    layouts = {"y": layout_of(scores())}
    counts = classify({"y": scores()}, {"y": scores()[:2]}, layouts, bound, np.array([0, 1, 2, 2]))
    assert (counts.correct, counts.critical) == (0, 4)


def test_regression_has_no_right_answers(layout_of):
    golden = np.ones((3, 1), np.float32)
    bound = BoundCriterion(criterion=Tolerance(0.1), output="y")
    layouts = {"y": layout_of(golden)}
    counts = classify({"y": golden}, {"y": golden + 1}, layouts, bound, np.zeros(3, np.int64))
    assert (counts.correct, counts.critical) == (None, 3)


def test_a_function_sees_whole_samples():
    shapes = []

    def any_box_lost(golden, faulty, labels):
        shapes.append((golden.shape, faulty.shape, labels.tolist()))
        return (golden != faulty).sum(axis=(1, 2)) > 1

    golden = np.zeros((6, 4), np.float32)
    faulty = golden.copy()
    faulty[0, 0] = 1
    faulty[4:, 0] = 1
    bound = BoundCriterion(criterion=FunctionCriterion(any_box_lost), output="y")
    layouts = {"y": SampleLayout(shape=(2, 4), batch_axis=0)}
    codes = classify_samples({"y": golden}, {"y": faulty}, layouts, bound, np.array([7, 8, 9]))
    assert codes.tolist() == [TOLERABLE, MASKED, CRITICAL]
    assert shapes == [((3, 2, 4), (3, 2, 4), [7, 8, 9])]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda g, f, t: None, r"NoneType of object \[\]"),
        (lambda g, f, t: np.zeros(4), r"ndarray of float64 \[4\]"),
        (lambda g, f, t: np.zeros(3, bool), r"bool \[3\], expected bool \[4\]"),
        (lambda g, f: np.zeros(4, bool), "raised TypeError"),
        (lambda g, f, t: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_functions_mistakes_are_named(layout_of, answer, said):
    bound = BoundCriterion(criterion=FunctionCriterion(answer), output="y")
    with pytest.raises(ConfigError, match=said):
        classify({"y": scores()}, {"y": scores() + 1}, {"y": layout_of(scores())}, bound)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 7),
    classes=st.integers(2, 9),
    flips=st.integers(0, 12),
)
def test_agrees_with_the_definition_sample_by_sample(judge, seed, batch, classes, flips):
    rng = np.random.default_rng(seed)
    golden = rng.normal(size=(batch, classes)).astype(np.float32)
    faulty = golden.copy()
    words = faulty.reshape(-1).view(np.uint32)
    for _ in range(flips):
        words[rng.integers(words.size)] ^= np.uint32(1 << int(rng.integers(32)))

    def outcome(before, after):
        if before.tobytes() == after.tobytes():
            return MASKED
        if not all(np.isfinite(value) for value in after):
            return NONFINITE
        best = max(range(classes), key=lambda c: (before[c], -c))
        now = max(range(classes), key=lambda c: (after[c], -c))
        return CRITICAL if best != now else TOLERABLE

    assert judge(golden, faulty) == [outcome(*pair) for pair in zip(golden, faulty, strict=True)]


def test_an_empty_output_is_masked(judge):
    empty = np.zeros((3, 0), np.float32)
    assert judge(empty, empty.copy(), "tolerance:1") == [MASKED] * 3


def test_detectors_have_no_right_answers():
    boxes = np.zeros((6, 4), np.float32)
    bound = BoundCriterion(criterion=Top1(), output="y")
    layouts = {"y": SampleLayout(shape=(2, 4), batch_axis=0)}
    assert correct_samples({"y": boxes}, layouts, bound, np.zeros(3, np.int64)) is None


@pytest.mark.parametrize("criterion", ["top1", "top5", "label"])
def test_scores_with_spatial_axes_of_size_1_are_judged_as_scores(judge, criterion):
    rng = np.random.default_rng(1)
    golden, faulty = rng.normal(size=(2, 40, 8)).astype(np.float32)
    labels = golden.argmax(axis=1).tolist()
    plain = judge(golden, faulty, criterion, labels)
    assert judge(golden[..., None, None], faulty[..., None, None], criterion, labels) == plain
    assert {Outcome.TOLERABLE, Outcome.CRITICAL} == set(plain)


def test_labels_are_compared_with_scores_that_have_spatial_axes():
    golden = np.eye(4, dtype=np.float32)[..., None, None]
    bound = BoundCriterion(criterion=Top1(), output="y")
    layouts = {"y": SampleLayout(shape=(1, 4, 1, 1), batch_axis=0)}
    right = correct_samples({"y": golden}, layouts, bound, np.array([0, 1, 2, 0]))
    assert right is not None
    assert right.tolist() == [True, True, True, False]
