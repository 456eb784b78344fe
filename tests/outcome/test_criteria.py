from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    FunctionCriterion,
    LabelLost,
    Tolerance,
    Top1,
    TopK,
    choose_criterion,
    parse_criterion,
)


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def batched(outputs, rows=1):
    return {
        name: SampleLayout(shape=(rows, *array.shape[1:]), batch_axis=0)
        for name, array in outputs.items()
    }


def choose(outputs, **kwargs):
    return choose_criterion(outputs, batched(outputs), **kwargs)


@pytest.mark.parametrize(
    "text", ["top1", "top5", "label", "tolerance:0.1", "tolerance:0.0,0.25", "tolerance:1e-06"]
)
def test_text_round_trip(text):
    assert parse_criterion(text).spec() == text


@pytest.mark.parametrize(
    "text", ["top2", "", "tolerance", "tolerance:", "tolerance:x", "tolerance:1,2,3",
             "tolerance:-1", "tolerance:nan", "tolerance:inf", "label:3"]
)  # fmt: skip
def test_bad_text_is_refused(text):
    with pytest.raises(ConfigError, match="criterion"):
        parse_criterion(text)


def test_auto_takes_the_only_classifier_output():
    bound = choose({"image": floats(2, 3, 8, 8), "logits": floats(2, 10), "score": floats(2, 1)})
    assert (bound.criterion, bound.output) == (Top1(), "logits")
    assert bound.spec() == "top1 of logits"


def test_auto_takes_one_integer_a_sample():
    assert choose({"class": np.zeros(3, np.int64), "x": floats(3, 1)}).output == "class"
    assert choose({"class": np.zeros((3, 1), np.int32)}).output == "class"


def test_auto_needs_to_be_told_which_of_two():
    outputs = {"more": floats(2, 4), "probs": floats(2, 3)}
    with pytest.raises(ConfigError, match=r"several.*'more'.*'probs'.*--criterion-output"):
        choose(outputs)
    assert choose(outputs, output="probs").output == "probs"


def words(*texts):
    return np.array(texts, object)


def test_auto_takes_the_label_beside_scores():
    for label in (np.zeros(2, np.int64), words("cat", "dog"), words("cat", "dog")[:, None]):
        bound = choose({"probs": floats(2, 3), "label": label})
        assert (bound.output, bound.reason) == ("label", "its value, equal or not")
    with pytest.raises(ConfigError, match=r"several.*'a'.*'b'"):
        choose({"a": np.zeros(2, np.int64), "b": words("x", "y"), "probs": floats(2, 3)})


def test_labels_decide_which_answers_can_be_compared():
    outputs = {"label": words("cat", "dog"), "probs": floats(2, 3)}
    numbers, names = np.zeros(2, np.int64), np.array(["cat", "emu"])
    assert choose(outputs, labels=names).output == "label"
    bound = choose(outputs, labels=numbers)
    assert (bound.output, bound.reason) == ("probs", "the largest of 3 scores")
    for output, labels in (("label", numbers), ("probs", names)):
        with pytest.raises(ConfigError, match=f"labels are .*'{output}' answers in"):
            choose(outputs, output=output, labels=labels)
    # A distance asks for no labels of its kind: there is just no accuracy.
    bound = choose(outputs, requested="tolerance:0.1", output="probs", labels=names)
    assert bound.criterion.correct(outputs["probs"], names) is None


@pytest.mark.parametrize("criterion", ["top1", "label"])
def test_words_are_decisions(criterion):
    golden, faulty = words("cat", "dog", "emu"), words("cat", "cat", "dogs")
    labels = np.array(["cat", "dog", "dog"])
    bound = choose({"y": golden}, requested=criterion, labels=labels)
    found = bound.criterion.decide(golden, faulty, labels).tolist()
    assert found == [False, True, criterion == "top1"]
    assert bound.criterion.correct(golden, labels).tolist() == [True, True, False]


def test_several_words_or_numbers_of_classes_a_sample():
    tags = np.array([["a", "b"], ["c", "d"]], object)
    assert Top1().decide(tags, np.array([["a", "b"], ["c", "e"]], object), None).tolist() == [0, 1]
    pixels = np.arange(12, dtype=np.int64).reshape(2, 2, 3)
    assert choose({"y": pixels}, requested="top1").reason == "each of its values, equal or not"
    changed = pixels.copy()
    changed[1, 1, 0] = 0  # not the largest
    assert Top1().decide(pixels, changed, None).tolist() == [False, True]
    with pytest.raises(ConfigError, match="'y'"):
        choose({"y": pixels})  # rather no class decision


def test_scores_at_positions():
    scores = floats(4, 1, 5)  # one position a sample: as without
    bound = choose({"y": scores}, requested="top1")
    assert bound.reason == "the largest of 5 scores"
    labels = scores[:, 0].argmax(axis=1)
    assert bound.criterion.correct(scores, labels).all()
    for shape in ((2, 7, 5), (2, 7, 1, 5), (2, 1, 7, 1, 5)):
        many = floats(*shape)
        assert choose({"y": many}, requested="top1").reason.endswith(
            "5 scores at each of 7 positions"
        )
        other = many.copy()
        other[1].reshape(-1, 5)[3] = -other[1].reshape(-1, 5)[3]
        assert Top1().decide(many, other, None).tolist() == [False, True]


