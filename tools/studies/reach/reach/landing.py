"""Faults that must land: in every stored site of a model, harder ones where softer ones don't."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from onnxfi.bits import format_of
from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    Optimization,
    Scenarios,
    choose_engine,
    examine_engine,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.faults import FaultGroup, FaultSite, Scenario, SiteTable, enumerate_sites
from onnxfi.graph import Model, load
from onnxfi.outcome import BoundCriterion, Tolerance
from reach.files import Arrays, RealModel

_FULL = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What faults in one site did.

    Attributes:
        site: Its name.
        single: Whether a high bit flipped in the first element that was tried changed outputs.
        landed: What did change them: words such as ``top bit of element 3``; "" if nothing did.
        tried: Scenarios that were tried, on all feeds together.
    """

    site: str
    single: bool
    landed: str
    tried: int


@dataclass(slots=True, kw_only=True)
class Reach:
    """What of a model is within reach.

    Attributes:
        model: Its name.
        table: Sites and what is left out.
        landings: By site.
        engines: Engines that were chosen, one a feed.
        clean: Whether golden outputs came back, bit for bit, whenever faults were gone.
        seconds: Wall time.
    """

    model: str
    table: SiteTable = field(repr=False)
    landings: dict[str, Landing] = field(default_factory=dict)
    engines: list[str] = field(default_factory=list)
    clean: bool = True
    seconds: float = 0.0

    @property
    def stored(self) -> list[FaultSite]:
        """The stored sites."""
        return [site for site in self.table.sites if site.kind.stored]

    def landed(self, site: FaultSite) -> bool:
        """Whether a fault in a site changed outputs."""
        return site.name in self.landings and bool(self.landings[site.name].landed)

    @property
    def dead(self) -> list[Landing]:
        """Sites in which no fault changed anything."""
        return [landing for landing in self.landings.values() if not landing.landed]


def reach(real: RealModel, optimization: Optimization = "all") -> Reach:
    """Fault every stored site of a model until outputs change, or nothing is left to try.

    What the engine of the campaign can't make land is tried again in a model of its own, baked.

    Args:
        real: The model.
        optimization: Level of onnxruntime's optimisation; ``disabled`` starts sessions of models
            whose weights are made by operators in a fraction of the time.
    """
    start = time.perf_counter()
    model = load(real.path)
    found = Reach(model=real.name, table=enumerate_sites(model.index, model.inputs, model.outputs))
    for feed in real.feeds:
        for engine in ("auto", "bake"):
            missing = [site for site in found.stored if not found.landed(site)]
            if missing and engine not in found.engines[-1:]:
                _with_feed(_context(model, feed, missing, optimization), found, engine)
    found.seconds = time.perf_counter() - start
    return found


def _with_feed(context: EngineContext, found: Reach, engine: str) -> None:
    model, sites = context.model, context.sites
    choice = choose_engine(
        engine,
        model,
        context.workload.samples,
        sites,
        Scenarios(single_site=True, count=len(sites)),
        lambda name: examine_engine(name, context),
    )
    found.engines.append(choice.name)
    study = model, context.workload, context.profile, context.settings
    before = golden_run(*study).sha256
    with closing(open_engine(choice.name, context)) as running:
        waiting = {site.name: _trials(site) for site in sites}
        while waiting:
            tried = {name: next(trials, None) for name, trials in waiting.items()}
            waiting = {name: trials for name, trials in waiting.items() if tried[name] is not None}
            now = [trial for trial in tried.values() if trial is not None]
            injections = running.run_many([trial.scenario for trial in now])
            for trial, injection in zip(now, injections, strict=True):
                counts = injection.counts
                landed = counts.masked < counts.samples
                _note(found, trial, landed)
                if landed:
                    del waiting[trial.site]
            # Disarmed: whatever was changed must have been put back.
            quiet = running.run(Scenario(number=0, groups=())).counts
            found.clean &= quiet.masked == quiet.samples
    found.clean &= golden_run(*study).sha256 == before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    site: str
    what: str
    scenario: Scenario


def _note(found: Reach, trial: _Trial, landed: bool) -> None:
    known = found.landings.get(trial.site)
    tried = 0 if known is None else known.tried
    found.landings[trial.site] = Landing(
        site=trial.site,
        single=landed and tried == 0,
        landed=trial.what if landed else "",
        tried=tried + 1,
    )


def _trials(site: FaultSite) -> Iterator[_Trial]:
    """Ever harder faults: a high bit, the sign, both, NaN in a few elements, then in all."""
    assert site.layout is not None
    count, form = site.layout.elements, format_of(site.element)
    is_float = "exponent" in form.fields
    top = form.width - 2 if is_float and form.width > 4 else form.width - 1
    masks = {"top bit": (_FULL, 1 << top), "sign": (_FULL, 1 << (form.width - 1))}
    # What is compared with zero may notice nothing but a large negative number.
    masks["sign and top bit"] = (_FULL, 1 << top | 1 << (form.width - 1))
    masks["all bits set"] = (0, form.mask)
    if is_float:
        # The exponent's ones with a mantissa bit: a NaN in the formats that have one.
        quiet = form.mask & ~(1 << (form.width - 1))
        masks["NaN"] = (0, quiet)
    few = dict.fromkeys((count // 2, 0, count - 1))
    for what, (keep, flip) in masks.items():
        for index in few:
            yield _trial(site, f"{what} of element {index}", np.array([index]), keep, flip)
    for what, (keep, flip) in masks.items():
        yield _trial(site, f"{what} of all elements", np.arange(count), keep, flip)


def _trial(site: FaultSite, what: str, index: np.ndarray, keep: int, flip: int) -> _Trial:
    size = len(index)
    group = FaultGroup(
        site=site.name,
        index=index.astype(np.int64),
        and_mask=np.full(size, keep, np.uint64),
        xor_mask=np.full(size, flip, np.uint64),
    )
    return _Trial(site=site.name, what=what, scenario=Scenario(number=0, groups=(group,)))


def _context(
    model: Model, feed: Arrays, sites: Sequence[FaultSite], optimization: Optimization
) -> EngineContext:
    fed = {spec.name: feed[spec.name] for spec in model.inputs}
    workload = open_workload(model, fed)
    settings = EngineSettings(timeout_s=120, optimization=optimization)
    layouts = profile(model, workload, settings, candidates=())
    criterion = BoundCriterion(criterion=Tolerance(0.0), output=next(iter(layouts.outputs)))
    return EngineContext(
        model=model,
        workload=workload,
        profile=layouts,
        settings=settings,
        sites=tuple(sites),
        criterion=criterion,
    )
