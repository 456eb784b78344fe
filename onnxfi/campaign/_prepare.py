"""Resolving a campaign: profile, golden run, criterion, and the plan, all before any injection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from onnxfi.campaign._blocks import default_block_size
from onnxfi.campaign._document import LayoutEntry, Plan
from onnxfi.campaign._experiment import CustomParts, Experiment, chosen_metrics
from onnxfi.campaign._goldenfile import GoldenFile
from onnxfi.campaign._layout import build_experiment
from onnxfi.campaign._subject import Subject, engine_settings
from onnxfi.engine import (
    EngineContext,
    Golden,
    Profile,
    Scenarios,
    check_replay,
    choose_engine,
    default_timeout,
    examine_engine,
    golden_run,
    golden_statistics,
)
from onnxfi.faults import FaultListHeader, SampleLayout, whole_tensors
from onnxfi.outcome import BoundCriterion, choose_criterion
from onnxfi.sampling import ListedScenarios, SampledScenarios, ScenarioSource
from onnxfi.settings import CampaignSettings
from onnxfi.workload import Labels, sample_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A campaign resolved: what will be run, how, and what fault-free looks like."""

    experiment: Experiment
    plan: Plan
    golden: GoldenFile


def prepare(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    recipe: FaultListHeader | None = None,
) -> Prepared:
    """Resolve settings on a subject.

    Args:
        settings: What the user chose.
        custom: The user's own objects.
        subject: Model and workload.
        recipe: Header of a fault list that is only a recipe; its sites are then taken.

    Raises:
        OnnxFIError: Anything that makes the campaign impossible.
    """
    experiment, profile = build_experiment(settings, custom, subject, recipe)
    workload = subject.workload
    how = engine_settings(settings, workload.stream)
    run, bound = fault_free(settings, custom, subject, profile)
    watched = golden_statistics(subject.model, workload, profile, how, experiment.monitors)
    golden = GoldenFile.of(run, bound, workload, watched)
    plan = _plan(settings, experiment, profile, bound, golden.correct)
    return Prepared(experiment=experiment, plan=plan, golden=golden)


def fault_free(
    settings: CampaignSettings, custom: CustomParts, subject: Subject, profile: Profile
) -> tuple[Golden, BoundCriterion]:
    """The fault-free run, and the criterion that fits its outputs."""
    workload = subject.workload
    how = engine_settings(settings, workload.stream)
    if subject.origin is not None:
        check_replay(subject.origin, subject.model, workload, profile, how)
    run = golden_run(subject.model, workload, profile, how)
    bound = choose_criterion(
        run.outputs[0],
        profile.outputs,
        requested=custom.criterion or settings.criterion,
        output=settings.criterion_output,
        labels=workload.labels,
        states=None if workload.stream is None else workload.stream.state_outputs,
    )
    return run, replace(bound, metrics=chosen_metrics(settings, custom))


def _plan(
    settings: CampaignSettings,
    experiment: Experiment,
    profile: Profile,
    bound: BoundCriterion,
    golden_correct: int | None,
) -> Plan:
    source, space = experiment.source, experiment.space
    model, workload = experiment.subject.model, experiment.subject.workload
    computed = [site.tensor for site in experiment.sites.values() if not site.kind.stored]
    laid_out = [*computed, *(n for n in experiment.monitors if n in profile.layouts)]
    context = EngineContext(
        model=model,
        workload=workload,
        profile=profile,
        settings=engine_settings(settings, workload.stream),
        sites=tuple(experiment.sites.values()),
        criterion=bound,
        monitors=experiment.monitors,
    )
    choice = choose_engine(
        settings.engine,
        model,
        workload.samples * (workload.steps or 1),
        whole_tensors(context.sites),
        replace(_traits(source), sequences=workload.stream is not None),
        lambda name: examine_engine(name, context),
    )
    return Plan(
        engine=choice.name,
        engine_reason=choice.reason,
        batch_size=profile.batch_size,
        block_size=settings.block_size or default_block_size(len(source)),
        scenarios=len(source),
        samples=workload.samples,
        sample=sample_text(workload, profile.outputs),
        reading=workload.reading.texts(),
        batch_reason=_batch_reason(experiment.subject, profile),
        sites=tuple(experiment.sites if space is None else (site.name for site in space.sites)),
        layouts=_entries({name: profile.layouts[name] for name in laid_out}),
        outputs=_entries(profile.outputs),
        rows_independent=profile.rows_independent,
        fixed_batch=profile.fixed_batch,
        freed_batch=experiment.subject.freed_batch,
        criterion=bound.criterion.spec(),
        criterion_output=bound.output,
        criterion_reason=bound.reason,
        # A fault that makes a loop endless must end some time.
        timeout_s=settings.timeout_s
        or default_timeout(model, profile.batch_size, workload.steps or 1),
        optimization=settings.optimization,
        provider=settings.provider,
        space_size=None if space is None else space.size,
        space_bits=None if space is None else space.bits,
        population=source.population,
        golden_correct=golden_correct,
        chance=None if golden_correct is None else _chance(workload.labels),
        graph=settings.graph,
        graph_sha256=experiment.subject.graph_sha256,
        monitors=experiment.monitors,
    )


def _batch_reason(subject: Subject, profile: Profile) -> str:
    """Why a run holds so many samples, and what became of a batch that the file fixes."""
    if subject.freed_batch is not None:
        return (
            f"{profile.reason}; the file's batch of {subject.freed_batch} is freed, which changes"
            " no bit of its outputs"
        )
    if subject.kept_batch:
        return f"{profile.reason}; it can't be freed: {subject.kept_batch}"
    return profile.reason


def _traits(source: ScenarioSource) -> Scenarios:
    """What the choice of an engine needs to know about scenarios."""
    if isinstance(source, ListedScenarios):
        groups = [scenario.groups for scenario in source]
        return Scenarios(
            single_site=all(len(each) <= 1 for each in groups),
            bound=any(group.sample is not None for each in groups for group in each),
            count=len(groups),
            graphs=any(group.graph is not None for each in groups for group in each),
        )
    graphs = isinstance(source, SampledScenarios) and source.space.graphs
    if len(source) and source.fault_numbers(0, 1) is not None:
        tied = isinstance(source, SampledScenarios) and any(s.members for s in source.space.sites)
        return Scenarios(single_site=not tied, count=len(source), graphs=graphs)
    bound = any(group.sample is not None for group in source.scenario(0).groups)
    return Scenarios(single_site=False, bound=bound, count=len(source), graphs=graphs)


def _chance(labels: Labels | None) -> float | None:
    """What an answer that is always the same gets right; None if nothing can be told from it."""
    if labels is None:
        return None
    counts = np.unique(labels, return_counts=True)[1]
    return float(counts.max() / counts.sum()) if len(counts) > 1 else None


def _entries(layouts: Mapping[str, SampleLayout]) -> dict[str, LayoutEntry]:
    return {
        name: LayoutEntry(shape=layout.shape, batch_axis=layout.batch_axis, steps=layout.steps)
        for name, layout in layouts.items()
    }
