"""T6: peak memory of a process, with and without injections."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from benchmark.rows import Figure, Row
from benchmark.setting import (
    WEIGHTS,
    Choice,
    activations,
    context_of,
    fault_free,
    for_engine,
    one_per_site,
    single_faults,
)
from benchmark.subjects import Subject
from onnxfi.engine import open_engine

MIB = 2**20


def peak_mib() -> float:
    """The most that this process has had in memory.

    Not ``ru_maxrss`` where it can be helped: on Linux a new process inherits its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == "darwin" else 1024)


def fault_free_peak(subject: Subject, samples: int) -> list[Row]:
    """Peak of preparing a campaign and running the untouched model, in plain onnxruntime too."""
    start = peak_mib()
    context = context_of(subject, WEIGHTS, samples)
    fault_free(subject, context)()
    figures: dict[str, Figure] = {
        "peak_mib": peak_mib(),
        "imports_mib": start,
        "model_mib": subject.model.stat().st_size / MIB,
        "workload_mib": sum(v.nbytes for v in context.workload.inputs.values()) / MIB,
        "samples": samples,
    }
    return [Row(task="t6", model=subject.name, case="fault-free", figures=figures)]


def peak(subject: Subject, engine: str, kind: str, limits: tuple[int, int, int]) -> list[Row]:
    """Peak after injections in every site, and then in random ones.

    Args:
        subject: The model.
        engine: Name of the engine.
        kind: ``weight`` or ``activation``.
        limits: Samples, random injections, and the engine's memory limit in bytes.
    """
    samples, faults, memory_limit = limits
    choice: Choice = WEIGHTS if kind == "weight" else activations(subject)
    context = for_engine(engine, context_of(subject, choice, samples, memory_limit))
    with closing(open_engine(engine, context)) as running:
        for scenario in one_per_site(context.sites, seed=3):
            running.run(scenario)
        for scenario in single_faults(context.sites, faults, seed=4):
            running.run(scenario)
    figures: dict[str, Figure] = {
        "peak_mib": peak_mib(),
        "memory_limit_mib": memory_limit / MIB,
        "injections": faults + len(context.sites),
        "samples": samples,
    }
    case = f"{kind} faults"
    return [Row(task="t6", model=subject.name, engine=engine, case=case, figures=figures)]
