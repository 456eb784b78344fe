"""Metrics: numbers that are measured of every sample, and their sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from onnxfi.errors import ConfigError
from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    METRICS,
    BoundCriterion,
    InjectionRecord,
    Metric,
    MetricSum,
    OutcomeCounts,
    Tolerance,
    classify,
    metrics_by_key,
    metrics_from,
    parse_metric,
)

LAYOUT = SampleLayout(shape=(1, 2), batch_axis=0)
GOLDEN = {"a": np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [9.0, 9.0]], np.float32)}
FAULTY = {"a": np.array([[3.0, 9.0], [1.0, np.nan], [1.0, 0.0], [0.0, 0.0]], np.float32)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Metric):
    """How far output ``a`` moved."""

    name: ClassVar[str] = "shift"
    help: ClassVar[str] = "how far an output moves"

    power: Annotated[float, Meta(description="Power of the shift.", gt=0)] = 1.0

    def measure(self, golden, faulty, labels):
        return np.abs(faulty["a"] - golden["a"]).sum(axis=1) ** self.power


def _counts(*metrics, golden=GOLDEN, faulty=FAULTY, samples=3, layouts=None):
    bound = BoundCriterion(
        criterion=Tolerance(100.0), output="a", metrics=metrics_by_key(list(metrics))
    )
    return classify(golden, faulty, layouts or {"a": LAYOUT}, bound, samples=samples).metrics


def test_sums_are_over_the_samples_that_are_defined():
    # The second is NaN; the fourth is padding.
    assert _counts(Shift()) == {"shift": MetricSum(samples=2, total=6.0)}
    assert _counts(Shift(power=2.0))["shift:power=2.0"].total == 26.0


def test_the_relative_error_is_that_of_norms():
    found = _counts(parse_metric("relative-error"))
    assert found == {"relative-error": MetricSum(samples=1, total=1.0)}
    same = _counts(parse_metric("relative-error:output=a"), faulty=GOLDEN, samples=4)
    assert same == {"relative-error:output=a": MetricSum(samples=4, total=0.0)}
    with pytest.raises(ConfigError, match="unknown output 'b'"):
        _counts(parse_metric("relative-error:output=b"))


def test_another_shape_has_no_counterpart():
    assert _counts(Shift(), faulty={"a": np.zeros((4, 3), np.float32)}) == {"shift": MetricSum()}


def test_an_output_that_exists_once_per_run_counts_for_every_sample():
    layouts = {"a": SampleLayout(shape=(2,), batch_axis=None)}
    golden, faulty = {"a": np.zeros(2, np.float32)}, {"a": np.ones(2, np.float32)}
    found = _counts(Shift(), golden=golden, faulty=faulty, layouts=layouts)
    assert found == {"shift": MetricSum(samples=3, total=6.0)}


def test_sums_add_up_and_have_a_mean():
    one = OutcomeCounts(samples=2, masked=2, metrics={"m": MetricSum(samples=2, total=3.0)})
    none = OutcomeCounts(samples=1, due_timeout=1)
    assert (one + none + one).metrics == {"m": MetricSum(samples=4, total=6.0)}
    assert (one.metrics["m"].mean, MetricSum().mean) == (1.5, None)


def test_documents_read_back():
    sums = {"m": MetricSum(samples=2, total=0.1), "beyond": MetricSum(samples=1, total=math.inf)}
    counts = OutcomeCounts(samples=2, masked=2, metrics=sums)
    record = InjectionRecord(scenario=0, counts=counts, run_s=0.0, worker="", finished_at="")
    assert record.metrics["beyond"] == {"samples": 1, "total": None}
    assert metrics_from(record.metrics) == sums


def test_what_misbehaves_is_named():
    class Wrong(Shift):
        def measure(self, golden, faulty, labels):
            return np.zeros(2)

    class Raising(Shift):
        def measure(self, golden, faulty, labels):
            raise KeyError("b")

    with pytest.raises(ConfigError, match=r"shift returned float64 \[2\], expected float \[3\]"):
        _counts(Wrong())
    with pytest.raises(ConfigError, match="metric shift raised KeyError: 'b'"):
        _counts(Raising())


def test_keys_are_one_metric_each():
    with pytest.raises(ConfigError, match="metric 'shift'"):
        metrics_by_key([Shift(), Shift()])

    class Monitors(Shift):
        name: ClassVar[str] = "monitors"

    with pytest.raises(ConfigError, match="metric 'monitors'"):
        metrics_by_key([Monitors()])


def test_unknown_names_and_options_name_near_ones():
    with pytest.raises(ConfigError, match="unknown metric 'relative-eror'; did you mean 'rel"):
        parse_metric("relative-eror")
    with pytest.raises(ConfigError, match=r"unknown option 'outputs'.*did you mean 'output'"):
        parse_metric("relative-error:outputs=a")
    assert METRICS.ours == ("relative-error",)
