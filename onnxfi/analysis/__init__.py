"""From results to rates with intervals, by domain; pure functions."""

from onnxfi.analysis._betting import bounded_mean
from onnxfi.analysis._channels import CHANNEL, channel_facet
from onnxfi.analysis._chosen import PRIORITY, TOP, design_of
from onnxfi.analysis._coverage import interval_coverage
from onnxfi.analysis._design import Design, Domain, EqualDesign
from onnxfi.analysis._domains import DomainRow, DomainTable, domain_table
from onnxfi.analysis._drawn import source_facets, space_facets
from onnxfi.analysis._estimates import (
    Accuracy,
    Efficiency,
    Estimates,
    estimate,
    no_such_rate,
    outcome_shares,
)
from onnxfi.analysis._exact import clopper_pearson, hypergeometric, total_bounds
from onnxfi.analysis._facets import Facet, absent_facets, listed_facets
from onnxfi.analysis._fit import FailuresInTime, failures_in_time
from onnxfi.analysis._interval import SEARCH, Interval, failure_rate, look_confidence
from onnxfi.analysis._monitors import MonitorRow, monitor_rows
from onnxfi.analysis._observations import Observations, observe
from onnxfi.analysis._observed import ObservedDesign
from onnxfi.analysis._priority import PriorityDesign
from onnxfi.analysis._spikes import SpikeRow, spike_rows
from onnxfi.analysis._stratified import StratifiedDesign

__all__ = [
    "CHANNEL",
    "PRIORITY",
    "SEARCH",
    "TOP",
    "Accuracy",
    "Design",
    "Domain",
    "DomainRow",
    "DomainTable",
    "Efficiency",
    "EqualDesign",
    "Estimates",
    "Facet",
    "FailuresInTime",
    "Interval",
    "MonitorRow",
    "Observations",
    "ObservedDesign",
    "PriorityDesign",
    "SpikeRow",
    "StratifiedDesign",
    "absent_facets",
    "bounded_mean",
    "channel_facet",
    "clopper_pearson",
    "design_of",
    "domain_table",
    "estimate",
    "failure_rate",
    "failures_in_time",
    "hypergeometric",
    "interval_coverage",
    "listed_facets",
    "look_confidence",
    "monitor_rows",
    "no_such_rate",
    "observe",
    "outcome_shares",
    "source_facets",
    "space_facets",
    "spike_rows",
    "total_bounds",
]