def test_an_axis_of_classes_can_be_named():
    mask = floats(2, 5, 3, 4)
    with pytest.raises(ConfigError, match=r"\[N, C, H, W\], say which: --criterion top1:AXIS"):
        choose({"y": mask}, requested="top1")
    bound = choose({"y": mask}, requested="top1:1")
    assert bound.reason == "the largest of 5 scores at each of 12 positions"
    assert bound.spec() == "top1:1 of y"
    other = mask.copy()
    other[1, :, 2, 3] *= -1
    assert bound.criterion.decide(mask, other, None).tolist() == [False, True]
    assert choose({"y": mask}, requested="top1:-1").reason.startswith("the largest of 4 scores")
    for text in ("top1:", "top1:0", "top1:x"):
        with pytest.raises(ConfigError, match="needs the axis that classes are on"):
            parse_criterion(text)
    with pytest.raises(ConfigError, match="class scores along axis 4"):
        choose({"y": mask}, requested="top1:4")


@pytest.mark.parametrize("array", [floats(2, 1), floats(2), floats(2, 3, 8, 8), floats(2, 3) > 0])
def test_regression_images_and_flags_ask_for_a_tolerance(array):
    with pytest.raises(ConfigError, match=r"'y'.*tolerance:ABS"):
        choose({"y": array})
    with pytest.raises(ConfigError, match=r"'y'.*tolerance:ABS"):
        choose({"y": array}, requested="top1")
    assert choose({"y": array}, requested="tolerance:0.1").criterion == Tolerance(0.1)


def test_auto_leaves_outputs_of_the_whole_run_alone():
    layouts = {"y": SampleLayout(shape=(1, 10), batch_axis=None)}
    with pytest.raises(ConfigError, match="no output"):
        choose_criterion({"y": floats(1, 10)}, layouts)
    named = choose_criterion({"y": floats(1, 10)}, layouts, output="y")
    assert named.criterion == Top1()


def test_sequences_are_judged_when_asked_for():
    steps = {"y": floats(2, 40, 10)}
    with pytest.raises(ConfigError, match="no output"):
        choose(steps)
    assert choose(steps, requested="top1").output == "y"
    boxes = {"y": floats(6, 10)}
    with pytest.raises(ConfigError, match="not one row a sample"):
        choose_criterion(
            boxes, batched(boxes, rows=3), requested="label", labels=np.zeros(2, np.int64)
        )


def test_unknown_output_is_named_with_a_near_one():
    with pytest.raises(ConfigError, match=r"no output 'logit'; did you mean 'logits'"):
        choose({"logits": floats(2, 10)}, output="logit")


def test_top5_needs_more_than_five_classes():
    with pytest.raises(ConfigError, match="more than 5 classes"):
        choose({"y": floats(2, 5)}, requested="top5")
    assert choose({"y": floats(2, 6)}, requested="top5").criterion == TopK(5)


def test_label_needs_labels():
    with pytest.raises(ConfigError, match="needs labels"):
        choose({"y": floats(2, 3)}, requested="label")
    with pytest.raises(ConfigError, match="needs labels"):
        LabelLost().decide(floats(2, 3), floats(2, 3), None)
    bound = choose({"y": floats(2, 3)}, requested="label", labels=np.array([0, 1]))
    assert bound.criterion == LabelLost()


def test_text_outputs_have_no_distance():
    with pytest.raises(ConfigError, match="needs numbers"):
        choose({"y": np.array(["a", "b"], object)}, requested="tolerance:1")


def test_functions_and_criteria_are_taken_as_they_are():
    def mine(golden, faulty, labels):
        return np.zeros(len(golden), bool)

    bound = choose({"y": floats(2, 3, 4, 5)}, requested=mine)
    assert isinstance(bound.criterion, FunctionCriterion)
    assert bound.criterion.spec().startswith("function:")
    assert bound.criterion.spec().endswith("mine")
    assert choose({"y": floats(2, 3)}, requested=TopK(2)).criterion == TopK(2)
    with pytest.raises(ConfigError, match="got int"):
        choose({"y": floats(2, 3)}, requested=3)  # type: ignore[arg-type]


def test_nan_is_never_agreement():
    golden = np.array([[0, 1, 2]], np.float32)
    with_nan = np.array([[np.nan, 1, 2]], np.float32)
    for criterion in (Top1(), TopK(2)):
        assert criterion.decide(golden, with_nan, None).tolist() == [True]
        assert criterion.decide(with_nan, with_nan, None).tolist() == [True]
        right = criterion.correct(with_nan, np.array([2]))
        assert right is not None
        assert right.tolist() == [False]
    assert Tolerance(9.0).decide(golden, with_nan, None).tolist() == [True]


