"""From settings to the objects of an experiment: subject, sites, fault space, scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from onnxfi.analysis import DESIGNS
from onnxfi.campaign._document import LayoutEntry, Plan
from onnxfi.campaign._scenarios import recipe_in, renumbered, sampler_of
from onnxfi.campaign._subject import Subject
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    FaultListHeader,
    FaultModel,
    FaultSite,
    FaultSpace,
    LeftOutGroup,
    NeuronPart,
    SampleLayout,
    parse_fault_model,
    read_fault_list,
    recipe_space,
    site_named,
    spike_values,
    untied,
)
from onnxfi.outcome import Criterion, Metric, metrics_by_key, parse_metric
from onnxfi.sampling import (
    ListedScenarios,
    SampledScenarios,
    Sampler,
    ScenarioSource,
    by_scores,
)
from onnxfi.settings import CampaignSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomParts:
    """Objects of the user's own that no file can hold; given again whenever a campaign is opened.

    With several workers they travel to other processes, so functions must be importable there.

    Attributes:
        fault_models: In place of the specs in the settings.
        sampler: In place of the recipe in the settings.
        criterion: In place of the text in the settings.
        metrics: In place of the texts in the settings.
    """

    fault_models: tuple[FaultModel, ...] = ()
    sampler: Sampler | None = None
    criterion: Criterion | None = None
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A subject, what a run over it looks like, and the scenarios to run.

    Attributes:
        subject: Model and workload.
        sites: The sites that scenarios may touch, by name, in fault-space order.
        space: The fault space; of scenarios that are written out the one that they were drawn from,
            if all of it is known, else None.
        source: The scenarios by number.
        header: Header of the campaign's fault list.
        recipe: Whether the header alone says how to make the scenarios again.
        monitors: Values whose statistics are kept for every injection.
        spikes: Those of them that hold the spikes of a layer of neurons, by layer.
        left_out: What the settings choose and is no site, by reason; empty where the experiment
            was read again.
    """

    subject: Subject
    sites: Mapping[str, FaultSite]
    space: FaultSpace | None
    source: ScenarioSource
    header: FaultListHeader
    recipe: bool
    monitors: tuple[str, ...] = ()
    spikes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[LeftOutGroup, ...] = ()


def restore_experiment(
    settings: CampaignSettings, custom: CustomParts, subject: Subject, plan: Plan, faults: Path
) -> Experiment:
    """The same experiment from its plan and its fault list, without profiling again."""
    by_name = subject.site_table(sample_layouts(plan.layouts)).by_name()
    sites = [site_named(name, by_name) for name in plan.sites]
    if recipe_in(faults, subject.model.sha256, subject.graph_sha256) is None:
        made = listed_experiment(faults, subject, sites)
        made = replace(made, space=_known_space(made.header, sites))
    else:
        made = drawn_experiment(settings, custom, subject, sites)
    spikes = spike_monitors(subject.site_table(None).sites) if settings.spikes else {}
    return replace(made, monitors=plan.monitors, spikes=spikes)


def _known_space(header: FaultListHeader, sites: Sequence[FaultSite]) -> FaultSpace | None:
    """What the scenarios of a list were drawn from; None if it doesn't say, or not all is there."""
    if header.space is None:
        return None
    try:
        return recipe_space(header, {site.name: site for site in sites})
    except (ConfigError, FaultError):
        return None


def chosen_metrics(settings: CampaignSettings, custom: CustomParts) -> dict[str, Metric]:
    """The metrics of the settings, or the user's own, by their key in the rows.

    Raises:
        ConfigError: There is no such metric, or it was not given again.
    """
    return metrics_by_key(custom.metrics or tuple(map(parse_metric, settings.metrics)))


def sample_layouts(entries: Mapping[str, LayoutEntry]) -> dict[str, SampleLayout]:
    """Layouts as a plan holds them."""
    return {
        name: SampleLayout(shape=entry.shape, batch_axis=entry.batch_axis, steps=entry.steps)
        for name, entry in entries.items()
    }


def fault_space(
    settings: CampaignSettings, custom: CustomParts, sites: Sequence[FaultSite]
) -> FaultSpace:
    """What the fault models of the settings, or the user's own, can do to sites."""
    models = custom.fault_models or tuple(
        parse_fault_model(text, graphs=settings.fault_graphs) for text in settings.fault_models
    )
    return FaultSpace(sites, models)


def drawn_experiment(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    sites: Sequence[FaultSite],
) -> Experiment:
    """The experiment whose scenarios a sampler draws from the faults of some sites."""
    space = fault_space(settings, custom, sites)
    sampler = custom.sampler or sampler_of(
        settings.sampler, space, subject.model.sha256, subject.graph_sha256
    )
    source = SampledScenarios(space, sampler)
    DESIGNS.get(sampler.design, where=f"sampler {sampler.name}")  # refused if nobody knows it
    # Scores are no part of a recipe: what was drawn with them is written out.
    recipe = not (custom.fault_models or custom.sampler or by_scores(sampler.name))
    header = FaultListHeader(
        model_sha256=subject.model.sha256,
        graph=subject.graph,
        graph_sha256=subject.graph_sha256,
        **source.header_fields(written=not recipe),
    )
    return Experiment(
        subject=subject,
        sites={site.name: site for site in untied(sites)},
        space=space,
        source=source,
        header=header,
        recipe=recipe,
    )


def listed_experiment(path: Path, subject: Subject, sites: Sequence[FaultSite]) -> Experiment:
    """The experiment whose scenarios a fault list holds."""
    listed = read_fault_list(
        path,
        {site.name: site for site in sites},
        subject.model.sha256,
        subject.workload.samples,
        graph_sha256=subject.graph_sha256,
    )
    scenarios = renumbered(listed.scenarios or ())
    touched = {name for scenario in scenarios for name in scenario.sites}
    return Experiment(
        subject=subject,
        sites={site.name: site for site in sites if site.name in touched},
        space=None,
        source=ListedScenarios(scenarios),
        header=msgspec.structs.replace(listed.header, model_sha256=subject.model.sha256),
        recipe=False,
    )


def spike_monitors(sites: Iterable[FaultSite]) -> dict[str, tuple[str, ...]]:
    """Values that hold the spikes of each layer of neurons, one a step.

    Args:
        sites: All sites of the model.

    Raises:
        ConfigError: There are none that can be monitored.
    """
    every = list(sites)
    found = spike_values(every)
    if not found:
        looped = any(site.part is NeuronPart.SPIKE for site in every)
        why = "its steps are iterations of a loop" if looped else "it has no spiking neurons"
        raise ConfigError(f"spikes can be counted in unrolled spiking networks only; {why}")
    return found
