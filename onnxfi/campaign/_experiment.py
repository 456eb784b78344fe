"""From settings to the objects of an experiment: subject, sites, fault space, scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from onnxfi.campaign._document import LayoutEntry, Plan
from onnxfi.campaign._layout import lay_out, spike_monitors
from onnxfi.campaign._scenarios import recipe_in, renumbered, sampler_of
from onnxfi.campaign._subject import Subject
from onnxfi.engine import Profile, Scenarios
from onnxfi.errors import ConfigError, FaultError
from onnxfi.faults import (
    FaultListHeader,
    FaultModel,
    FaultSite,
    FaultSpace,
    LeftOutGroup,
    SampleLayout,
    parse_fault_model,
    read_fault_list,
    recipe_space,
    site_named,
    untied,
)
from onnxfi.outcome import Criterion
from onnxfi.sampling import (
    SCORED,
    ListedScenarios,
    SampledScenarios,
    Sampler,
    ScenarioSource,
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
    """

    fault_models: tuple[FaultModel, ...] = ()
    sampler: Sampler | None = None
    criterion: Criterion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A subject, what a run over it looks like, and the scenarios to run.

    Attributes:
        subject: Model and workload.
        profile: Layouts, batch size.
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
    profile: Profile
    sites: Mapping[str, FaultSite]
    space: FaultSpace | None
    source: ScenarioSource
    header: FaultListHeader
    recipe: bool
    monitors: tuple[str, ...] = ()
    spikes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[LeftOutGroup, ...] = ()


def build_experiment(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    recipe: FaultListHeader | None = None,
) -> Experiment:
    """Profile the model and lay out sites, fault space and scenarios.

    Args:
        settings: What the user chose.
        custom: The user's own objects.
        subject: Model and workload.
        recipe: Header of a fault list that is only a recipe; its sites are then taken.

    Raises:
        OnnxFIError: Nothing can be faulted, or the recipe is of another fault space.
    """
    laid = lay_out(settings, subject, recipe)
    if settings.faults is None:
        made = _drawn(settings, custom, subject, laid.profile, laid.sites)
    else:
        made = _listed(Path(settings.faults), subject, laid.profile, laid.sites)
    return replace(made, monitors=laid.monitors, spikes=laid.spikes, left_out=laid.left_out)


def restore_experiment(
    settings: CampaignSettings, custom: CustomParts, subject: Subject, plan: Plan, faults: Path
) -> Experiment:
    """The same experiment from its plan and its fault list, without profiling again."""
    layouts = _layouts(plan.layouts)
    found = Profile(
        layouts=layouts,
        left_out={},
        outputs=_layouts(plan.outputs),
        batch_size=plan.batch_size,
        rows_independent=plan.rows_independent,
        fixed_batch=plan.fixed_batch,
        reason="from the plan",
    )
    by_name = subject.site_table(layouts).by_name()
    sites = [site_named(name, by_name) for name in plan.sites]
    if recipe_in(faults, subject.model.sha256, subject.graph_sha256) is None:
        made = _listed(faults, subject, found, sites)
        made = replace(made, space=_known_space(made.header, sites))
    else:
        made = _drawn(settings, custom, subject, found, sites)
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


def scenario_traits(source: ScenarioSource) -> Scenarios:
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


def _layouts(entries: Mapping[str, LayoutEntry]) -> dict[str, SampleLayout]:
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


def _drawn(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    found: Profile,
    sites: Sequence[FaultSite],
) -> Experiment:
    space = fault_space(settings, custom, sites)
    sampler = custom.sampler or sampler_of(
        settings.sampler, space, subject.model.sha256, subject.graph_sha256
    )
    source = SampledScenarios(space, sampler)
    # Scores are no part of a recipe: what was drawn with them is written out.
    recipe = not (custom.fault_models or custom.sampler or sampler.kind in SCORED)
    header = FaultListHeader(
        model_sha256=subject.model.sha256,
        graph=subject.graph,
        graph_sha256=subject.graph_sha256,
        **source.header_fields(written=not recipe),
    )
    return Experiment(
        subject=subject,
        profile=found,
        sites={site.name: site for site in untied(sites)},
        space=space,
        source=source,
        header=header,
        recipe=recipe,
    )


def _listed(path: Path, subject: Subject, found: Profile, sites: Sequence[FaultSite]) -> Experiment:
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
        profile=found,
        sites={site.name: site for site in sites if site.name in touched},
        space=None,
        source=ListedScenarios(scenarios),
        header=msgspec.structs.replace(listed.header, model_sha256=subject.model.sha256),
        recipe=False,
    )
