"""Outcomes: what a scenario did to each sample, by which criterion, and the result record."""

from onnxfi.outcome._choose import choose_criterion
from onnxfi.outcome._classify import (
    answered,
    classify,
    classify_samples,
    correct_samples,
)
from onnxfi.outcome._counts import MetricSum, OutcomeCounts, scenario_failed
from onnxfi.outcome._criterion import AllOutputs, BoundCriterion, Criterion
from onnxfi.outcome._divergence import Divergence, divergence
from onnxfi.outcome._function import FunctionCriterion
from onnxfi.outcome._graphuse import GraphKind, GraphUse
from onnxfi.outcome._kinds import Outcome
from onnxfi.outcome._lost import at_stake, lost_shares
from onnxfi.outcome._metric import METRICS, Metric, metrics_by_key, parse_metric
from onnxfi.outcome._outputs import RunOutputs, blank, filled_up, flatten_outputs, storable
from onnxfi.outcome._record import (
    COUNT_COLUMNS,
    MONITORS,
    RECORD_COLUMNS,
    SPIKES,
    InjectionRecord,
    metrics_from,
)
from onnxfi.outcome._registry import CRITERIA, CriterionPlugin, parse_criterion
from onnxfi.outcome._rows import rows_first
from onnxfi.outcome._spikes import SpikeCount, spike_counts, spikes_document, spikes_from
from onnxfi.outcome._statistics import (
    PartialStatistics,
    ValueStatistics,
    statistics_document,
    statistics_from,
    value_statistics,
)
from onnxfi.outcome._tolerance import Tolerance
from onnxfi.outcome._topk import LabelLost, Top1, TopK

__all__ = [
    "COUNT_COLUMNS",
    "CRITERIA",
    "METRICS",
    "MONITORS",
    "RECORD_COLUMNS",
    "SPIKES",
    "AllOutputs",
    "BoundCriterion",
    "Criterion",
    "CriterionPlugin",
    "Divergence",
    "FunctionCriterion",
    "GraphKind",
    "GraphUse",
    "InjectionRecord",
    "LabelLost",
    "Metric",
    "MetricSum",
    "Outcome",
    "OutcomeCounts",
    "PartialStatistics",
    "RunOutputs",
    "SpikeCount",
    "Tolerance",
    "Top1",
    "TopK",
    "ValueStatistics",
    "answered",
    "at_stake",
    "blank",
    "choose_criterion",
    "classify",
    "classify_samples",
    "correct_samples",
    "divergence",
    "filled_up",
    "flatten_outputs",
    "lost_shares",
    "metrics_by_key",
    "metrics_from",
    "parse_criterion",
    "parse_metric",
    "rows_first",
    "scenario_failed",
    "spike_counts",
    "spikes_document",
    "spikes_from",
    "statistics_document",
    "statistics_from",
    "storable",
    "value_statistics",
]
