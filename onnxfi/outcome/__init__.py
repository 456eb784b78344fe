"""Outcomes: what a scenario did to each sample, by which criterion, and the result record.

In: golden and faulty outputs of a batch by name, where samples lie in them, labels, and a criterion
(one of ``CRITERIA``, or the user's own) with the output that it reads. Out: an :class:`Outcome` of
every sample, :class:`OutcomeCounts` with the sums of the metrics (``METRICS``), how far values are
from golden ones, and the :class:`InjectionRecord` that is stored. Nothing here knows a model or a
file.
"""

from onnxfi.outcome._choose import choose_criterion
from onnxfi.outcome._classify import (
    answered,
    classify,
    classify_samples,
    correct_samples,
)
from onnxfi.outcome._compare import Divergence, divergence
from onnxfi.outcome._counts import MetricSum, Outcome, OutcomeCounts, scenario_failed
from onnxfi.outcome._criterion import AllOutputs, BoundCriterion, Criterion, FunctionCriterion
from onnxfi.outcome._lost import at_stake, lost_shares
from onnxfi.outcome._metric import METRICS, Metric, metrics_by_key, parse_metric
from onnxfi.outcome._outputs import (
    RunOutputs,
    blank,
    filled_up,
    flatten_outputs,
    rows_first,
    storable,
)
from onnxfi.outcome._record import (
    COUNT_COLUMNS,
    MONITORS,
    RECORD_COLUMNS,
    SPIKES,
    GraphKind,
    GraphUse,
    InjectionRecord,
    metrics_from,
)
from onnxfi.outcome._registry import CRITERIA, CriterionPlugin, parse_criterion
from onnxfi.outcome._statistics import (
    PartialStatistics,
    SpikeCount,
    ValueStatistics,
    spike_counts,
    spikes_document,
    spikes_from,
    statistics_document,
    statistics_from,
    value_statistics,
)
from onnxfi.outcome._together import OutputRows, classify_together, judges_rows
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
    "OutputRows",
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
    "classify_together",
    "correct_samples",
    "divergence",
    "filled_up",
    "flatten_outputs",
    "judges_rows",
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
