"""A replayed injection as a page, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from onnxfi.bits import format_of
from onnxfi.faults import scenario_document
from onnxfi.outcome import COUNT_COLUMNS, Outcome, statistics_document
from onnxfi.report._document import outcome_document
from onnxfi.report._format import count_text, counted
from onnxfi.report._view import Column, Fact, Page, Row, TableView

if TYPE_CHECKING:
    from onnxfi.campaign import Replay
    from onnxfi.engine import Trace, TracedValue
    from onnxfi.faults import FaultGroup

_SHOWN_FAULTS = 3
_SHOWN_SAMPLES = 20


def replay_page(replay: Replay, folder: str, limit: int | None = _SHOWN_SAMPLES) -> Page:
    """What the terminal shows.

    Args:
        replay: The injection.
        folder: Where its campaign lives.
        limit: Samples listed at most; None lists all.
    """
    tables = [_samples_view(replay, limit)] if replay.outcomes.any() else []
    if replay.trace is not None:
        tables.append(_trace_view(replay.trace))
    return Page(
        title=f"{folder}, scenario {replay.scenario.number}",
        facts=tuple(_facts(replay)),
        tables=tuple(tables),
        notes=tuple(_notes(replay)),
    )


def replay_document(replay: Replay, folder: str) -> dict[str, Any]:
    """All that a replay says, for JSON."""
    labels = [outcome.label for outcome in Outcome]
    stored = replay.stored
    return {
        "folder": folder,
        "scenario": scenario_document(replay.scenario, replay.sites),
        "engine": replay.engine,
        "outcomes": outcome_document(replay.counts),
        "stored": None if stored is None else outcome_document(stored.counts),
        "same": replay.same,
        "differences": list(replay.differences),
        "reasons": dict(replay.reasons),
        "samples": [labels[code] for code in replay.outcomes.tolist()],
        "answers": None
        if replay.answers is None
        else {
            "golden": replay.answers[0].tolist(),
            "faulty": replay.answers[1].tolist(),
        },
        "monitors": statistics_document(replay.monitors),
        "trace": None if replay.trace is None else _trace_document(replay.trace),
    }


def _facts(replay: Replay) -> Iterator[Fact]:
    yield Fact(label="faults", text="; ".join(_fault_texts(replay)) or "none")
    yield Fact(label="engine", text=replay.engine)
    counts = replay.counts
    parts = [(name, getattr(counts, name)) for name in COUNT_COLUMNS[1:-1]]
    yield Fact(
        label="samples",
        text=", ".join(f"{name} {count_text(number)}" for name, number in parts if number),
    )
    if counts.correct is not None:
        yield Fact(label="answered right", text=f"{counts.correct:,} of {counts.samples:,}")
    for reason, samples in replay.reasons.items():
        yield Fact(label="no outputs", text=f"{counted(samples, 'sample')}: {reason}")
    yield Fact(label="stored row", text=_stored_text(replay))


def _fault_texts(replay: Replay) -> Iterator[str]:
    left = _SHOWN_FAULTS
    for group in replay.scenario.groups:
        if left <= 0:
            break
        yield from (_fault_text(replay, group, row) for row in range(min(len(group), left)))
        left -= len(group)
    more = replay.scenario.size - _SHOWN_FAULTS
    if more > 0:
        yield f"and {counted(more, 'more fault')}"


def _fault_text(replay: Replay, group: FaultGroup, row: int) -> str:
    if group.graph is not None:
        where = "" if group.graph.whole else f"[{group.index[row]}]"
        return f"{group.site}{where} graph {group.graph.sha256[:12]}"
    form = format_of(replay.sites[group.site].element)
    digits = -(-form.width // 4)
    keep, toggle = int(group.and_mask[row]) & form.mask, int(group.xor_mask[row])
    masks = f"xor {toggle:0{digits}x}"
    if keep != form.mask:
        masks = f"and {keep:0{digits}x} {masks}"
    sample = -1 if group.sample is None else int(group.sample[row])
    where = f" in sample {sample}" if sample >= 0 else ""
    return f"{group.site}[{group.index[row]}] {masks}{where}"


def _stored_text(replay: Replay) -> str:
    stored = replay.stored
    if stored is None:
        return "none: the scenario is pending, nothing is compared"
    if replay.same:
        return "came out again"
    found = []
    for name in replay.differences:
        if name in COUNT_COLUMNS:
            before, now = getattr(stored.counts, name), getattr(replay.counts, name)
            found.append(f"{name} is {now}, stored is {before}")
        else:
            kind = "metric" if name in stored.counts.metrics else "monitored value"
            found.append(f"{kind} {name}")
    return f"DIFFERS: {'; '.join(found)}"


def _samples_view(replay: Replay, limit: int | None) -> TableView:
    hit = replay.outcomes.nonzero()[0].tolist()
    # What failed first: due and critical have the higher codes.
    hit.sort(key=lambda sample: (-int(replay.outcomes[sample]), sample))
    shown = hit if limit is None else hit[:limit]
    titles = ["sample", "outcome"]
    titles += ["label"] if replay.labels is not None else []
    titles += ["golden class", "class"] if replay.answers is not None else []
    return TableView(
        title="Samples not masked",
        columns=tuple(Column(title=title, number=title != "outcome") for title in titles),
        rows=tuple(Row(cells=tuple(_sample_cells(replay, sample))) for sample in shown),
        left_out=len(hit) - len(shown),
    )


def _sample_cells(replay: Replay, sample: int) -> Iterator[str]:
    yield str(sample)
    yield Outcome(int(replay.outcomes[sample])).label
    if replay.labels is not None:
        yield str(replay.labels[sample])
    for answers in replay.answers or ():
        yield "-" if answers[sample] < 0 else str(answers[sample])


def _trace_view(trace: Trace) -> TableView:
    reached = [value for value in trace.values if value.divergence.changed]
    first = trace.first
    title = "Trace: no value differs"
    if first is not None:
        title = f"Trace: {first.name} ({first.op_type}) differs first"
    names = ("samples", "changed", "max abs error", "relative L2", "NaN/inf")
    return TableView(
        title=title,
        columns=(
            Column(title="value", number=False),
            Column(title="operator", number=False, optional=True),
            *(Column(title=name) for name in names),
        ),
        rows=tuple(Row(cells=_trace_cells(value)) for value in reached),
        note=_trace_note(trace, len(trace.values) - len(reached)),
    )


def _trace_note(trace: Trace, untouched: int) -> str:
    parts = [f"{counted(untouched, 'other value')} never differ{'s' if untouched == 1 else ''}"]
    if trace.silent:
        parts.append(f"{counted(trace.silent, 'sample')} gave no outputs and are not in it")
    parts.append(f"engine {trace.engine}, optimization {trace.optimization}")
    return "; ".join(parts)


def _trace_cells(value: TracedValue) -> tuple[str, ...]:
    found = value.divergence
    error = found.relative_error
    return (
        value.name,
        value.op_type,
        count_text(found.samples),
        f"{100 * found.changed_share:.3g} %",
        "-" if found.reshaped else f"{found.max_abs:.4g}",
        "-" if found.reshaped or error is None else f"{error:.3g}",
        count_text(found.nonfinite),
    )


def _trace_document(trace: Trace) -> dict[str, Any]:
    return {
        "first": None if trace.first is None else trace.first.name,
        "samples": trace.samples,
        "silent": trace.silent,
        "engine": trace.engine,
        "optimization": trace.optimization,
        "values": [
            {
                "name": value.name,
                "node": value.node,
                "op_type": value.op_type,
                **asdict(value.divergence),
                "changed_share": value.divergence.changed_share,
                "relative_error": value.divergence.relative_error,
            }
            for value in trace.values
        ],
    }


def _notes(replay: Replay) -> Iterator[str]:
    if replay.counts.due_crash:
        yield "the scenario takes its process down, so there are no outputs and no trace"
