"""Decisions of sequences, and of detectors."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome import Outcome, choose_criterion, parse_criterion

# Steps on axis 0, samples on axis 1: two steps of three samples with two classes.
SCORES = np.array([[[1, 0], [0, 1], [1, 0]], [[1, 0], [1, 0], [0, 1]]], np.float32)
LAYOUT = SampleLayout(shape=(2, 1, 2), batch_axis=1)


def test_a_change_in_any_step_is_a_changed_decision(judge):
    faulty = SCORES.copy()
    faulty[0, 1] = [1, 0]
    faulty[1, 2] = [0, 2]
    found = judge(SCORES, faulty, "steps:top1", layout=LAYOUT)
    assert found == [Outcome.MASKED, Outcome.CRITICAL, Outcome.TOLERABLE]


def test_the_last_step_is_the_answer_to_a_label():
    rows = SCORES.swapaxes(0, 1)
    correct = parse_criterion("steps:top1").correct(rows, np.array([0, 1, 1]))
    assert correct is not None
    assert correct.tolist() == [True, False, True]


def test_integers_of_each_step_are_decisions(judge):
    golden = np.array([[1, 2], [3, 4]])  # two steps, two samples
    layout = SampleLayout(shape=(2, 1), batch_axis=1)
    found = judge(golden, golden + np.array([[0, 0], [0, 1]]), "steps:top1", layout=layout)
    assert found == [Outcome.MASKED, Outcome.CRITICAL]


def test_auto_leaves_states_aside():
    golden = {"y": SCORES, "hn": np.zeros((3, 8), np.float32)}
    layouts = {"y": LAYOUT, "hn": SampleLayout(shape=(1, 8), batch_axis=0)}
    bound = choose_criterion(golden, layouts, states=("hn",))
    assert bound.spec() == "steps:top1 of y"
    named = choose_criterion(golden, layouts, output="hn", states=("hn",))
    assert named.spec() == "top1 of hn"


def test_criteria_that_look_at_whole_samples_stay_as_they_are():
    bound = choose_criterion({"y": SCORES}, {"y": LAYOUT}, requested="threshold:0.5", states=())
    assert bound.spec() == "threshold:0.5 of y"


def test_one_probability_needs_a_threshold():
    golden = {"y": np.zeros((2, 3, 1), np.float32)}
    layouts = {"y": SampleLayout(shape=(2, 1, 1), batch_axis=1)}
    with pytest.raises(ConfigError, match="threshold:VALUE"):
        choose_criterion(golden, layouts, states=())


def test_crossing_the_threshold_changes_the_decision(judge):
    golden = np.array([[0.4], [0.6], [0.6], [0.5], [0.2]], np.float32)
    faulty = np.array([[0.5], [0.4], [0.7], [0.5], [np.nan]], np.float32)
    assert judge(golden, faulty, "threshold:0.5") == [
        Outcome.CRITICAL,
        Outcome.CRITICAL,
        Outcome.TOLERABLE,
        Outcome.MASKED,
        Outcome.DUE_NONFINITE,
    ]


def test_a_threshold_answers_labels_of_two_classes():
    criterion = parse_criterion("threshold:0.5")
    correct = criterion.correct(np.array([[0.4], [0.6]]), np.array([0, 0]))
    assert correct is not None
    assert correct.tolist() == [True, False]
    assert criterion.correct(np.zeros((2, 3)), np.array([0, 0])) is None


@pytest.mark.parametrize("text", ["threshold", "threshold:nan", "threshold:1,2", "steps:no"])
def test_texts_that_are_none(text):
    with pytest.raises(ConfigError):
        parse_criterion(text)


def test_a_threshold_needs_numbers():
    with pytest.raises(ConfigError, match="needs numbers"):
        parse_criterion("threshold:0.5").check("y", np.array([["a"]]))
