"""Criteria over all outputs, named in a text like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    CRITERIA,
    AllOutputs,
    choose_criterion,
    classify_samples,
    lost_shares,
    parse_criterion,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Both(AllOutputs):
    """A sample's decision changes if both outputs moved further than allowed."""

    name: ClassVar[str] = "both-moved"
    help: ClassVar[str] = "both outputs move further than allowed"

    by: Annotated[float, Meta(description="How far.", ge=0)] = 0.5

    def decide(self, golden, faulty, labels):
        moved = [np.abs(golden[name] - faulty[name]).max(axis=1) > self.by for name in golden]
        return np.logical_and.reduce(moved)


LAYOUT = SampleLayout(shape=(1, 2), batch_axis=0)
GOLDEN = {name: np.zeros((3, 2), np.float32) for name in "ab"}


def test_it_sees_every_output():
    faulty = {name: values.copy() for name, values in GOLDEN.items()}
    faulty["a"][:2, 0] = 1
    faulty["b"][1, 1] = -1
    bound = choose_criterion(GOLDEN, dict.fromkeys("ab", LAYOUT), requested=Both())
    found = classify_samples(GOLDEN, faulty, dict.fromkeys("ab", LAYOUT), bound)
    assert [int(code) for code in found] == [1, 2, 0]
    assert bound.spec() == "both-moved of a"


def test_text_and_options():
    assert Both.read("both-moved:by=2", "by=2") == Both(by=2.0)
    assert Both(by=2.0).spec() == "both-moved:by=2.0"
    with pytest.raises(ConfigError, match=r"unknown option 'bye'.*did you mean 'by'"):
        Both.read("both-moved:bye=2", "bye=2")


def test_a_criterion_that_misbehaves_is_named():
    class Wrong(Both):
        def decide(self, golden, faulty, labels):
            return np.ones(2, np.int64)

    faulty = {name: values + 1 for name, values in GOLDEN.items()}
    bound = choose_criterion(GOLDEN, dict.fromkeys("ab", LAYOUT), requested=Wrong())
    with pytest.raises(ConfigError, match=r"both-moved returned int64 \[2\], expected bool \[3\]"):
        classify_samples(GOLDEN, faulty, dict.fromkeys("ab", LAYOUT), bound)


@pytest.mark.parametrize("text", ["top1", "top1:1", "top5", "label", "threshold:0.5", "steps:top1"])
def test_texts_read_back(text):
    assert parse_criterion(text).spec() == text


def test_an_unknown_name_names_near_ones():
    with pytest.raises(ConfigError, match="unknown criterion 'tolerence'; did you mean 'tol"):
        parse_criterion("tolerence:1")
    assert CRITERIA.names()[:5] == ("top1", "top5", "label", "threshold", "tolerance")


def test_it_is_not_of_each_step():
    CRITERIA.register(Both)
    with pytest.raises(ConfigError, match="'steps:both-moved' can't judge each step"):
        parse_criterion("steps:both-moved")


def test_lost_answers_have_no_margin():
    faulty = {name: values.copy() for name, values in GOLDEN.items()}
    faulty["a"][:2, 0] = 1
    faulty["b"][1, 1] = -1
    layouts = dict.fromkeys("ab", LAYOUT)
    bound = choose_criterion(GOLDEN, layouts, requested=Both())
    assert lost_shares(GOLDEN, faulty, layouts, bound, samples=3).tolist() == [0.0, 1.0, 0.0]
