"""T6: peak memory of a process, with and without injections."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from onnxfi.engine import EngineContext, open_engine

MIB = 2**20
#: What a process may take beside memory limit, model and workload: imports, the sessions and
#: arrays of the run that is going on.
BESIDE_MIB = 300e6 / MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is injected, and how much memory engines are told to keep.

    Attributes:
        samples: Samples of the workload.
        faults: Injections at random places, after one in each site.
        memory_limit: The engine's limit in bytes.
        seconds: Time after which no further injection begins.
    """

    samples: int
    faults: int
    memory_limit: int
    seconds: float


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
    prepared = peak_mib()
    fault_free(subject, context)()
    figures: dict[str, Figure] = {
        "peak_mib": peak_mib(),
        "prepared_mib": prepared,
        **_held(subject, context, start),
    }
    return [Row(task="t6", model=subject.name, case="fault-free", figures=figures)]


def peak(subject: Subject, engine: str, kind: str, limits: Limits) -> list[Row]:
    """Peak after injections in every site, in random order, and then at random places.

    The workload is in memory whole, as campaigns read it, so it is part of what a peak may be: the
    row says so apart from the rest.

    Args:
        subject: The model.
        engine: Name of the engine.
        kind: ``weight`` or ``activation``.
        limits: How much.
    """
    start = peak_mib()
    choice: Choice = WEIGHTS if kind == "weight" else activations(subject)
    everything = context_of(subject, choice, limits.samples, limits.memory_limit)
    context = for_engine(engine, everything)
    prepared = peak_mib()
    done = _inject(engine, context, limits)
    held = _held(subject, context, start)
    limit = limits.memory_limit / MIB
    own = limit + float(held["model_mib"]) + BESIDE_MIB
    allowed = own + float(held["workload_mib"])
    reached = peak_mib()
    figures: dict[str, Figure] = {
        "peak_mib": reached,
        "prepared_mib": prepared,
        **held,
        "memory_limit_mib": limit,
        "allowed_mib": allowed,
        "allowed_without_workload_mib": own,
        "holds": "yes" if reached <= allowed else "no",
        "batch": context.profile.batch_size,
        "injections": done,
        "sites_hit": f"{min(done, len(context.sites))} of {len(context.sites)}",
    }
    case = f"{kind} faults"
    return [Row(task="t6", model=subject.name, engine=engine, case=case, figures=figures)]


def _inject(engine: str, context: EngineContext, limits: Limits) -> int:
    """How many injections there was time for; at least one."""
    # A line that ends early shall have hit sites at all depths, hence in random order.
    order = np.random.default_rng(3).permutation(len(context.sites))
    sites = [context.sites[k] for k in order]
    scenarios = [*one_per_site(sites, seed=3), *single_faults(sites, limits.faults, seed=4)]
    stop = time.monotonic() + limits.seconds
    with closing(open_engine(engine, context)) as running:
        for done, scenario in enumerate(scenarios, 1):
            running.run(scenario)
            if time.monotonic() > stop:
                return done
    return len(scenarios)


def _held(subject: Subject, context: EngineContext, start: float) -> dict[str, float]:
    """What is in memory in any case, in MiB."""
    return {
        "imports_mib": start,
        "model_mib": subject.model.stat().st_size / MIB,
        "workload_mib": sum(_whole(v).nbytes for v in context.workload.inputs.values()) / MIB,
        "samples": context.workload.samples,
    }


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """The array that is in memory, where only some of its samples are used."""
    return values.base if isinstance(values.base, np.ndarray) else values
