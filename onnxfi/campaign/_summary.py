"""What a campaign's results say so far: one value that reports, gates and the API read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxfi.analysis import (
    DESIGNS,
    Accuracy,
    DomainTable,
    Efficiency,
    Estimates,
    FailuresInTime,
    Interval,
    MonitorRow,
    Observations,
    SpikeRow,
    design_of,
    estimate,
    failures_in_time,
    is_picked,
    monitor_rows,
    observe,
    spike_rows,
)
from onnxfi.campaign._breakdowns import GraphCount, facets_of, graph_counts
from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._document import RemovedEntry
from onnxfi.campaign._experiment import Experiment
from onnxfi.campaign._goldenfile import GoldenFile
from onnxfi.campaign._notes import StoredRows, notes_of
from onnxfi.campaign._removed import removed_of
from onnxfi.errors import ConfigError
from onnxfi.faults import LeftOutGroup
from onnxfi.outcome import InjectionRecord, OutcomeCounts, spike_counts
from onnxfi.sampling import SAMPLERS
from onnxfi.settings import CampaignSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSummary:
    """Settings of a campaign in words, and the estimates from its finished blocks.

    Attributes:
        folder: Where it lives.
        identity: Its identity, hex.
        model: File name of the model.
        model_sha256: Hash of the model.
        samples: Samples of the workload.
        sample: What one of them is, in one line.
        total: Scenarios in all.
        done: Scenarios stored.
        used: Scenarios in the longest run of finished blocks: the basis of all figures here.
        complete: Whether nothing is pending.
        sampler: The sampler in words.
        fault_models: Specs of the fault models.
        targets: Kinds of site.
        sites: Number of sites that scenarios may touch.
        engine: The engine, and why that one.
        engine_reason: Why that one.
        provider: Execution provider.
        optimization: Graph optimisation level.
        graph: Whose tensors are faulted: the ``stored`` or the ``deployed`` graph's.
        batch_size: Samples a run.
        criterion: The criterion, and the output it reads.
        criterion_reason: What of that output is judged, in words.
        drop: Threshold of a failing scenario.
        space_size: Faults in the fault space; None for a written fault list.
        space_bits: Stored bits of the sites; None likewise.
        golden_accuracy: Of the fault-free model; None without labels.
        rates: ``failure``, ``failed_share``, ``critical_share``, ``due_share``, with labels
            ``accuracy``; of a search ``precision``; empty while no block is finished.
        accuracy: Accuracy under faults; None without labels.
        counts: Outcomes of all samples of the used scenarios.
        tables: Rates by domain, by facet.
        run_s: Seconds of the mean injection stored; None if there is none.
        attempts: Machinery failures that were retried.
        notes: What a reader must know to trust the numbers.
        monitors: Monitored values over the used scenarios, beside the fault-free run.
        spikes: Spikes by layer, likewise, where they are counted.
        efficiency: How much an importance sample tells; None for other designs.
        search: Whether scenarios were picked to find failures: no rate can be had from them.
        fit: Failures in 10^9 hours, if an upset rate was given.
        removed: Tensors that optimisation removes: of the stored graph those that are sites, of
            the deployed one all of the file; None if nobody has looked.
        graphs: The graphs that injections ran in, and why; of all stored ones.
        left_out: What the settings choose and is no site, by reason.
    """

    folder: str
    identity: str
    model: str
    model_sha256: str
    samples: int
    sample: str
    total: int
    done: int
    used: int
    complete: bool
    sampler: str
    fault_models: tuple[str, ...]
    targets: tuple[str, ...]
    sites: int
    engine: str
    engine_reason: str
    provider: str
    optimization: str
    graph: str
    batch_size: int
    criterion: str
    criterion_reason: str
    drop: float
    space_size: int | None
    space_bits: int | None
    golden_accuracy: float | None
    rates: Mapping[str, Interval]
    accuracy: Accuracy | None
    counts: OutcomeCounts
    tables: Mapping[str, DomainTable]
    run_s: float | None
    attempts: int
    notes: tuple[str, ...]
    monitors: tuple[MonitorRow, ...] = ()
    spikes: tuple[SpikeRow, ...] = ()
    efficiency: Efficiency | None = None
    search: bool = False
    fit: FailuresInTime | None = None
    removed: tuple[RemovedEntry, ...] | None = None
    graphs: tuple[GraphCount, ...] = ()
    left_out: tuple[LeftOutGroup, ...] = ()


def summarize(
    campaign: OpenCampaign,
    confidence: float = 0.95,
    fit_per_mbit: float | None = None,
    by: Sequence[str] = (),
    *,
    removed: bool = False,
) -> CampaignSummary:
    """Estimates from the longest run of finished blocks.

    Args:
        campaign: The campaign, running or finished.
        confidence: Level of all intervals.
        fit_per_mbit: Raw upsets in 10^9 hours of 10^6 bits, for a FIT rate; None for none.
        by: Domains to break rates down by besides those that always are: ``channel``.
        removed: Look for tensors that optimisation removes, which takes runs of the model.

    Raises:
        ConfigError: The confidence is out of range, or a FIT rate makes no sense here.
        CampaignError: The campaign's files don't fit each other.
    """
    plan, settings, document = campaign.plan, campaign.settings, campaign.document
    with campaign.open_store() as store:
        used, run_s, ran = campaign.used_in(store), store.mean_run_s(), store.graphs()
        rows = StoredRows(store.progress().done, used, store.attempts(), store.looks())
    records, experiment = campaign.records(used), campaign.experiment()
    estimates = _estimates(experiment, _seen(campaign, records), rows.looks, confidence, by)
    return CampaignSummary(
        folder=str(campaign.folder.path),
        identity=document.identity,
        model=document.model_name,
        model_sha256=document.identity_parts["model"],
        samples=plan.samples,
        sample=plan.sample,
        total=plan.scenarios,
        done=rows.done,
        used=used,
        complete=rows.done == plan.scenarios,
        sampler=_sampler_text(campaign),
        fault_models=settings.fault_models if settings.faults is None else (),
        targets=tuple(sorted({site.kind.value for site in experiment.sites.values()})),
        sites=len(plan.sites),
        engine=plan.engine,
        engine_reason=plan.engine_reason,
        provider=plan.provider,
        optimization=plan.optimization,
        graph=plan.graph,
        batch_size=plan.batch_size,
        criterion=f"{plan.criterion} of {plan.criterion_output}",
        criterion_reason=plan.criterion_reason,
        drop=settings.drop,
        space_size=plan.space_size,
        space_bits=plan.space_bits,
        golden_accuracy=_share(plan.golden_correct, plan.samples),
        rates=estimates.rates,
        accuracy=estimates.accuracy,
        counts=estimates.total,
        tables={table.facet: table for table in estimates.tables},
        run_s=run_s,
        attempts=rows.attempts,
        notes=notes_of(campaign, experiment, rows),
        monitors=_monitors(campaign, records),
        spikes=_spikes(campaign, experiment, records),
        efficiency=estimates.efficiency,
        search=is_picked(experiment.header, experiment.source),
        fit=None if fit_per_mbit is None else _fit(campaign, estimates, fit_per_mbit),
        removed=removed_of(campaign, experiment, look=removed),
        graphs=graph_counts(ran, experiment.source),
        left_out=document.left_out,
    )


def _seen(campaign: OpenCampaign, records: Sequence[InjectionRecord]) -> Observations:
    plan, settings = campaign.plan, campaign.settings
    return observe(records, golden_correct=plan.golden_correct, drop=settings.drop)


def _estimates(
    experiment: Experiment,
    seen: Observations,
    looks: Sequence[int],
    confidence: float,
    by: Sequence[str],
) -> Estimates:
    design = design_of(experiment.source, experiment.header, seen.n)
    return estimate(
        seen,
        design=design,
        facets=facets_of(experiment, design, by, seen.n),
        confidence=confidence,
        # At a look itself it is that look; beyond the last one it could be the next.
        look=sum(one < seen.n for one in looks) + 1 if looks else 0,
    )


def _monitors(campaign: OpenCampaign, records: Sequence[InjectionRecord]) -> tuple[MonitorRow, ...]:
    if not campaign.plan.monitors:
        return ()
    return monitor_rows(records, GoldenFile.read(campaign.folder.golden).monitors)


def _spikes(
    campaign: OpenCampaign, experiment: Experiment, records: Sequence[InjectionRecord]
) -> tuple[SpikeRow, ...]:
    if not experiment.spikes:
        return ()
    golden = GoldenFile.read(campaign.folder.golden).monitors
    return spike_rows(records, spike_counts(golden, experiment.spikes))


def _share(part: int | None, whole: int) -> float | None:
    return None if part is None else part / whole


def _sampler_text(campaign: OpenCampaign) -> str:
    if campaign.settings.faults is not None:
        return "a written fault list"
    recipe = dict(campaign.settings.sampler)
    kind = str(recipe.pop("kind", "?"))
    usual = {"faults_per_scenario": 1, "per_sample": False, "least": 1}
    details = ", ".join(
        f"{key.replace('_', ' ')} {' and '.join(value) if isinstance(value, list) else value}"
        for key, value in recipe.items()
        if value is not None and usual.get(key) != value and not isinstance(value, dict)
    )
    return f"{kind} ({details})" if details else kind


def _fit(campaign: OpenCampaign, estimates: Estimates, fit_per_mbit: float) -> FailuresInTime:
    settings, size = campaign.settings, campaign.plan.space_size
    models = settings.fault_models if settings.faults is None else ()
    single = [model for model in models if model.startswith("flip") and "count=" not in model]
    # A fault over all steps flips a bit in each of them.
    several = settings.over_steps or settings.sampler.get("faults_per_scenario", 1) != 1
    if len(models) != 1 or not single or several or not _one_by_one(settings) or size is None:
        raise ConfigError(
            "a FIT rate needs scenarios of one flipped bit each, drawn from a fault space; this"
            f" campaign has {', '.join(models) or 'a written fault list'}"
        )
    return failures_in_time(estimates.rate("failure"), size, fit_per_mbit)


def _one_by_one(settings: CampaignSettings) -> bool:
    """Whether the sampler draws single faults of a space, of which rates follow."""
    name = settings.sampler.get("kind")
    if name not in SAMPLERS:
        return False
    sampler = SAMPLERS.get(name)
    return hasattr(sampler, "fault_numbers") and not DESIGNS.get(sampler.design).picked
