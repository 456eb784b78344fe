"""What a single-bit flip costs in each engine, against a fault-free run of the model.

Every scenario runs through all engines and fault-free in turn, so that a busy machine slows all
of them alike; CPU time, one thread. The mean is over all scenarios, starting sessions and golden
runs included; the median is what a scenario costs once its site has been started.

    python tools/time_engines.py                         # the table of docs/engines.md
    python tools/time_engines.py --only lenet5 --scenarios 50
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxfi.engine import (
    ENGINES,
    EngineContext,
    EngineSettings,
    Scenarios,
    Session,
    choose_engine,
    golden_run,
    open_engine,
    profile,
    windows,
)
from onnxfi.faults import BitFlip, FaultSpace, enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import choose_criterion
from onnxfi.sampling import SampledScenarios, UniformSampler
from onnxfi.workload import read_workload

MODELS = Path(__file__).resolve().parent.parent / "models"
DEFAULT = ("lenet5_mnist_fp32", "resnet8_fashion_fp32", "resnet8_fashion_int8_qdq")

#: `lift` takes stored tensors only; `tools/bench.py` measures it.
TIMED = tuple(name for name in ENGINES if name != "lift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one model and kind of site took.

    Attributes:
        model: Name of the model.
        kind: Kind of the sites.
        plain_s: CPU time of a fault-free run over all images, median.
        means: Mean of each engine, in fault-free runs.
        medians: Likewise, medians.
        chosen: The engine that ``auto`` picks.
    """

    model: str
    kind: str
    plain_s: float
    means: dict[str, float]
    medians: dict[str, float]
    chosen: str


def context_of(name: str, kind: str, images: int) -> EngineContext:
    """Everything that an engine needs, for the sites of one kind that all engines can fault."""
    model = load(MODELS / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = read_workload(MODELS / f"{data}_test1000.npz", model.inputs).take(images)
    settings = EngineSettings()
    found = profile(model, workload, settings)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    sites = tuple(
        site
        for site in table.sites
        if site.kind.value == kind
        and all(e.refuses(site) is None for e in map(ENGINES.__getitem__, TIMED))
    )
    golden = golden_run(model, workload, found, settings)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=sites,
        criterion=choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels),
    )


def measure(name: str, kind: str, options: argparse.Namespace) -> Timing:
    """Time all engines on one model."""
    context = context_of(name, kind, options.images)
    space, sampler = (
        FaultSpace(context.sites, [BitFlip()]),
        UniformSampler(n=options.scenarios, seed=3),
    )
    plain = _plain(context)
    plain()
    fault_free: list[float] = []
    taken: dict[str, list[float]] = {engine: [] for engine in TIMED}
    with ExitStack() as stack:
        engines = {engine: open_engine(engine, context) for engine in TIMED}
        for engine in engines.values():
            stack.callback(engine.close)
        for scenario in SampledScenarios(space, sampler):
            fault_free.append(_cpu(plain))
            for each, engine in engines.items():
                start = time.process_time()
                engine.run(scenario)
                taken[each].append(time.process_time() - start)
    unit = float(np.median(fault_free))
    known = Scenarios(single_site=True, count=options.scenarios)
    samples = context.workload.samples
    return Timing(
        model=name,
        kind=kind,
        plain_s=unit,
        means={each: float(np.mean(times)) / unit for each, times in taken.items()},
        medians={each: float(np.median(times)) / unit for each, times in taken.items()},
        chosen=choose_engine("auto", context.model, samples, context.sites, known).name,
    )


def _plain(context: EngineContext) -> Callable[[], None]:
    """A fault-free run over the workload, in a session of its own."""
    session, found = Session(context.model, context.settings), context.profile
    cut = windows(context.workload.samples, found.batch_size, found.fixed_batch)

    def run() -> None:
        for window in cut:
            session.run(context.workload.batch(window.start, window.stop, window.size))

    return run


def _cpu(call: Callable[[], None]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def table(found: list[Timing]) -> Iterator[str]:
    """The Markdown that the documentation quotes: mean (median) in fault-free runs."""
    yield f"| model | sites | fault-free | {' | '.join(TIMED)} | `auto` |"
    yield f"|---|---|---:|{'---:|' * len(TIMED)}---|"
    for each in found:
        cells = " | ".join(f"{each.means[e]:.2f} ({each.medians[e]:.2f})" for e in TIMED)
        yield (
            f"| {each.model} | {each.kind} | {1000 * each.plain_s:.0f} ms | {cells} "
            f"| {each.chosen} |"
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenarios", type=int, default=200, help="a model and kind of site")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--only", default="", help="only models whose name contains this")
    options = parser.parse_args()
    found = []
    for name in DEFAULT:
        for kind in ("weight", "activation"):
            if options.only in name:
                found.append(measure(name, kind, options))
                print(f"{name} {kind}", file=sys.stderr)
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
