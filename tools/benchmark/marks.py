"""The marks: figures that the project has set itself, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.injections import DEPLOYED, IN_A_BLOCK
from benchmark.load import QUIET
from benchmark.quantized import EVERY, ONE
from benchmark.rows import Figure, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line of the tables that has a mark.

    Attributes:
        what: The line in words.
        task: ``t1`` to ``t6``.
        model: Name of the model.
        cases: What is varied, empty for lines without; of several the first that was measured.
        engine: The engine it is about; empty for the best of those measured.
        figure: Name of the figure.
        must: What it has to reach, or the name of the figure of the row that says so.
        aim: What it should reach, likewise.
        least: Whether larger is better.
    """

    what: str
    task: str
    model: str
    cases: tuple[str, ...] = ("",)
    engine: str = ""
    figure: str = "with_setup_ratio"
    must: float | str
    aim: float | str
    least: bool = False


def _single(task: str, model: str, must: float, aim: float) -> Mark:
    kind = {"t1": "a weight flip", "t2": "an activation flip"}[task]
    what = f"{kind}, over a fault-free run, set-up included"
    cases = (IN_A_BLOCK, "")
    return Mark(what=what, task=task, model=model, cases=cases, must=must, aim=aim)


def _many(where: str, case: str) -> Mark:
    what = f"100,000 flips at once {where}, over a fault-free run, set-up included"
    return Mark(what=what, task="t3", model="resnet20", cases=(case,), must=1.15, aim=1.05)


def _machinery(case: str) -> Mark:
    what = f"machinery of {case}, CPU ms"
    return Mark(
        what=what,
        task="t4",
        model="tiny",
        cases=(case,),
        figure="overhead_cpu_ms",
        must=0.3,
        aim=0.1,
    )


def _armed(case: str, must: float, aim: float) -> Mark:
    return Mark(
        what=f"a run with {case}, over a fault-free one",
        task="t3",
        model="resnet8_int8_qdq",
        cases=(case,),
        engine="ports",
        figure="armed_run_ratio",
        must=must,
        aim=aim,
    )


def _memory(kind: str) -> Mark:
    return Mark(
        what=f"peak with {kind} faults, MiB (must: limit, model, workload and 300 MB; aim: the"
        " same without the workload)",
        task="t6",
        model="efficientnet_lite0",
        cases=(f"{kind} faults",),
        engine="cut",
        figure="peak_mib",
        must="allowed_mib",
        aim="allowed_without_workload_mib",
    )


MARKS = (
    _single("t1", "resnet20", 0.27, 0.12),
    _single("t1", "resnet18", 0.27, 0.12),
    _single("t1", "resnet8_int8_qdq", 0.45, 0.25),
    _single("t2", "resnet20", 0.45, 0.20),
    _single("t2", "resnet18", 0.45, 0.20),
    _many("in the outputs that onnxruntime materialises", f"100,000 flips{DEPLOYED}"),
    _many("in the outputs of the file", "100,000 flips"),
    _armed(ONE, 1.15, 1.05),
    _armed(EVERY, 2.0, 1.2),
    _machinery("an injection"),
    _machinery("a campaign"),
    Mark(
        what="speed-up of two workers over one",
        task="t5",
        model="resnet8_fp32",
        cases=("2 workers",),
        figure="speedup",
        must=1.8,
        aim=1.95,
        least=True,
    ),
    _memory("weight"),
    _memory("activation"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A mark and what was measured.

    Attributes:
        what: The line in words.
        task: ``t1`` to ``t6``.
        model: Name of the model.
        engine: The engine whose figure it is; empty if there is none.
        measured: The figure, None if there is none.
        low: Lower end of its 95 % interval, None where it has none.
        high: Upper end.
        must: What it has to reach, None where a row would say so and there is none.
        aim: What it should reach.
        reached: ``aim``, ``yes``, ``no``, or ``not measured``.
        extent: What it was measured over.
    """

    what: str
    task: str
    model: str
    engine: str = ""
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    must: float | None = None
    aim: float | None = None
    reached: str = "not measured"
    extent: str = ""

    def to_json(self) -> dict[str, Any]:
        """For the JSON file."""
        return asdict(self)


def judged(rows: Sequence[Row]) -> list[Judged]:
    """All marks, each with the row that comes closest."""
    return [_judged(mark, rows) for mark in MARKS]


def _judged(mark: Mark, rows: Sequence[Row]) -> Judged:
    candidates = next(filter(None, (_candidates(mark, case, rows) for case in mark.cases)), [])
    if not candidates:
        given = [target if isinstance(target, float) else None for target in (mark.must, mark.aim)]
        return Judged(what=mark.what, task=mark.task, model=mark.model, must=given[0], aim=given[1])
    best = (max if mark.least else min)(
        candidates, key=lambda row: _value(row.figures[mark.figure])
    )
    figure = best.figures[mark.figure]
    measured, must, aim = _value(figure), _target(mark.must, best), _target(mark.aim, best)
    sign = -1.0 if mark.least else 1.0
    reached = "aim" if sign * measured <= sign * aim else "yes"
    if sign * measured > sign * must:
        reached = "no"
    if _value(best.figures.get("others_cores", 0.0)) > QUIET:
        reached = "can't tell: other work on the machine"
    low, high = figure[1:] if isinstance(figure, tuple) else (None, None)
    return Judged(
        what=mark.what,
        task=mark.task,
        model=mark.model,
        engine=best.engine,
        measured=measured,
        low=low,
        high=high,
        must=must,
        aim=aim,
        reached=reached,
        extent=_extent(mark, best),
    )


def _candidates(mark: Mark, case: str, rows: Sequence[Row]) -> list[Row]:
    """Rows that have the figure."""
    return [
        row
        for row in rows
        if (row.task, row.model, row.case) == (mark.task, mark.model, case)
        and mark.engine in ("", row.engine)
        and mark.figure in row.figures
    ]


def _target(target: float | str, row: Row) -> float:
    return _value(row.figures[target]) if isinstance(target, str) else target


def _value(figure: Figure) -> float:
    return float(figure[0] if isinstance(figure, tuple) else figure)


def _extent(mark: Mark, row: Row) -> str:
    def told(name: str, unit: str) -> Iterator[str]:
        if name in row.figures:
            yield f"{row.figures[name]:,} {unit}"

    parts = [*told("injections", "injections"), *told("samples", "samples")]
    if "sites_hit" in row.figures:
        parts.append(f"{row.figures['sites_hit']} sites")
    if mark.figure == "with_setup_ratio":
        parts.append("one block" if row.case == IN_A_BLOCK else "set-up over 1,000")
    return ", ".join(parts)


def marks_table(found: Sequence[Judged]) -> Iterator[str]:
    """The table, in Markdown."""
    yield "| mark | model | engine | measured | must | aim | reached | over |"
    yield "|---|---|---|---:|---:|---:|---|---|"
    for each in found:
        measured = _number(each.measured)
        if each.low is not None and each.high is not None:
            measured += f" ({_number(each.low)}–{_number(each.high)})"
        yield (
            f"| {each.task.upper()}: {each.what} | {each.model} | {each.engine or '-'} "
            f"| {measured} | {_number(each.must)} | {_number(each.aim)} | {each.reached} "
            f"| {each.extent or '-'} |"
        )


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
