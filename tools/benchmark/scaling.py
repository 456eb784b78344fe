"""T5: how cost grows with the workload and with the model."""

from __future__ import annotations

from benchmark.injections import measure_singles, singles
from benchmark.rows import Row
from benchmark.setting import WEIGHTS, context_of
from benchmark.stats import timed
from benchmark.subjects import Subject


def workload_size(
    subject: Subject, engine: str, samples: int, faults: int, limit_s: float
) -> list[Row]:
    """Single weight flips over a number of samples."""
    prepared = timed(lambda: context_of(subject, WEIGHTS, samples))
    figures = measure_singles(subject, engine, prepared, faults, limit_s)
    case = f"{samples:,} samples"
    return [Row(task="t5", model=subject.name, engine=engine, case=case, figures=figures)]


def model_size(subject: Subject, engine: str, faults: int, limit_s: float) -> list[Row]:
    """Single weight flips in a model of another width."""
    (row,) = singles(subject, "t1", engine, faults, limit_s)
    size = f"{subject.model.stat().st_size / 2**20:.1f} MiB of weights"
    return [Row(task="t5", model=row.model, engine=engine, case=size, figures=row.figures)]
