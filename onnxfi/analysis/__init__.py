"""From results to rates with intervals, by domain; pure functions.

In: finished scenarios (rows of the result store), where they came from, and the header of their
fault list, which says how they were drawn. Out: rates with intervals, tables by domain, and what
was measured on the side.

How rates follow from scenarios is a sampling design: one class in one file, declared in one line of
:data:`DESIGNS`, and named by samplers. A design that is not known is refused; of scenarios of which
nobody can say how they were drawn, shares are of the scenarios run.
"""

from onnxfi.analysis._betting import bounded_mean
from onnxfi.analysis._design import Design, Domain, Efficiency
from onnxfi.analysis._designs import DESIGNS, design_of, is_picked
from onnxfi.analysis._difference import difference_total
from onnxfi.analysis._domains import DomainRow, DomainTable, domain_table
from onnxfi.analysis._drawn import CHANNEL, channel_facet, source_facets, space_facets
from onnxfi.analysis._equal import EqualDesign
from onnxfi.analysis._estimates import (
    Accuracy,
    Estimates,
    estimate,
    no_such_rate,
    outcome_shares,
)
from onnxfi.analysis._exact import clopper_pearson, hypergeometric, total_bounds
from onnxfi.analysis._facets import Facet, absent_facets, listed_facets
from onnxfi.analysis._fit import FailuresInTime, failures_in_time
from onnxfi.analysis._interval import (
    SEARCH,
    Interval,
    failure_rate,
    interval_coverage,
    look_confidence,
)
from onnxfi.analysis._monitored import MonitorRow, SpikeRow, monitor_rows, spike_rows
from onnxfi.analysis._observations import Observations, observe
from onnxfi.analysis._picked import PickedDesign
from onnxfi.analysis._priority import PriorityDesign
from onnxfi.analysis._stratified import StratifiedDesign

__all__ = [
    "CHANNEL",
    "DESIGNS",
    "SEARCH",
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
    "PickedDesign",
    "PriorityDesign",
    "SpikeRow",
    "StratifiedDesign",
    "absent_facets",
    "bounded_mean",
    "channel_facet",
    "clopper_pearson",
    "design_of",
    "difference_total",
    "domain_table",
    "estimate",
    "failure_rate",
    "failures_in_time",
    "hypergeometric",
    "interval_coverage",
    "is_picked",
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