def test_ties_go_to_the_first_class_in_both_rules():
    golden = np.array([[1, 1, 0]], np.float32)
    swapped = np.array([[1, 2, 0]], np.float32)
    assert Top1().decide(golden, swapped, None).tolist() == [True]
    tied = np.zeros((1, 8), np.float32)
    lone = np.eye(8, dtype=np.float32)
    assert TopK(5).decide(lone[[4]], tied, None).tolist() == [False]
    assert TopK(5).decide(lone[[5]], tied, None).tolist() == [True]


def test_label_is_right_to_wrong_only():
    golden = np.eye(3, dtype=np.float32)[[0, 0, 0]]
    faulty = np.eye(3, dtype=np.float32)[[1, 1, 2]]
    labels = np.array([0, 1, 1])  # right to wrong, wrong to right, wrong to wrong
    assert LabelLost().decide(golden, faulty, labels).tolist() == [True, False, False]
    assert Top1().decide(golden, faulty, labels).tolist() == [True, True, True]


def test_labels_out_of_range_are_never_answered():
    right = TopK(2).correct(np.eye(3, dtype=np.float32), np.array([-1, 7, 2]))
    assert right is not None
    assert right.tolist() == [False, False, True]


def test_a_value_on_the_threshold_is_above_it():
    golden = np.array([[0.5], [0.5], [0.25]], np.float32)
    faulty = np.array([[0.25], [0.75], [0.5]], np.float32)
    rule = parse_criterion("threshold:0.5")
    assert rule.decide(golden, faulty, None).tolist() == [True, False, True]


def test_tolerance_is_absolute_plus_relative():
    golden = np.array([[10.0, 0.0], [10.0, 0.0], [10.0, 0.0]])
    faulty = np.array([[11.5, 0.0], [10.0, 0.4], [11.6, 0.0]])
    changed = Tolerance(0.5, 0.1).decide(golden, faulty, None)
    assert changed.tolist() == [False, False, True]


def test_tolerance_at_the_infinities():
    golden = np.array([[np.inf], [np.inf], [1.0], [3e38]], np.float32)
    faulty = np.array([[np.inf], [5.0], [np.inf], [-3e38]], np.float32)
    changed = Tolerance(1.0, 1.0).decide(golden, faulty, None)
    assert changed.tolist() == [False, True, True, True]


def test_tolerance_keeps_wide_integers_apart():
    golden = np.array([[2**62], [2**63 - 1]], np.int64)
    assert Tolerance(0.0).decide(golden, golden + np.array([[1], [0]]), None).tolist() == [
        True,
        False,
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 6), levels=st.integers(1, 6))
def test_top_k_agrees_with_a_stable_sort(seed, k, levels):
    rng = np.random.default_rng(seed)
    golden = rng.integers(0, levels, (5, 8)).astype(np.float32)
    faulty = rng.integers(0, levels, (5, 8)).astype(np.float32)

    def best(row):
        return sorted(range(8), key=lambda c: (-row[c], c))

    pairs = list(zip(golden, faulty, strict=True))
    expected = [best(before)[0] not in best(after)[:k] for before, after in pairs]
    assert TopK(k).decide(golden, faulty, None).tolist() == expected
    top1 = [best(before)[0] != best(after)[0] for before, after in pairs]
    assert Top1().decide(golden, faulty, None).tolist() == top1


def test_label_judges_scores_and_integers_only():
    labels = np.array([4, 4])
    kept, lost = np.array([4, 4]), np.array([4, 2])
    assert LabelLost().decide(kept, lost, labels).tolist() == [False, True]
    for array in (floats(2, 1), floats(2, 3, 4), floats(2, 3) > 0):
        with pytest.raises(ConfigError, match="label can't judge"):
            choose({"y": array}, requested="label", labels=labels)
        with pytest.raises(ConfigError, match="label can't judge"):
            LabelLost().decide(array, array, labels)


def test_other_criteria_count_right_answers_where_there_are_classes():
    scores, labels = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    for criterion in (Tolerance(0.1), FunctionCriterion(lambda g, f, t: g), LabelLost(), Top1()):
        right = criterion.correct(scores, labels)
        assert right is not None
        assert right.tolist() == [True, True, False]
        assert criterion.correct(floats(3, 1), labels) is None


@pytest.mark.parametrize("criterion", ["auto", "top1", "top5", "label"])
def test_spatial_axes_of_size_1_do_not_hide_class_scores(criterion):
    scores = {"y": floats(3, 10, 1, 1)}
    labels = np.zeros(3, np.int64)
    assert choose(scores, requested=criterion, labels=labels).output == "y"
    with pytest.raises(ConfigError, match="no output"):
        choose({"series": floats(3, 10, 1)})


def test_what_might_hold_class_scores_is_named_where_nothing_is_plain():
    outputs = {"steps": floats(2, 20, 50), "map": floats(2, 3, 4, 4), "score": floats(2, 1)}
    with pytest.raises(ConfigError, match=r"plainly a class decision.*tolerance:ABS") as said:
        choose(outputs)
    assert "--criterion top1 and --criterion-output NAME if the last axis of 'steps' holds" in str(
        said.value
    )
    assert choose(outputs, requested="top1", output="steps").output == "steps"
    with pytest.raises(ConfigError) as said:
        choose({"score": floats(2, 1)})
    assert "top1" not in str(said.value)
