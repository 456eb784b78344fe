"""The tables: one for each task, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.marks import judged, marks_table
from benchmark.plan import TASKS
from benchmark.rows import Figure, Row

#: Heading and figure of each column, by task.
_SINGLE = {
    "mean ratio (CPU)": "mean_cpu_ratio",
    "median ratio (CPU)": "median_cpu_ratio",
    "mean ratio (wall)": "mean_wall_ratio",
    "with set-up (CPU)": "with_setup_ratio",
    "set-up, CPU s": "setup_cpu_s",
    "preparing, CPU s": "prepare_cpu_s",
    "fault-free, CPU ms": "fault_free_cpu_ms",
    "sites": "sites",
    "injections": "injections",
    "`auto`": "auto",
}
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "t1": _SINGLE,
    "t2": _SINGLE,
    "t3": {
        "mean ratio (CPU)": "mean_cpu_ratio",
        "median ratio (CPU)": "median_cpu_ratio",
        "mean ratio (wall)": "mean_wall_ratio",
        "with set-up (CPU)": "with_setup_ratio",
        "the run alone (CPU)": "armed_run_ratio",
        "sites touched": "sites_touched",
        "integer kernels": "integer_kernels",
        "deployed with": "integer_kernels_deployed",
        "fault-free, CPU ms": "fault_free_cpu_ms",
        "injections": "injections",
    },
    "t4": {
        "import, CPU ms": "cpu_ms",
        "import, wall ms": "wall_ms",
        "prepare or create, CPU ms": "prepare_cpu_ms|create_cpu_ms",
        "first injection, CPU ms": "first_injection_cpu_ms",
        "an injection, CPU ms": "injection_cpu_ms|run_cpu_ms_per_injection",
        "fault-free, CPU ms": "fault_free_cpu_ms",
        "overhead, CPU ms": "overhead_cpu_ms",
        "injections": "injections",
    },
    "t5": {
        "mean ratio (CPU)": "mean_cpu_ratio",
        "median ratio (CPU)": "median_cpu_ratio",
        "with set-up (CPU)": "with_setup_ratio",
        "fault-free, CPU ms": "fault_free_cpu_ms",
        "wall s": "wall_s",
        "injections a second": "injections_per_s",
        "speed-up (wall)": "speedup",
        "cores others kept busy": "others_cores",
        "injections": "injections",
    },
    "t6": {
        "peak, MiB": "peak_mib",
        "after imports, MiB": "imports_mib",
        "prepared, MiB": "prepared_mib",
        "model, MiB": "model_mib",
        "workload, MiB": "workload_mib",
        "memory limit, MiB": "memory_limit_mib",
        "allowed, MiB": "allowed_mib",
        "holds": "holds",
        "samples": "samples",
        "a run": "batch",
        "sites hit": "sites_hit",
        "injections": "injections",
    },
}


def markdown(rows: Sequence[Row]) -> str:
    """All tables, after them the marks, and what was not measured and why."""
    return "\n".join(_lines(rows))


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    for task, title in TASKS.items():
        found = [row for row in rows if row.task == task and row.skipped is None]
        if found:
            yield from (f"### {task.upper()}: {title}", "")
            yield from _table(found, _COLUMNS[task])
            yield ""
    marks = judged(rows)
    if any(each.measured is not None for each in marks):
        yield from ("### Marks", "", *marks_table(marks), "")
    skipped = [row for row in rows if row.skipped is not None]
    if skipped:
        yield from ("### Not measured", "")
        reasons: dict[tuple[str, str | None], list[str]] = {}
        for row in skipped:
            what = " ".join(part for part in (row.task.upper(), row.engine, row.case) if part)
            reasons.setdefault((row.model, row.skipped), []).append(what)
        for (model, reason), what_all in reasons.items():
            yield f"- {model} ({', '.join(what_all)}): {reason}"
        yield ""


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> Iterator[str]:
    def cell(row: Row, figure: str) -> str:
        known = (row.figures[name] for name in figure.split("|") if name in row.figures)
        return shown(next(known, None))

    used = {
        heading: figure
        for heading, figure in columns.items()
        if any(cell(row, figure) for row in rows)
    }
    leading = ["model", "engine", *(["case"] if any(row.case for row in rows) else [])]
    yield f"| {' | '.join([*leading, *used])} |"
    yield f"|{'---|' * len(leading)}{'---:|' * len(used)}"
    for row in rows:
        words = [row.model, row.engine or "-", row.case or "-"][: len(leading)]
        yield f"| {' | '.join(words + [cell(row, figure) for figure in used.values()])} |"


def shown(figure: Figure | None) -> str:
    """A figure as tables show it, three digits, with its interval."""
    if figure is None:
        return ""
    if isinstance(figure, tuple):
        value, low, high = (_digits(number) for number in figure)
        return f"{value} ({low}–{high})"
    if isinstance(figure, str):
        return figure
    return _digits(figure) if isinstance(figure, float) else f"{figure:,}"


def _digits(number: float) -> str:
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if abs(number) >= 1 else f"{number:.3f}"
