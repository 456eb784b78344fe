"""Which measurements are made: the grid of tasks, models and engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.injections import CAMPAIGN, FLIPS, IN_A_BLOCK, block, many, singles
from benchmark.memory import Limits, fault_free_peak, peak
from benchmark.process import LONGEST_S, Cell
from benchmark.quantized import armed
from benchmark.scaling import model_size, workload_size
from benchmark.startup import campaign, imports, overhead
from benchmark.subjects import SUBJECTS
from benchmark.workers import Campaigns, workers
from onnxfi.engine import ENGINES

TASKS = {
    "t1": "single weight bit flips",
    "t2": "single activation bit flips",
    "t3": "many activation bit flips at once",
    "t4": "start-up and machinery",
    "t5": "scaling",
    "t6": "peak memory",
}
_MANY = ("resnet20", "resnet18")
_QUANTIZED = "resnet8_int8_qdq"
_SCALED = "resnet8_fp32"
_WIDTHS = ("resnet20_half", "resnet20", "resnet20_double")
_MEMORY = {"resnet8_fp32": 1000, "resnet18": 64, "efficientnet_lite0": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured.

    Attributes:
        faults: Injections timed in each line of T1, T2 and T5.
        limit_s: Seconds after which such a line ends early.
        repeats: Sets of places for each count of T3, and imports of T4.
        flips: Counts of T3.
        samples: Workload sizes of T5.
        widths: Models of T5.
        tiny: Injections into the tiny model.
        campaigns: What T5 runs with several workers.
        most_samples: Cap on the samples of T6.
        memory_limit: The engines' limit in T6, in bytes.
        memory_s: Seconds after which a line of T6 ends early.
        large: With ResNet-18, which takes half of the time.
    """

    faults: int
    limit_s: float
    repeats: int = 5
    flips: tuple[int, ...] = FLIPS
    samples: tuple[int, ...] = (16, 64, 256, 1000)
    widths: tuple[str, ...] = _WIDTHS
    tiny: int = 2000
    campaigns: Campaigns = Campaigns(seconds=60.0, rounds=2)  # noqa: RUF009  # frozen
    most_samples: int = 1000
    memory_limit: int = 10**9
    memory_s: float = 300.0
    large: bool = True


def quick(faults: int | None) -> Extent:
    """Just enough to see that everything runs."""
    return Extent(
        faults=faults or 8,
        limit_s=2.0,
        repeats=1,
        flips=(1, 100),
        samples=(16,),
        widths=_WIDTHS[:1],
        tiny=40,
        campaigns=Campaigns(seconds=1.0, rounds=1, trial=20, alone=False),
        most_samples=64,
        memory_s=10.0,
        large=False,
    )


def names(added: Sequence[str]) -> set[str]:
    """What ``--only`` takes: tasks, models and engines."""
    return {*TASKS, *SUBJECTS, *_WIDTHS, "tiny", *ENGINES.names(), *added}


def plan(extent: Extent, added: Sequence[str], only: Sequence[str]) -> list[Cell]:
    """All measurements, or those that ``only`` names; names of one sort widen the choice."""
    chosen = []
    for cell in _all(extent, added):
        if cell.model == "resnet18" and not extent.large:
            continue
        mine = {"task": cell.task, "model": cell.model, "engine": cell.engine}
        sorts = {
            "task": set(TASKS) & set(only),
            "engine": set(ENGINES.names()) & set(only),
            "model": set(only) - set(TASKS) - set(ENGINES.names()),
        }
        if all(not wanted or mine[sort] in wanted for sort, wanted in sorts.items()):
            chosen.append(cell)
    return chosen


def _all(extent: Extent, added: Sequence[str]) -> Iterator[Cell]:
    timed: dict[str, Any] = {"faults": extent.faults, "limit_s": extent.limit_s}
    models = list(dict.fromkeys([*SUBJECTS, *added]))
    for task in ("t1", "t2"):
        for model in models:
            for engine in ENGINES.names():
                given = {"task": task, "engine": engine, **timed}
                yield Cell(task=task, model=model, engine=engine, measure=singles, arguments=given)
                if extent.faults >= CAMPAIGN:
                    yield Cell(
                        task=task,
                        model=model,
                        engine=engine,
                        case=IN_A_BLOCK,
                        measure=block,
                        arguments={"task": task, "engine": engine},
                    )
    for model in _MANY:
        for engine in ENGINES.names():
            spread: dict[str, Any] = {
                "engine": engine,
                "counts": extent.flips,
                "repeats": extent.repeats,
                "limit_s": extent.limit_s,
            }
            yield Cell(task="t3", model=model, engine=engine, measure=many, arguments=spread)
            there = {**spread, "counts": extent.flips[-1:], "graph": "deployed"}
            yield Cell(
                task="t3",
                model=model,
                engine=engine,
                case="deployed",
                measure=many,
                arguments=there,
            )
    for engine in ("ports", "cut"):
        yield Cell(
            task="t3",
            model=_QUANTIZED,
            engine=engine,
            case="armed",
            measure=armed,
            arguments={"engine": engine, "limit_s": extent.limit_s},
        )
    yield from _startup(extent)
    yield from _scaling(extent)
    yield from _memory(extent)


def _startup(extent: Extent) -> Iterator[Cell]:
    yield Cell(
        task="t4",
        model="-",
        case="imports",
        measure=imports,
        arguments={"repeats": extent.repeats},
    )
    for engine in ENGINES.names():
        given = {"engine": engine, "injections": extent.tiny}
        yield Cell(
            task="t4",
            model="tiny",
            engine=engine,
            case="an injection",
            measure=overhead,
            arguments={**given, "limit_s": extent.limit_s},
        )
        yield Cell(
            task="t4",
            model="tiny",
            engine=engine,
            case="a campaign",
            measure=campaign,
            # The model has only 1,344 bits.
            arguments={"engine": engine, "injections": min(extent.tiny, 1000)},
        )


def _scaling(extent: Extent) -> Iterator[Cell]:
    for engine in ENGINES.names():
        given = {"engine": engine, "faults": extent.faults, "limit_s": extent.limit_s / 2}
        for samples in extent.samples:
            yield Cell(
                task="t5",
                model=_SCALED,
                engine=engine,
                case=f"{samples:,} samples",
                measure=workload_size,
                arguments={**given, "samples": samples},
            )
        for model in extent.widths:
            yield Cell(task="t5", model=model, engine=engine, measure=model_size, arguments=given)
    yield Cell(
        task="t5",
        model=_SCALED,
        case="workers",
        measure=workers,
        arguments={"campaigns": extent.campaigns},
    )


def _memory(extent: Extent) -> Iterator[Cell]:
    for model, most in _MEMORY.items():
        samples = min(most, extent.most_samples)
        yield Cell(
            task="t6",
            model=model,
            case="fault-free",
            measure=fault_free_peak,
            arguments={"samples": samples},
            samples=samples,
        )
        for engine in ENGINES.names():
            for kind in ("weight", "activation"):
                limits = Limits(
                    samples=samples,
                    faults=min(extent.faults, 20),
                    memory_limit=extent.memory_limit,
                    seconds=extent.memory_s,
                )
                yield Cell(
                    task="t6",
                    model=model,
                    engine=engine,
                    case=f"{kind} faults",
                    measure=peak,
                    arguments={"engine": engine, "kind": kind, "limits": limits},
                    samples=samples,
                    longest_s=extent.memory_s + LONGEST_S,
                )
