"""The suites of criteria and metrics, over ours and over a user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from onnxfi.outcome import (
    CRITERIA,
    METRICS,
    AllOutputs,
    FunctionCriterion,
    LabelLost,
    Metric,
    Tolerance,
    Top1,
    TopK,
    parse_criterion,
    parse_metric,
)
from onnxfi.testing import CriterionSuite, MetricSuite


@dataclass(frozen=True, slots=True, kw_only=True)
class EitherMoved(AllOutputs):
    """An element of either output moved further than allowed."""

    name: ClassVar[str] = "either-moved"
    help: ClassVar[str] = "an element of either output moved"

    by: Annotated[float, Meta(description="How far.", ge=0)] = 0.5

    def decide(self, golden, faulty, labels):
        moved = [np.abs(faulty[name] - golden[name]).max(axis=1) > self.by for name in golden]
        return np.logical_or.reduce(moved)


class FirstOfBatch(EitherMoved):
    """One that compares a sample with the first of its batch."""

    name: ClassVar[str] = "first-of-batch"

    def decide(self, golden, faulty, labels):
        return (faulty["scores"] != golden["scores"][0]).all(axis=1)


def largest_moved(golden, faulty, labels):
    return np.argmax(golden, axis=-1) != np.argmax(faulty, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Metric):
    """How far an output moved."""

    name: ClassVar[str] = "moved-by"
    help: ClassVar[str] = "how far an output moves"

    output: Annotated[str, Meta(description="The output.")]

    def measure(self, golden, faulty, labels):
        return np.abs(faulty[self.output] - golden[self.output]).max(axis=1)


class ShareOfBatch(Shift):
    """One that divides by what the whole batch holds."""

    name: ClassVar[str] = "share-of-batch"

    def measure(self, golden, faulty, labels):
        moved = np.abs(faulty[self.output] - golden[self.output]).max(axis=1)
        return moved / (1 + moved.sum())


@pytest.fixture(autouse=True, scope="module")
def _known():
    CRITERIA.register(EitherMoved)
    METRICS.register(Shift)


class TestCriteria(CriterionSuite):
    def criteria(self):
        texts = ("top1", "top1:-1", "threshold:0.5", "tolerance:0.1", "tolerance:0.5,0.25")
        return [Top1(), TopK(), LabelLost(), Tolerance(0.25), *map(parse_criterion, texts)]

    def test_all_of_ours_are_here(self):
        assert {each.spec().partition(":")[0] for each in self.criteria()} == set(CRITERIA.ours)


class TestUsersCriteria(CriterionSuite):
    def criteria(self):
        return [EitherMoved(), EitherMoved(by=0.125), FunctionCriterion(largest_moved)]


class TestStepCriteria(CriterionSuite):
    def criteria(self):
        return [parse_criterion("steps:top1"), parse_criterion("steps:top5")]

    def outputs(self):
        return {"scores": np.random.default_rng(1).normal(size=(4, 3, 10)).astype(np.float32)}

    def labels(self):
        return np.zeros(4, np.int64)


class TestMetrics(MetricSuite):
    def metrics(self):
        return [parse_metric("relative-error"), parse_metric("relative-error:output=second")]

    def test_all_of_ours_are_here(self):
        assert {each.name for each in self.metrics()} == set(METRICS.ours)


class TestUsersMetrics(MetricSuite):
    def metrics(self):
        return [Shift(output="scores"), Shift(output="second")]


def test_what_depends_on_its_batch_is_found():
    class Wrong(CriterionSuite):
        def criteria(self):
            return [FirstOfBatch()]

    class WrongMetric(MetricSuite):
        def metrics(self):
            return [ShareOfBatch(output="scores")]

    with pytest.raises(AssertionError, match="first-of-batch"):
        Wrong().test_samples_are_judged_one_by_one()
    with pytest.raises(AssertionError, match="share-of-batch"):
        WrongMetric().test_samples_are_measured_one_by_one()
