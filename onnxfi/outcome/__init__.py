"""Outcomes: what a scenario did to each sample, by which criterion, and the result record."""

from onnxfi.outcome._choose import choose_criterion, parse_criterion
from onnxfi.outcome._classify import classify, classify_samples, correct_samples
from onnxfi.outcome._counts import OutcomeCounts, scenario_failed
from onnxfi.outcome._criterion import BoundCriterion, Criterion, Metric
from onnxfi.outcome._function import FunctionCriterion
from onnxfi.outcome._kinds import Outcome
from onnxfi.outcome._outputs import RunOutputs, flatten_outputs
from onnxfi.outcome._record import COUNT_COLUMNS, RECORD_COLUMNS, InjectionRecord
from onnxfi.outcome._tolerance import Tolerance
from onnxfi.outcome._topk import LabelLost, Top1, TopK

__all__ = [
    "COUNT_COLUMNS",
    "RECORD_COLUMNS",
    "BoundCriterion",
    "Criterion",
    "FunctionCriterion",
    "InjectionRecord",
    "LabelLost",
    "Metric",
    "Outcome",
    "OutcomeCounts",
    "RunOutputs",
    "Tolerance",
    "Top1",
    "TopK",
    "choose_criterion",
    "classify",
    "classify_samples",
    "correct_samples",
    "flatten_outputs",
    "parse_criterion",
    "scenario_failed",
]
