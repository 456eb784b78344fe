"""T4: what it takes to get going, and what an injection costs beside the inference itself."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np

import onnxfi as fi
from benchmark.injections import interleave, ratios
from benchmark.rows import Figure, Row
from benchmark.setting import WEIGHTS, context_of, fault_free, for_engine, one_per_site
from benchmark.stats import mean_interval, timed
from benchmark.subjects import Subject
from onnxfi.engine import open_engine

_IMPORTS = {
    "import numpy, onnx, onnxruntime": "import numpy, onnx, onnxruntime",
    "import onnxfi": "import onnxfi",
    "import onnxfi and its engines": "import onnxfi.engine, onnxfi.campaign",
}
_PROGRAM = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{}
print(time.process_time() - cpu, time.perf_counter() - wall)
"""


def imports(repeats: int) -> list[Row]:
    """Time imports, each in a fresh interpreter, taking turns."""
    spent: dict[str, list[tuple[float, float]]] = {case: [] for case in _IMPORTS}
    for _ in range(repeats):
        for case, statement in _IMPORTS.items():
            told = subprocess.run(
                [sys.executable, "-c", _PROGRAM.format(statement)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            spent[case].append((1e3 * float(told[0]), 1e3 * float(told[1])))
    rows = []
    for case, found in spent.items():
        cpu, wall = np.median(found, axis=0).tolist()
        figures: dict[str, Figure] = {"cpu_ms": cpu, "wall_ms": wall, "repeats": repeats}
        rows.append(Row(task="t4", model="-", case=case, figures=figures))
    return rows


def overhead(subject: Subject, engine: str, injections: int, limit_s: float) -> list[Row]:
    """Per injection, the CPU time beyond that of the fault-free run; the model is tiny.

    Scenarios are one a site, over and over, so that no session is new to an engine that keeps
    them.
    """
    prepared = timed(lambda: context_of(subject, WEIGHTS))
    context = for_engine(engine, prepared.value)
    base = fault_free(subject, context)
    opened = timed(lambda: open_engine(engine, context))
    scenarios = one_per_site(context.sites, seed=3)
    with closing(opened.value) as running:
        first = timed(lambda: running.run(scenarios[0]))
        for scenario in scenarios:
            running.run(scenario)
        turns = (scenarios[k % len(scenarios)] for k in range(injections))
        cpu, wall = interleave(base, running, turns, limit_s)
    added = [1e3 * (np.mean(block) - cpu.around(k)) for k, block in enumerate(cpu.blocks)]
    figures: dict[str, Figure] = {
        **ratios(cpu, wall),
        "overhead_cpu_ms": mean_interval([float(each) for each in added]),
        "prepare_cpu_ms": 1e3 * prepared.cpu,
        "first_injection_cpu_ms": 1e3 * (opened.cpu + first.cpu),
        "samples": context.workload.samples,
    }
    row = Row(task="t4", model=subject.name, engine=engine, case="an injection", figures=figures)
    return [row]


def campaign(subject: Subject, engine: str, injections: int) -> list[Row]:
    """The same through a whole campaign: drawing, running, classifying and storing each row."""
    base = fault_free(subject, context_of(subject, WEIGHTS))
    with tempfile.TemporaryDirectory() as folder:
        made = timed(
            lambda: fi.Campaign.create(
                Path(folder) / "campaign",
                model=subject.model,
                inputs=subject.inputs,
                sampler=fi.UniformSampler(n=injections, seed=6),
                engine=engine,
            )
        )
        ran = timed(made.value.run)
    clean_ms = 1e3 * float(np.mean([timed(base).cpu for _ in range(injections)]))
    each_ms = 1e3 * ran.cpu / injections
    figures: dict[str, Figure] = {
        "injections": injections,
        "create_cpu_ms": 1e3 * made.cpu,
        "run_cpu_ms_per_injection": each_ms,
        "run_wall_ms_per_injection": 1e3 * ran.wall / injections,
        "fault_free_cpu_ms": clean_ms,
        "overhead_cpu_ms": each_ms - clean_ms,
    }
    row = Row(task="t4", model=subject.name, engine=engine, case="a campaign", figures=figures)
    return [row]
