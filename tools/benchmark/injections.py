"""T1, T2 and T3: injections beside fault-free runs, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np

from benchmark.rows import Figure, Row
from benchmark.setting import (
    WEIGHTS,
    CannotError,
    activations,
    chosen_by_auto,
    concurrent_flips,
    context_of,
    fault_free,
    for_engine,
    one_per_site,
    single_faults,
)
from benchmark.stats import Series, Timed, timed
from benchmark.subjects import Subject
from onnxfi.engine import ENGINES, Engine, EngineContext, Graph, open_engine
from onnxfi.faults import Scenario

BLOCK = 4
#: Injections that set-up is spread over, as a usual campaign has.
CAMPAIGN = 1000
IN_A_BLOCK = "1,000 in one block"
FLIPS = (1, 100, 10_000, 100_000)
DEPLOYED = ", deployed"
#: Fault-free runs in a block of a campaign: one in so many injections.
_BASE_EVERY = 50


def singles(subject: Subject, task: str, engine: str, faults: int, limit_s: float) -> list[Row]:
    """T1 (weights) or T2 (activations): single bit flips, each over the whole batch.

    Args:
        subject: The model.
        task: ``t1`` or ``t2``.
        engine: Name of the engine.
        faults: Injections that are timed.
        limit_s: Seconds after which no further block of them begins.
    """
    choice = WEIGHTS if task == "t1" else activations(subject)
    prepared = timed(lambda: context_of(subject, choice))
    figures = measure_singles(subject, engine, prepared, faults, limit_s)
    return [Row(task=task, model=subject.name, engine=engine, figures=figures)]


def measure_singles(
    subject: Subject, engine: str, prepared: Timed[EngineContext], faults: int, limit_s: float
) -> dict[str, Figure]:
    """Figures of single bit flips in the sites of a context."""
    everything = prepared.value
    context = for_engine(engine, everything)
    base = fault_free(subject, context)
    opened = timed(lambda: open_engine(engine, context))
    with closing(opened.value) as running:
        # Engines set up some things when a site is first hit. One injection in each site brings
        # all of it forward; what they take beyond such injections later is set-up.
        first = _cpu_of(running, one_per_site(context.sites, seed=3))
        again = _cpu_of(running, one_per_site(context.sites, seed=5))
        scenarios = single_faults(context.sites, faults, seed=4)
        cpu, wall = interleave(base, running, scenarios, limit_s)
    setup = opened.cpu + max(0.0, first - again)
    return {
        **ratios(cpu, wall),
        "with_setup_ratio": cpu.mean_ratio((prepared.cpu + setup) / CAMPAIGN),
        "prepare_cpu_s": prepared.cpu,
        "setup_cpu_s": setup,
        "sites": len(context.sites),
        "sites_in_model": len(everything.sites),
        "samples": context.workload.samples,
        "auto": chosen_by_auto(everything, CAMPAIGN),
    }


def _cpu_of(engine: Engine, scenarios: Iterable[Scenario]) -> float:
    return sum(timed(lambda s=scenario: engine.run(s)).cpu for scenario in scenarios)  # type: ignore[misc]


def block(subject: Subject, task: str, engine: str) -> list[Row]:
    """T1 or T2 as a campaign has it: 1,000 faults handed over in one block, everything counted.

    Engines may share work among the scenarios of a block, whose order is theirs to choose: so only
    the whole of it is a figure, with preparing, opening and whatever sites need.

    Args:
        subject: The model.
        task: ``t1`` or ``t2``.
        engine: Name of the engine.

    Raises:
        CannotError: The engine takes no blocks.
    """
    choice = WEIGHTS if task == "t1" else activations(subject)
    prepared = timed(lambda: context_of(subject, choice))
    context = for_engine(engine, prepared.value)
    base = fault_free(subject, context)
    scenarios = single_faults(context.sites, CAMPAIGN, seed=4)
    opened = timed(lambda: open_engine(engine, context))
    with closing(opened.value) as running:
        run_many: Callable[..., Iterable[object]] | None = getattr(running, "run_many", None)
        if run_many is None:
            raise CannotError("takes no blocks of scenarios")
        spent, clean = _in_turns(base, lambda: iter(run_many(scenarios)), len(scenarios))
    total = prepared.cpu + opened.cpu + spent
    figures: dict[str, Figure] = {
        "with_setup_ratio": total / len(scenarios) / clean,
        "prepare_cpu_s": prepared.cpu,
        "fault_free_cpu_ms": 1e3 * clean,
        "sites": len(context.sites),
        "injections": len(scenarios),
        "samples": context.workload.samples,
        "auto": chosen_by_auto(prepared.value, CAMPAIGN),
    }
    return [Row(task=task, model=subject.name, engine=engine, case=IN_A_BLOCK, figures=figures)]


def _in_turns(
    base: Callable[[], object], start: Callable[[], Iterator[object]], count: int
) -> tuple[float, float]:
    """CPU seconds of all that an iterator gives, and of a fault-free run, mean of some between."""
    started = timed(start)
    spent, fault_free_s = started.cpu, [timed(base).cpu]
    for number in range(count):
        spent += timed(lambda: next(started.value)).cpu
        if number % _BASE_EVERY == 0:
            fault_free_s.append(timed(base).cpu)
    spent += timed(lambda: next(started.value, None)).cpu
    return spent, float(np.mean(fault_free_s))


def interleave(
    base: Callable[[], object], engine: Engine, scenarios: Iterable[Scenario], limit_s: float
) -> tuple[Series, Series]:
    """Time scenarios in blocks, with one fault-free run before each block and one at the end.

    Returns:
        CPU and wall seconds.
    """
    cpu, wall = Series(), Series()
    stop = time.perf_counter() + limit_s

    def fault_free_run() -> None:
        found = timed(base)
        cpu.base.append(found.cpu)
        wall.base.append(found.wall)

    for number, scenario in enumerate(scenarios):
        if number % BLOCK == 0:
            if number and time.perf_counter() > stop:
                break
            fault_free_run()
            cpu.blocks.append([])
            wall.blocks.append([])
        injected = timed(lambda s=scenario: engine.run(s))  # type: ignore[misc]
        cpu.blocks[-1].append(injected.cpu)
        wall.blocks[-1].append(injected.wall)
    fault_free_run()
    return cpu, wall


def ratios(cpu: Series, wall: Series) -> dict[str, Figure]:
    """What every interleaved measurement reports."""
    return {
        "mean_cpu_ratio": cpu.mean_ratio(),
        "median_cpu_ratio": cpu.median_ratio(),
        "mean_wall_ratio": wall.mean_ratio(),
        "median_wall_ratio": wall.median_ratio(),
        "injections": cpu.injections,
        "injection_cpu_ms": 1e3 * cpu.mean(),
        "fault_free_cpu_ms": 1e3 * cpu.base_mean(),
    }


def many(
    subject: Subject,
    engine: str,
    counts: Sequence[int],
    repeats: int,
    limit_s: float,
    graph: Graph = "stored",
) -> list[Row]:
    """T3: many flips at once in one inference, over the outputs of all convolutions.

    Each count has several drawn sets of places. Arming (masks and indices) is part of every
    injection; the session with all ports is set up before, by an injection that touches each site.
    The outputs are those of the file, or those that onnxruntime materialises (``deployed``).
    """
    if not ENGINES.get(engine).several_sites:
        raise CannotError("carries out scenarios of one site only")
    prepared = timed(lambda: context_of(subject, activations(subject), graph=graph))
    context = for_engine(engine, prepared.value, one_sample=True)
    base = fault_free(subject, context)
    opened = timed(lambda: open_engine(engine, context))
    rows = []
    with closing(opened.value) as running:
        for count in counts:
            drawn = [concurrent_flips(context, count, seed=k) for k in range(repeats)]
            # The first injection of a count sets up what its sites need.
            first = _cpu_of(running, drawn)
            cpu, wall = interleave(base, running, drawn * BLOCK, limit_s / len(counts))
            setup = opened.cpu + max(0.0, first - len(drawn) * cpu.mean())
            figures: dict[str, Figure] = {
                **ratios(cpu, wall),
                "with_setup_ratio": cpu.mean_ratio((prepared.cpu + setup) / CAMPAIGN),
                "prepare_cpu_s": prepared.cpu,
                "setup_cpu_s": setup,
                "sites_touched": max(len(scenario.sites) for scenario in drawn),
                "sites": len(context.sites),
                "samples": context.workload.samples,
            }
            case = (
                f"{count:,} flip{'s' if count > 1 else ''}{DEPLOYED if graph != 'stored' else ''}"
            )
            rows.append(
                Row(task="t3", model=subject.name, engine=engine, case=case, figures=figures)
            )
    return rows
