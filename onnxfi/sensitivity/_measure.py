"""Measuring a sensitivity: calibration, responses by rule or by probes, and scores of all sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from onnxfi.bits import format_of
from onnxfi.engine import EngineContext, profile
from onnxfi.faults import FaultSite, SiteKind
from onnxfi.graph import Model, initializer_words
from onnxfi.sensitivity.probes import probe
from onnxfi.sensitivity.rules import (
    Calibration,
    ChannelStatistics,
    Following,
    ScoringPlan,
    Target,
    calibrate,
    gain_of,
    hit,
    plan,
    ruled,
    shifted,
)
from onnxfi.sensitivity.scores import (
    Axis,
    ComputedScores,
    Cost,
    Response,
    Sensitivity,
    SensitivityScores,
    SiteScores,
    StoredScores,
    towards_mean,
)
from onnxfi.sensitivity.trials import TrialOptions, checked_sides, try_sites
from onnxfi.settings import SensitivityOptions


class Responses(NamedTuple):
    """Responses of targets.

    Attributes:
        found: By name of the target and whether whole channels are shifted.
        probed: Those that were measured; the others follow rules.
        cost: What was run.
    """

    found: dict[tuple[str, bool], Response]
    probed: frozenset[tuple[str, bool]]
    cost: Cost


def responses_of(
    context: EngineContext,
    targets: Sequence[Target],
    bounds: Mapping[str, Following | None],
    statistics: Mapping[str, ChannelStatistics],
    options: SensitivityOptions,
    on_progress: Callable[[int, int], None] | None,
) -> Responses:
    """What shifts of values do.

    Args:
        context: Model and calibration samples; its profile knows the values.
        targets: The values.
        bounds: What follows them, by name.
        statistics: By value name.
        options: Tier 0 takes rules for all, tier 1 probes all that can be probed.
        on_progress: Called with the probes done and expected.

    Raises:
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with what shifts its values.
    """
    found = {
        (target.name, target.whole): ruled(
            target, bounds.get(target.name), statistics, options.drop
        )
        for target in targets
    }
    if options.tier == 0:
        return Responses(found, frozenset(), Cost())
    measured, cost = probe(context, targets, options, on_progress=on_progress)
    samples = context.workload.samples
    shrunk = {key: towards_mean(response, samples) for key, response in measured.items()}
    return Responses(found | shrunk, frozenset(measured), cost)


_KEPT = 32  # samples of which words of computed tensors are kept
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def measure(
    context: EngineContext,
    sites: Sequence[FaultSite],
    options: SensitivityOptions,
    on_progress: OnProgress | None = None,
) -> Sensitivity:
    """Measure how likely faults at some sites are to fail.

    The model runs once over the calibration samples, with its values looked at. A fault in a
    stored tensor shifts channels of the value that its layer makes, one in a computed tensor an
    element of it. What shifts do follows from rules (tier 0) or is measured by probes (tier 1).
    Rules, and probes of what is added to integers or scales them, are checked by real faults.
    Sites of which neither knows anything are tried by real faults.

    Args:
        context: The model on its calibration samples.
        sites: The sites.
        options: How much is run.
        on_progress: Called as it goes on.

    Raises:
        ConfigError: A site can't be faulted by any engine.
        GoldenError: The model fails on the samples.
        BackendError: onnxruntime refuses the model with its values as outputs.
    """
    stream, alone = context.workload.stream is not None, context.profile.batch_size == 1
    found = plan(context.model, sites, stream=stream, alone=alone)
    context = _profiled(replace(context, sites=tuple(sites)), found)
    by_name = {site.name: site for site in sites}
    computed = [by_name[name] for name in found.computed]
    keep = _kept(computed, context.workload.samples, options.kept_bytes)
    seen = calibrate(
        context, found.looked_at, computed, keep, _progress(on_progress, "calibration")
    )
    targets = [*shifted(context.model, by_name, found, seen), *hit(by_name, found, seen)]
    report = _progress(on_progress, "probes")
    responses = responses_of(context, targets, found.bounds, seen.statistics, options, report)
    cost, trials = responses.cost, TrialOptions(seed=options.seed)
    notes: tuple[str, ...] = ()
    stored = {
        name: _stored(context.model, by_name[name], found, seen, responses)
        for name in found.entries
    }
    methods = {name: _method(name, found, responses) for name in by_name}
    probed = frozenset(name for name, by in methods.items() if by == "probes")
    doubtful = {n: s for n, s in stored.items() if n not in probed or _overflows(by_name[n])}
    if doubtful:
        report = _progress(on_progress, "check")
        checked, notes, spent = checked_sides(context, doubtful, trials, report, probed)
        stored |= checked
        cost += spent
    scores: dict[str, SiteScores] = {**stored}
    for site in computed:
        scores[site.name] = _computed(site, found, seen, responses)
    if found.rest:
        tried, spent = try_sites(context, found.rest, trials, _progress(on_progress, "trials"))
        scores |= tried
        cost += spent
    return Sensitivity(
        scores=SensitivityScores.of_sites({name: scores[name] for name in by_name}, options.drop),
        options=options,
        model_sha256=context.model.sha256,
        inputs_sha256=context.workload.sha256,
        criterion=context.criterion.criterion.spec(),
        cost=cost,
        methods=MappingProxyType(methods),
        notes=notes,
    )


def _overflows(site: FaultSite) -> bool:
    """Whether faults in a stored tensor may do what no shift of a value does.

    An integer sum starts again from the other end when a bias makes it too large; a scale moves
    each number by another amount.
    """
    if site.kind in (SiteKind.SCALE, SiteKind.ZERO_POINT):
        return True
    return site.kind is SiteKind.BIAS and "exponent" not in format_of(site.element).fields


def _profiled(context: EngineContext, found: ScoringPlan) -> EngineContext:
    """The context with layouts of the values that are looked at."""
    inputs = {spec.name for spec in context.model.inputs}
    names = [each.value for each in found.looked_at if each.value not in inputs]
    if not names:
        return context
    settings = replace(context.settings, batch_size=context.profile.batch_size)
    seen = profile(context.model, context.workload, settings, names)
    layouts = MappingProxyType({**context.profile.layouts, **seen.layouts})
    return replace(context, profile=replace(context.profile, layouts=layouts))


def _stored(
    model: Model, site: FaultSite, found: ScoringPlan, seen: Calibration, responses: Responses
) -> StoredScores:
    entry = found.entries[site.name]
    response = responses.found[entry.values[0].value, True]
    return StoredScores(
        element=site.element,
        words=initializer_words(model, site.tensor),
        gain=gain_of(model, site, entry, seen, response.spread),
        response=response,
    )


def _computed(
    site: FaultSite, found: ScoringPlan, seen: Calibration, responses: Responses
) -> ComputedScores:
    channels = found.computed[site.name]
    shape = () if site.layout is None else site.layout.shape
    return ComputedScores.of_words(
        element=site.element,
        words=seen.words[site.name],
        axis=Axis.of_shape(shape, channels.axis),
        response=responses.found[channels.value, False],
    )


def _method(name: str, found: ScoringPlan, responses: Responses) -> str:
    """Where a site's scores come from: ``rule``, ``probes`` or ``trials``."""
    if name in found.entries:
        key = found.entries[name].values[0].value, True
    elif name in found.computed:
        key = found.computed[name].value, False
    else:
        return "trials"
    return "probes" if key in responses.probed else "rule"


def _kept(sites: Sequence[FaultSite], samples: int, most_bytes: int) -> int:
    """Samples of which words are kept: no more than the memory allows, and at least one."""
    each = sum(
        site.layout.elements * format_of(site.element).word.itemsize
        for site in sites
        if site.layout is not None
    )
    return max(1, min(samples, _KEPT, most_bytes // max(each, 1)))


def _progress(on_progress: OnProgress | None, what: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else partial(on_progress, what)
