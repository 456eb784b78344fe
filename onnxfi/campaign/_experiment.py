"""From settings to the objects of an experiment: subject, sites, fault space, scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import msgspec

from onnxfi.campaign._document import LayoutEntry, Plan
from onnxfi.campaign._listed import recipe_in, renumbered, sites_named_in
from onnxfi.campaign._monitors import laid_out, named_monitors, spike_monitors
from onnxfi.campaign._scores import sampler_of
from onnxfi.campaign._settings import CampaignSettings
from onnxfi.engine import EngineSettings, Graph, Optimization, Profile, Scenarios, deployed, profile
from onnxfi.errors import ConfigError
from onnxfi.faults import (
    FaultListHeader,
    FaultModel,
    FaultSite,
    FaultSpace,
    SampleLayout,
    SiteFilter,
    SiteTable,
    check_steps,
    enumerate_sites,
    find_site,
    graphs_of,
    parse_fault_model,
    read_fault_list,
    recipe_space,
    site_named,
    untied,
)
from onnxfi.graph import Model, fingerprint, load
from onnxfi.outcome import Criterion
from onnxfi.sampling import (
    SCORED,
    ListedScenarios,
    SampledScenarios,
    Sampler,
    ScenarioSource,
)
from onnxfi.workload import Stream, Workload, read_workload, stream_of


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
class Subject:
    """What is studied: the model, and the workload that it runs on.

    Attributes:
        model: The graph whose tensors are faulted.
        workload: The samples.
        origin: The model of the file, where the graph is the one that is deployed; else None.
        graph_sha256: Fingerprint of the deployed graph; None likewise.
    """

    model: Model
    workload: Workload
    origin: Model | None = None
    graph_sha256: str | None = None

    @property
    def graph(self) -> Graph:
        """Whose tensors are faulted."""
        return "stored" if self.origin is None else "deployed"

    def site_table(
        self,
        layouts: Mapping[str, SampleLayout] | None,
        unseen: Mapping[str, str] | None = None,
    ) -> SiteTable:
        """All sites of the model.

        Args:
            layouts: Layouts of run-time values; None leaves computed sites without shapes, else
                those it does not know are left out.
            unseen: Why a value has no layout, by name.
        """
        model = self.model
        stream = self.workload.stream
        states = () if stream is None else stream.state_inputs
        return enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen, states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A subject, what a run over it looks like, and the scenarios to run.

    Attributes:
        subject: Model and workload.
        profile: Layouts, batch size.
        sites: The sites that scenarios may touch, by name, in fault-space order.
        space: The fault space; None for a fault list written out.
        source: The scenarios by number.
        header: Header of the campaign's fault list.
        recipe: Whether the header alone says how to make the scenarios again.
        monitors: Values whose statistics are kept for every injection.
        spikes: Those of them that hold the spikes of a layer of neurons, by layer.
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


def load_subject(settings: CampaignSettings, folder: Path | None = None) -> Subject:
    """Read the model and the workload that the settings name.

    Args:
        settings: The settings; relative paths in them are inside ``folder``.
        folder: The campaign folder.
    """
    base = Path() if folder is None else folder
    model = load(base / settings.model)
    plain = settings.inputs.startswith("random:")
    inputs = settings.inputs if plain else base / settings.inputs
    stream = stream_of(settings.state, model.inputs, model.outputs)
    return Subject(model=model, workload=read_workload(inputs, model.inputs, stream))


def choose_graph(subject: Subject, settings: CampaignSettings) -> Subject:
    """The subject as it comes from its files, or with the deployed graph in place of the model.

    Raises:
        ConfigError: The deployed graph can't be studied.
    """
    chosen = engine_settings(settings, subject.workload.stream)
    if chosen.graph == "stored":
        return subject
    graph = deployed(subject.model, chosen)
    return replace(subject, model=graph, origin=subject.model, graph_sha256=fingerprint(graph))


def engine_settings(
    settings: CampaignSettings, stream: Stream | None, plan: Plan | None = None
) -> EngineSettings:
    """What the engine needs, as wished for, or as the plan has fixed it."""
    return EngineSettings(
        engine=settings.engine if plan is None else plan.engine,
        provider=settings.provider,
        # Checked by the engine's settings, whatever the text.
        optimization=cast(Optimization, settings.optimization),
        graph=cast(Graph, settings.graph),
        batch_size=settings.batch_size if plan is None else plan.batch_size,
        timeout_s=settings.timeout_s if plan is None else plan.timeout_s,
        stream=stream,
    )


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
    every = subject.site_table(None)
    chosen = _select(settings, every, recipe)
    computed = [site.tensor for site in untied(chosen) if not site.kind.stored]
    spikes = spike_monitors(every.sites) if settings.spikes else {}
    counted = [value for values in spikes.values() for value in values]
    watched = named_monitors((*settings.monitors, *counted), subject.model)
    how = engine_settings(settings, subject.workload.stream)
    found = profile(subject.model, subject.workload, how, [*computed, *watched])
    monitors = laid_out(watched, found)
    table = subject.site_table(found.layouts, found.left_out)
    known = _still_there(chosen, table)
    check_steps(settings.steps, untied(known))
    if recipe is not None:
        # The recipe's own order of sites and models decides what its numbers mean.
        known = recipe_space(recipe, {site.name: site for site in known}).sites
    if settings.faults is None:
        made = _drawn(settings, custom, subject, found, known)
    else:
        made = _listed(Path(settings.faults), subject, found, known)
    return replace(made, monitors=monitors, spikes=spikes)


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
    else:
        made = _drawn(settings, custom, subject, found, sites)
    spikes = spike_monitors(subject.site_table(None).sites) if settings.spikes else {}
    return replace(made, monitors=plan.monitors, spikes=spikes)


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
    graphs = isinstance(source, SampledScenarios) and bool(graphs_of(source.space.models))
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


def _select(
    settings: CampaignSettings, table: SiteTable, recipe: FaultListHeader | None
) -> Sequence[FaultSite]:
    if recipe is not None:
        names = (recipe.space or {}).get("sites", ())
        return _named(names, table) or table.sites
    if settings.faults is not None:
        # A written list names its sites itself; whatever it names is chosen. Where a name is
        # wrong, the reader needs all sites to say which one may be meant.
        named = sites_named_in(Path(settings.faults))
        chosen = _named(named, table)
        return chosen if chosen and len(chosen) == len(named) else table.sites
    return SiteFilter(
        targets=settings.targets,
        include=settings.include,
        exclude=settings.exclude,
        op_types=settings.op_types,
        steps=settings.steps,
        parts=settings.parts,
        over_steps=settings.over_steps,
        gates=settings.gates,
    ).select(table.sites)


def _named(names: Iterable[str], table: SiteTable) -> list[FaultSite]:
    """The sites of some names, in the order of the table, steps of one tensor in theirs."""
    by_name = table.by_name()
    places = {name: place for place, name in enumerate(by_name)}
    found = filter(None, (find_site(str(name), by_name) for name in names))
    return sorted(
        found, key=lambda site: (places[site.tensor], -1 if site.step is None else site.step)
    )


def _drawn(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    found: Profile,
    sites: Sequence[FaultSite],
) -> Experiment:
    models = custom.fault_models or tuple(
        parse_fault_model(text, graphs=settings.fault_graphs) for text in settings.fault_models
    )
    space = FaultSpace(sites, models)
    sampler = custom.sampler or sampler_of(settings.sampler, space)
    source = SampledScenarios(space, sampler)
    header = FaultListHeader(
        model_sha256=subject.model.sha256,
        graph=subject.graph,
        graph_sha256=subject.graph_sha256,
        **source.header_fields(),
    )
    return Experiment(
        subject=subject,
        profile=found,
        sites={site.name: site for site in untied(sites)},
        space=space,
        source=source,
        header=header,
        # Scores are no part of a recipe: what was drawn with them is written out.
        recipe=not (custom.fault_models or custom.sampler or sampler.kind in SCORED),
    )


def _still_there(chosen: Sequence[FaultSite], table: SiteTable) -> Sequence[FaultSite]:
    """The chosen sites with their run-time shapes, but for those that turned out to have none.

    Raises:
        ConfigError: None of them has one.
    """
    by_name = table.by_name()
    known = list(filter(None, (find_site(site.name, by_name) for site in chosen)))
    if not known:
        reasons = {left.name: left.reason for left in table.left_out}
        first = chosen[0].tensor
        if chosen[0].step is not None and first in by_name:
            check_steps([chosen[0].step], _first_and_last(by_name[first]))
        raise ConfigError(
            f"none of the {len(chosen)} chosen sites can be faulted; {first!r}: "
            f"{reasons.get(first, 'its run-time shape is unknown')}"
        )
    return known


def _first_and_last(site: FaultSite) -> list[FaultSite]:
    steps = None if site.layout is None else site.layout.steps
    return list(filter(None, (site.at(step) for step in (0, (steps or 1) - 1))))


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
