"""Summaries of made-up campaigns, estimated by the real analysis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnxfi.analysis import Facet, estimate, observe
from onnxfi.campaign import CampaignSummary
from onnxfi.outcome import InjectionRecord, OutcomeCounts

SummaryFactory = Callable[..., CampaignSummary]

SAMPLES = 20


def _record(number: int, critical: int) -> InjectionRecord:
    counts = OutcomeCounts(
        samples=SAMPLES,
        masked=SAMPLES - critical - 1,
        tolerable=0,
        critical=critical,
        due_nonfinite=1,
        correct=SAMPLES - critical - 1,
    )
    return InjectionRecord(
        scenario=number, counts=counts, run_s=0.5, worker="w", finished_at="2026-01-01T00:00:00Z"
    )


@pytest.fixture
def make_summary() -> SummaryFactory:
    """Build a summary of ``n`` scenarios in ``layers``; any field can be given another value."""

    def make(
        n: int = 12, layers: tuple[str, ...] = ("conv", "fc"), **changes: object
    ) -> CampaignSummary:
        codes = np.arange(n, dtype=np.int64) % len(layers)
        layer = Facet(
            name="layer",
            keys=layers,
            codes=codes,
            bits=(8,) * len(layers),
            faults=None,
            reason="",
        )
        bit = Facet(
            name="bit",
            keys=("0", "1", "2"),
            codes=np.where(np.arange(n) % 4 == 3, -1, np.arange(n) % 2).astype(np.int64),
            bits=(64, 64, 64),
            faults=None,
            reason="only scenarios with faults on exactly one bit count here",
        )
        records = [_record(k, 10 if k % len(layers) == 0 else 0) for k in range(n)]
        found = estimate(observe(records, golden_correct=SAMPLES, drop=0.2), facets=(layer, bit))
        values: dict[str, object] = {
            "folder": "runs/made-up",
            "identity": "ab" * 32,
            "model": "made_up.onnx",
            "model_sha256": "cd" * 32,
            "samples": SAMPLES,
            "sample": "image [1, 28, 28] → logits [10]; batch axis image:0 logits:0",
            "total": n,
            "done": n,
            "used": n,
            "complete": True,
            "sampler": f"uniform (n {n}, seed 0)",
            "fault_models": ("flip",),
            "targets": ("weight",),
            "sites": len(layers),
            "engine": "ports",
            "engine_reason": "all sites can be opened",
            "provider": "cpu",
            "optimization": "all",
            "graph": "stored",
            "batch_size": 20,
            "criterion": "top1 of logits",
            "criterion_reason": "the largest of 10 scores",
            "drop": 0.2,
            "space_size": 4096,
            "space_bits": 4096,
            "golden_accuracy": 1.0,
            "rates": found.rates,
            "accuracy": found.accuracy,
            "counts": found.total,
            "tables": {table.facet: table for table in found.tables},
            "run_s": 0.5,
            "attempts": 0,
            "notes": (),
        }
        return CampaignSummary(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def empty_summary(make_summary: SummaryFactory) -> CampaignSummary:
    """A campaign of which no block is finished."""
    return make_summary(
        rates={},
        accuracy=None,
        counts=OutcomeCounts(samples=0),
        tables={},
        total=100,
        done=3,
        used=0,
        complete=False,
        run_s=None,
    )
