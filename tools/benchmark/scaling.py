"""T5: how cost grows with the workload, the model and the number of workers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import onnxfi as fi
from benchmark.injections import measure_singles, singles
from benchmark.rows import Figure, Row
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


def workers(subject: Subject, counts: Sequence[int], injections: int, rounds: int) -> list[Row]:
    """The same campaign with several numbers of worker processes, taking turns.

    Wall time is what counts here, so other work on the machine shows: the load is told.
    """
    walls: dict[int, list[float]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for count in counts:
                made = fi.Campaign.create(
                    Path(folder) / f"{turn}-{count}",
                    model=subject.model,
                    inputs=subject.inputs,
                    sampler=fi.UniformSampler(n=injections, seed=6),
                )
                walls[count].append(timed(lambda c=count, m=made: m.run(workers=c)).wall)  # type: ignore[misc]
    rows = []
    for count in counts:
        # Rounds are paired, since the load of a machine changes between them.
        speedups = [one / many for one, many in zip(walls[counts[0]], walls[count], strict=True)]
        figures: dict[str, Figure] = {
            "injections": injections,
            "rounds": rounds,
            "wall_s": float(np.median(walls[count])),
            "speedup": float(np.median(speedups)),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
            "cores": os.cpu_count() or 0,
        }
        case = f"{count} worker{'s' if count > 1 else ''}"
        rows.append(Row(task="t5", model=subject.name, engine="auto", case=case, figures=figures))
    return rows
