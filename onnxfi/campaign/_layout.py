"""The sites and the monitored values that settings choose, laid out by a profile of the model."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnxfi.campaign._document import Plan
from onnxfi.campaign._experiment import (
    CustomParts,
    Experiment,
    drawn_experiment,
    listed_experiment,
    sample_layouts,
    spike_monitors,
)
from onnxfi.campaign._scenarios import sites_named_in
from onnxfi.campaign._subject import Subject, engine_settings
from onnxfi.engine import Profile, measurable, profile
from onnxfi.errors import ConfigError
from onnxfi.faults import (
    FaultListHeader,
    FaultSite,
    LeftOut,
    LeftOutGroup,
    SiteFilter,
    SiteTable,
    check_steps,
    find_site,
    grouped,
    name_matches,
    recipe_space,
    untied,
)
from onnxfi.graph import Model
from onnxfi.settings import CampaignSettings, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """The chosen sites, and what a run looks like.

    Attributes:
        profile: Layouts, batch size.
        sites: The sites, in fault-space order; steps that are tied are one.
        monitors: Values whose statistics are kept for every injection.
        spikes: Those of them that hold the spikes of a layer of neurons, by layer.
        left_out: What the settings choose and is no site, by reason.
    """

    profile: Profile
    sites: Sequence[FaultSite]
    monitors: tuple[str, ...]
    spikes: Mapping[str, tuple[str, ...]]
    left_out: tuple[LeftOutGroup, ...]


def build_experiment(
    settings: CampaignSettings,
    custom: CustomParts,
    subject: Subject,
    recipe: FaultListHeader | None = None,
) -> tuple[Experiment, Profile]:
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
        made = drawn_experiment(settings, custom, subject, laid.sites)
    else:
        made = listed_experiment(Path(settings.faults), subject, laid.sites)
    made = replace(made, monitors=laid.monitors, spikes=laid.spikes, left_out=laid.left_out)
    return made, laid.profile


def planned_profile(plan: Plan) -> Profile:
    """What a run looks like, as the plan has fixed it."""
    return Profile(
        layouts=sample_layouts(plan.layouts),
        left_out={},
        outputs=sample_layouts(plan.outputs),
        batch_size=plan.batch_size,
        rows_independent=plan.rows_independent,
        fixed_batch=plan.fixed_batch,
        reason="from the plan",
    )


def lay_out(
    settings: CampaignSettings, subject: Subject, recipe: FaultListHeader | None = None
) -> LaidOut:
    """Choose sites and profile the model with them.

    Args:
        settings: What the user chose.
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
    table = subject.site_table(found.layouts, found.left_out)
    known = _still_there(chosen, table)
    check_steps(settings.steps, untied(known))
    if recipe is not None:
        # The recipe's own order of sites and models decides what its numbers mean.
        known = recipe_space(recipe, {site.name: site for site in known}).sites
    return LaidOut(
        profile=found,
        sites=known,
        monitors=laid_out(watched, found),
        spikes=spikes,
        left_out=grouped(_left_out(settings, every, computed, table)),
    )


def _left_out(
    settings: CampaignSettings, every: SiteTable, chosen: Collection[str], table: SiteTable
) -> Iterator[LeftOut]:
    """What would have been chosen, and what was but has no run-time shape.

    A fault list names its sites itself, and a name that is none is refused.
    """
    if settings.faults is not None:
        return
    wanted = _filter(settings)
    yield from (left for left in every.left_out if wanted.would_take(left))
    lost = set(chosen)
    yield from (left for left in table.left_out if left.name in lost)


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
    return _filter(settings).select(table.sites)


def _filter(settings: CampaignSettings) -> SiteFilter:
    chosen = {name: getattr(settings, name) for name in settings_of(CampaignSettings, "sites")}
    return SiteFilter(**chosen)


def _named(names: Iterable[str], table: SiteTable) -> list[FaultSite]:
    """The sites of some names, in the order of the table, steps of one tensor in theirs."""
    by_name = table.by_name()
    places = {name: place for place, name in enumerate(by_name)}
    found = filter(None, (find_site(str(name), by_name) for name in names))
    return sorted(
        found, key=lambda site: (places[site.tensor], -1 if site.step is None else site.step)
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


def named_monitors(globs: Sequence[str], model: Model) -> tuple[str, ...]:
    """Values that globs name, in topological order, each once.

    Candidates are the tensors of numbers that nodes outside of control-flow bodies compute, those
    that the model returns among them.

    Args:
        globs: Globs of value names (``*``, ``?``, ``[...]``, case counts). A full name matches
            itself, whatever characters it has.
        model: The model.

    Raises:
        ConfigError: A glob matches none of them.
    """
    index = model.index
    every = [name for node in index.nodes for name in node.outputs if name]
    outside = {name for node in index.nodes if not node.scope for name in node.outputs}
    known = [name for name in every if name in outside and measurable(index.element_of(name))]
    for glob in globs:
        if any(name_matches(name, glob) for name in known):
            continue
        raise ConfigError(
            f"no computed value matches the monitor {glob!r}{_why(glob, every, known)}"
        )
    return tuple(n for n in known if any(name_matches(n, glob) for glob in globs))


def laid_out(names: Sequence[str], profile: Profile) -> tuple[str, ...]:
    """Those of the values of which the profile knows where samples lie.

    Raises:
        ConfigError: None of them, though some are wanted.
    """
    known = tuple(n for n in names if n in profile.layouts or n in profile.outputs)
    if names and not known:
        first = names[0]
        reason = profile.left_out.get(first, "its run-time shape is unknown")
        raise ConfigError(f"none of the values to monitor can be measured; {first!r}: {reason}")
    return known


def _why(glob: str, every: Sequence[str], known: Sequence[str]) -> str:
    hidden = [name for name in every if name_matches(name, glob)]
    if hidden:
        return f": {hidden[0]!r} lies in a control-flow body, or is no tensor of a known type"
    near = difflib.get_close_matches(glob, known, 3, cutoff=0.4)
    hint = f"; near: {', '.join(map(repr, near))}" if near else ""
    return f"{hint}; `onnxfi sites MODEL --targets activation` lists what a model computes"
