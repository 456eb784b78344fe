"""A campaign's summary as a page: what was done, what came out, and how sure that is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from onnxfi.report._format import (
    bytes_text,
    count_text,
    counted,
    interval_text,
    rate_text,
    share_text,
    short_spec,
)
from onnxfi.report._graphs import graphs_fact, graphs_views
from onnxfi.report._left_out import left_out_fact, left_out_views, removed_fact, removed_views
from onnxfi.report._monitors import monitor_views, spike_views
from onnxfi.report._view import Column, Fact, Page, Row, TableView

if TYPE_CHECKING:
    from onnxfi.analysis import DomainRow, DomainTable, Efficiency, FailuresInTime
    from onnxfi.campaign import CampaignSummary

#: Lines of a table in the terminal; files show all.
SHORT_ROWS = 20

#: What a file shows after the rates and their breakdowns, in this order. A new section is a
#: function in a file of its own, and its line here; it gives no table where it has nothing to say.
SECTIONS: tuple[Callable[[CampaignSummary], list[TableView]], ...] = (
    spike_views,
    monitor_views,
    graphs_views,
    left_out_views,
    removed_views,
)

RATE_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "failure": "scenarios that fail",
        "failure_bound": "the same, whatever the scores are worth",
        "failure_difference": "the same, by the difference from what the weights expect",
        "failed_share": "samples that fail",
        "critical_share": "samples answered differently",
        "due_share": "samples with a detectable error",
        "accuracy": "accuracy under faults",
        "precision": "scenarios run that fail",
    }
)
_FACET_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "site": "By site",
        "layer": "By layer",
        "op_type": "By operator",
        "kind": "By kind of site",
        "part": "By part of spiking neurons",
        "step": "By time step",
        "bit": "By bit (0 is the least significant)",
        "field": "By bit field",
        "channel": "By output channel",
    }
)
_FACET_NAMES: Mapping[str, str] = MappingProxyType({"op_type": "operator"})
_OUTCOMES = (
    ("masked", "masked: outputs are bit-identical"),
    ("tolerable", "tolerable: the decision is the same"),
    ("critical", "critical: another decision"),
    ("due_nonfinite", "due: NaN or infinity appears"),
    ("due_exception", "due: the run raises"),
    ("due_timeout", "due: the run hangs"),
    ("due_crash", "due: the process dies"),
)


def short_page(summary: CampaignSummary) -> Page:
    """What the terminal shows: rates, layers, steps, parts and gates where there are any, bits."""
    tables = [rates_view(summary)] if summary.rates else []
    for facet in ("layer", "part", "step", "gate", "bit", "channel"):
        table = summary.tables.get(facet)
        if table is not None and table.rows:
            tables.append(domain_view(table, SHORT_ROWS))
    tables += spike_views(summary)
    if not summary.spikes:  # what they are counted in is monitored too
        tables += monitor_views(summary, SHORT_ROWS)
    return Page(
        title=_title(summary),
        facts=tuple(campaign_facts(summary)),
        tables=tuple(tables),
        notes=tuple(_notes(summary)),
    )


def full_page(summary: CampaignSummary) -> Page:
    """What a file shows: everything."""
    tables = [rates_view(summary), outcomes_view(summary)] if summary.rates else []
    tables += [domain_view(table) for table in summary.tables.values() if table.rows]
    tables += [table for section in SECTIONS for table in section(summary)]
    return Page(
        title=_title(summary),
        facts=tuple(campaign_facts(summary)),
        tables=tuple(tables),
        notes=tuple(_notes(summary)),
    )


def campaign_facts(summary: CampaignSummary) -> Iterator[Fact]:
    """Settings and progress in words."""
    yield Fact(label="folder", text=f"{summary.folder} (id {summary.identity[:12]})")
    yield Fact(label="model", text=f"{summary.model} (sha256 {summary.model_sha256[:12]})")
    yield Fact(label="faults", text=faults_text(summary))
    yield Fact(label="scenarios", text=f"{progress_text(summary)}; {summary.sampler}")
    yield Fact(label="a sample", text=summary.sample)
    if summary.golden_accuracy is not None:
        yield Fact(label="fault-free accuracy", text=rate_text(summary.golden_accuracy))
    if summary.accuracy is not None:
        worst = summary.accuracy
        text = f"{rate_text(worst.worst)} (scenario {worst.worst_scenario})"
        yield Fact(label="worst accuracy", text=text)
    measure = "accuracy" if summary.golden_accuracy is not None else "share of failed samples"
    drop = f"drop in {measure}" if summary.golden_accuracy is not None else measure
    judged = f" ({summary.criterion_reason})" if summary.criterion_reason else ""
    fails = f"a scenario fails from a {drop} of {summary.drop:g} on"
    yield Fact(label="criterion", text=f"{summary.criterion}{judged}; {fails}")
    if summary.efficiency is not None:
        yield _sampling_fact(summary.efficiency)
    if summary.fit is not None:
        yield _fit_fact(summary.fit)
    yield engine_fact(summary)
    yield from graphs_fact(summary)
    yield from left_out_fact(summary.left_out)
    yield from removed_fact(summary)


def _fit_fact(fit: FailuresInTime) -> Fact:
    return Fact(
        label="failures in time",
        text=f"{fit.value:.3g} FIT [{fit.low:.3g}, {fit.high:.3g}], failures in 10^9 hours at"
        f" {fit.fit_per_mbit:g} upsets per Mbit, of {counted(fit.bits, 'bit')}",
    )


def _sampling_fact(efficiency: Efficiency) -> Fact:
    factor = efficiency.variance_reduction
    text = (
        "nothing failed yet, or everything"
        if factor is None
        else (f"one scenario tells as much of the failure rate as {factor:.3g} uniform ones")
    )
    size = f"for quantities unrelated to the scores all together as {efficiency.effective_size:.3g}"
    return Fact(label="importance", text=f"{text}; {size}")


def engine_fact(summary: CampaignSummary) -> Fact:
    """Which engine runs the scenarios, how, and why that one."""
    return Fact(
        label="engine",
        text=f"{summary.engine} on {summary.provider}, optimization {summary.optimization}, batch "
        f"{summary.batch_size}; {summary.engine_reason}",
    )


def faults_text(summary: CampaignSummary) -> str:
    """``flip in weight: 10 sites, 77.4 KiB, 611,456 single faults``."""
    models = ", ".join(map(short_spec, summary.fault_models)) or "as listed"
    parts = [counted(summary.sites, "site")]
    if summary.space_bits is not None:
        parts.append(bytes_text(summary.space_bits / 8))
    if summary.space_size is not None:
        parts.append(counted(summary.space_size, "single fault"))
    targets = ", ".join(summary.targets)
    if summary.graph != "stored":
        targets += f" of the {summary.graph} graph"
    return f"{models} in {targets}: {', '.join(parts)}"


def progress_text(summary: CampaignSummary) -> str:
    """``2,000 of 2,000 injections over 1,000 samples each``."""
    done, total = count_text(summary.done), counted(summary.total, "injection")
    return f"{done} of {total} over {counted(summary.samples, 'sample')} each"


def rates_view(summary: CampaignSummary) -> TableView:
    """The rates with their intervals, or what a search has found."""
    if summary.search:
        return _found_view(summary)
    some = next(iter(summary.rates.values()))
    return TableView(
        title="Rates",
        columns=(
            Column(title="rate", number=False),
            Column(title="of", number=False, optional=True),
            Column(title="value"),
            Column(title="low"),
            Column(title="high"),
        ),
        rows=tuple(
            Row(
                cells=(
                    name,
                    RATE_TITLES.get(name, name),
                    *map(rate_text, (interval.value, interval.low, interval.high)),
                ),
                # On one scale with accuracies near 1, the rates could not be told apart.
                interval=None if name == "accuracy" else interval,
            )
            for name, interval in summary.rates.items()
        ),
        note=f"{_percent(some.confidence)} intervals from {counted(summary.used, 'scenario')}",
    )


def _found_view(summary: CampaignSummary) -> TableView:
    precision = summary.rates["precision"]
    found = round(precision.value * precision.n)
    return TableView(
        title="Failures found",
        columns=tuple(Column(title=title) for title in ("failures", "scenarios run", "precision")),
        rows=(Row(cells=(count_text(found), count_text(precision.n), rate_text(precision.value))),),
        note=precision.method,
    )


def outcomes_view(summary: CampaignSummary) -> TableView:
    """Samples by outcome."""
    counts = summary.counts
    return TableView(
        title="Outcomes of samples",
        columns=(
            Column(title="outcome", number=False),
            Column(title="samples"),
            Column(title="share"),
        ),
        rows=tuple(
            Row(
                cells=(
                    text,
                    count_text(getattr(counts, name)),
                    share_text(getattr(counts, name), counts.samples),
                )
            )
            for name, text in _OUTCOMES
        ),
    )


def domain_view(table: DomainTable, limit: int | None = None) -> TableView:
    """One breakdown; cut to the ``limit`` domains with the highest rates if there are more."""
    title = _FACET_TITLES.get(table.facet, f"By {table.facet}")
    rows = table.rows
    search = any(row.rate.of_search for row in rows)
    top = "precision" if search else "rate"
    if limit is not None and len(rows) > limit and table.facet not in ("bit", "step"):
        rows = table.ranked()[:limit]
        title += f", the {limit} with the highest {top}"
    return TableView(
        title=title,
        columns=(
            Column(title=_FACET_NAMES.get(table.facet, table.facet), number=False),
            *(Column(title=text, optional=True) for text in ("failed", "of")),
            Column(title="precision" if search else "failure rate"),
            *(
                Column(title=text, optional=True)
                for text in ("critical", "due", "bits", "of all failures")
            ),
        ),
        rows=tuple(Row(cells=_cells(row), interval=None if search else row.rate) for row in rows),
        note="; ".join(_asides(table)),
        left_out=len(table.rows) - len(rows),
    )


def _cells(row: DomainRow) -> tuple[str, ...]:
    share = row.share_of_failures
    return (
        row.key,
        count_text(row.failures),
        count_text(row.n),
        interval_text(row.rate),
        rate_text(row.critical_share),
        rate_text(row.due_share),
        count_text(row.bits),
        "-" if share is None else f"{100 * share:.1f} %",
    )


def _asides(table: DomainTable) -> Iterator[str]:
    if table.not_sampled:
        yield f"{count_text(table.not_sampled)} more had no scenario"
    if table.left_out:
        yield f"not counted: {counted(table.left_out, 'scenario')} ({table.reason})"


def _notes(summary: CampaignSummary) -> Iterator[str]:
    if not summary.rates:
        yield "no block of scenarios is finished yet, so there is nothing to estimate from"
    elif not summary.complete:
        yield (
            f"{count_text(summary.total - summary.done)} injections are pending; "
            f"`onnxfi run {shlex.quote(summary.folder)}` goes on"
        )
    silent = {table.reason for table in summary.tables.values() if not table.rows} - {""}
    if summary.rates and len(silent) == 1:
        yield f"no rates by layer or bit: {silent.pop()}"
    yield from summary.notes


def _title(summary: CampaignSummary) -> str:
    targets = " and ".join(summary.targets)
    return f"{summary.model}: faults in {targets}" if targets else summary.model


def _percent(confidence: float) -> str:
    return f"{100 * confidence:.4g} %"
