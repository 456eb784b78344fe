"""The result record of one injection: counts, what was measured, and the graph that it ran in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Literal

from onnxfi.outcome._counts import MetricSum, Outcome, OutcomeCounts
from onnxfi.outcome._statistics import (
    SpikeCount,
    ValueStatistics,
    spikes_document,
    statistics_document,
)

#: Counts of a record, as every table of results names them.
COUNT_COLUMNS = ("samples", *(kind.label for kind in Outcome), "correct")
#: A whole record as a flat row: the result store, exports and documents agree on it.
RECORD_COLUMNS = ("scenario", *COUNT_COLUMNS, "metrics", "run_s", "worker", "finished_at")

#: Key of the monitored values among the metrics.
MONITORS = "monitors"
#: Key of the spike counts.
SPIKES = "spikes"


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionRecord:
    """One scenario carried out over the workload.

    Attributes:
        scenario: Number of the scenario in the fault list.
        counts: Outcomes of its samples.
        run_s: Wall time of the injection in seconds.
        worker: Who ran it, for diagnosis only.
        finished_at: When it ended, ISO 8601 in UTC.
        monitors: Statistics of monitored values, by name.
        spikes: Spikes by layer of neurons, where they are counted.
        graph: The graph that it ran in, and why that one; None if a crash left no word of it.
    """

    scenario: int
    counts: OutcomeCounts
    run_s: float
    worker: str
    finished_at: str
    monitors: Mapping[str, ValueStatistics] = field(default_factory=dict)
    spikes: Mapping[str, SpikeCount] = field(default_factory=dict)
    graph: GraphUse | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured beside the outcomes, as one JSON object."""
        measured: dict[str, Any] = {
            key: {"samples": each.samples, "total": each.total if isfinite(each.total) else None}
            for key, each in self.counts.metrics.items()
        }
        if self.monitors:
            measured[MONITORS] = statistics_document(self.monitors)
        if self.spikes:
            measured[SPIKES] = spikes_document(self.spikes)
        return measured


def metrics_from(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, MetricSum]:
    """Sums by metric from plain dictionaries; a total of None is beyond float64."""
    return {
        key: MetricSum(
            samples=given["samples"], total=inf if given["total"] is None else given["total"]
        )
        for key, given in documents.items()
    }


#: ``executable``: what onnxruntime makes of the model, with some values kept. ``apart``: the same,
#: optimised in pieces. ``stored``: the file's graph, cut or instrumented, which onnxruntime
#: optimises. ``baked``: a model that holds the faults.
GraphKind = Literal["executable", "apart", "stored", "baked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphUse:
    """The graph that an injection ran in.

    Attributes:
        graph: What kind of graph it is.
        reason: Why that one, in words.
        compared: Samples of the first batch, on which its fault-free answers were compared with
            those of the file's own session.
        differing: Those that it answers otherwise.
    """

    graph: GraphKind
    reason: str
    compared: int = 0
    differing: int = 0
