"""A campaign's summary as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from onnxfi.outcome import COUNT_COLUMNS

if TYPE_CHECKING:
    from onnxfi.analysis import DomainTable
    from onnxfi.campaign import CampaignSummary
    from onnxfi.outcome import OutcomeCounts
    from onnxfi.report._gate import Condition


def json_text(verb: str, content: Mapping[str, Any]) -> str:
    """An indented JSON document, its schema ``onnxfi/<verb>/1`` first; NaN becomes null."""
    data = msgspec.json.encode({"schema": f"onnxfi/{verb}/1", **content})
    return msgspec.json.format(data, indent=2).decode() + "\n"


def summary_document(summary: CampaignSummary) -> dict[str, Any]:
    """All that a summary says; the keys are stable, and new ones may come."""
    removed = summary.removed
    return {
        "folder": summary.folder,
        "identity": summary.identity,
        "model": {"name": summary.model, "sha256": summary.model_sha256},
        "samples": summary.samples,
        "sample": summary.sample,
        "scenarios": {
            "total": summary.total,
            "done": summary.done,
            "used": summary.used,
            "complete": summary.complete,
        },
        "sampler": summary.sampler,
        "search": summary.search,
        "fault_models": list(summary.fault_models),
        "targets": list(summary.targets),
        "sites": summary.sites,
        "space": {"size": summary.space_size, "bits": summary.space_bits},
        "engine": {"name": summary.engine, "reason": summary.engine_reason},
        "provider": summary.provider,
        "optimization": summary.optimization,
        "graph": summary.graph,
        "batch_size": summary.batch_size,
        "criterion": summary.criterion,
        "criterion_reason": summary.criterion_reason,
        "drop": summary.drop,
        "golden_accuracy": summary.golden_accuracy,
        "rates": {name: asdict(interval) for name, interval in summary.rates.items()},
        "accuracy": None if summary.accuracy is None else asdict(summary.accuracy),
        "outcomes": outcome_document(summary.counts),
        "tables": {facet: _table(table) for facet, table in summary.tables.items()},
        "efficiency": None if summary.efficiency is None else asdict(summary.efficiency),
        "fit": None if summary.fit is None else asdict(summary.fit),
        "monitors": [asdict(row) for row in summary.monitors],
        "spikes": [asdict(row) for row in summary.spikes],
        "left_out": [asdict(group) for group in summary.left_out],
        "removed": None if removed is None else [msgspec.structs.asdict(e) for e in removed],
        "graphs": [
            {**asdict(each.use), "scenarios": each.scenarios, "sites": each.sites}
            for each in summary.graphs
        ],
        "run_s": summary.run_s,
        "attempts": summary.attempts,
        "notes": list(summary.notes),
    }


def report_document(
    summaries: Sequence[CampaignSummary], held: Sequence[tuple[CampaignSummary, Condition]] = ()
) -> dict[str, Any]:
    """A report on campaigns, and which conditions of a gate are true for which of them."""
    return {
        "campaigns": [summary_document(summary) for summary in summaries],
        "failed_if": [
            {"folder": summary.folder, "condition": condition.text} for summary, condition in held
        ],
    }


def outcome_document(counts: OutcomeCounts) -> dict[str, int | None]:
    """Samples by outcome."""
    return {name: getattr(counts, name) for name in COUNT_COLUMNS}


def _table(table: DomainTable) -> dict[str, Any]:
    return {
        "rows": [asdict(row) for row in table.rows],
        "not_sampled": table.not_sampled,
        "left_out": table.left_out,
        "reason": table.reason,
    }
