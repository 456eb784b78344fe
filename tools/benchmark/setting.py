"""One model made ready: the fault-free session, the engine's context, and the drawn faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmark.plain import plain_session
from benchmark.subjects import Subject
from onnxfi.bits import format_of
from onnxfi.engine import (
    ENGINES,
    EngineContext,
    EngineSettings,
    Graph,
    Scenarios,
    choose_engine,
    default_timeout,
    deployed,
    examine_engine,
    golden_run,
    open_workload,
    profile,
    windows,
)
from onnxfi.faults import BitFlip, FaultGroup, FaultSite, FaultSpace, Scenario, enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import choose_criterion
from onnxfi.sampling import SampledScenarios, UniformSampler

_WARM_UPS = 3


class CannotError(Exception):
    """An engine that can't do a task; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a task hits.

    Attributes:
        kind: Kind of the sites.
        op_types: Operators that they belong to.
    """

    kind: str
    op_types: tuple[str, ...]


#: Of convolutions and matrix products: what the rivals can hit, so no BatchNormalization.
WEIGHTS = Choice(kind="weight", op_types=("Conv", "ConvTranspose", "Gemm", "MatMul"))


def activations(subject: Subject) -> Choice:
    """The activations of a model that count as outputs of its convolutions."""
    return Choice(kind="activation", op_types=(subject.activations,))


def context_of(
    subject: Subject,
    choice: Choice,
    samples: int | None = None,
    memory_limit: int | None = None,
    graph: Graph = "stored",
) -> EngineContext:
    """All that a campaign prepares before its first injection: profile, golden run, sites."""
    model = load(subject.model)
    workload = open_workload(model, subject.inputs).take(samples or subject.samples)
    settings = EngineSettings(graph=graph)
    if memory_limit is not None:
        settings = replace(settings, memory_limit_bytes=memory_limit)
    if graph == "deployed":
        model = deployed(model, settings)
    found = profile(model, workload, settings)
    settings = replace(settings, timeout_s=default_timeout(model, found.batch_size))
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts, found.left_out)
    sites = tuple(site for site in table.sites if _takes(site, choice))
    golden = golden_run(model, workload, found, settings)
    # A decision for each sample where there is one, else every output is compared.
    requested = "auto" if golden.outputs[0][model.outputs[0].name].ndim == 2 else "tolerance:0.001"
    criterion = choose_criterion(
        golden.outputs[0], found.outputs, requested=requested, labels=workload.labels
    )
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=sites,
        criterion=criterion,
    )


def _takes(site: FaultSite, choice: Choice) -> bool:
    return site.kind.value == choice.kind and site.op_type in choice.op_types


def for_engine(name: str, context: EngineContext, *, one_sample: bool = False) -> EngineContext:
    """The context with the sites that an engine can fault.

    Raises:
        CannotError: It can fault none, or can't do faults of single samples that are asked for.
    """
    kind = ENGINES.get(name)
    if one_sample and not kind.one_sample:
        raise CannotError("can't bind a fault to one sample")
    if not context.sites:
        raise CannotError("the model has no such sites")
    able = tuple(site for site in context.sites if kind.refuses(site) is None)
    if not able:
        raise CannotError(f"can't fault these sites: {kind.refuses(context.sites[0])}")
    return replace(context, sites=able)


def chosen_by_auto(context: EngineContext, count: int) -> str:
    """The engine that a campaign of single faults in the sites of a context would get."""
    known = Scenarios(single_site=True, count=count)
    return choose_engine(
        "auto",
        context.model,
        context.workload.samples,
        context.sites,
        known,
        lambda name: examine_engine(name, context),
    ).name


def fault_free(subject: Subject, context: EngineContext) -> Callable[[], object]:
    """Runs the untouched file through plain onnxruntime, in the batches of the campaign."""
    session = plain_session(str(subject.model))
    workload, found = context.workload, context.profile
    cut = windows(workload.samples, found.batch_size, found.fixed_batch)
    feeds = [workload.batch(window.start, window.stop, window.size) for window in cut]

    def run() -> list[Any]:
        return [session.run(None, feed) for feed in feeds]

    for _ in range(_WARM_UPS):
        run()
    return run


def single_faults(sites: Sequence[FaultSite], count: int, seed: int) -> list[Scenario]:
    """Single bit flips, uniform over all bits of the sites, there for every sample."""
    space = FaultSpace(sites, [BitFlip()])
    wanted = min(count, space.size)
    return list(SampledScenarios(space, UniformSampler(n=wanted, seed=seed)))


def one_per_site(sites: Sequence[FaultSite], seed: int) -> list[Scenario]:
    """One bit flip in each site: what makes an engine set up all that it keeps."""
    return [single_faults([site], 1, seed)[0] for site in sites]


def concurrent_flips(context: EngineContext, count: int, seed: int) -> Scenario:
    """Bit flips at distinct places of (sample, element), uniform over all sites and samples."""
    rng = np.random.default_rng(seed)
    samples = context.workload.samples
    sizes = [site.layout.elements if site.layout else 0 for site in context.sites]
    ends = np.cumsum([size * samples for size in sizes])
    drawn = np.unique(rng.integers(0, ends[-1], int(count * 1.2) + 8))
    places = np.sort(rng.permutation(drawn)[:count])
    home = np.searchsorted(ends, places, side="right")
    groups = []
    for number in np.unique(home).tolist():
        site, size = context.sites[number], sizes[number]
        sample, index = np.divmod(places[home == number] - (ends[number] - size * samples), size)
        bits = rng.integers(0, format_of(site.element).width, len(index))
        groups.append(_flips(site, index, sample, bits))
    return Scenario(number=0, groups=tuple(groups))


def _flips(site: FaultSite, index: Any, sample: Any, bits: Any) -> FaultGroup:
    return FaultGroup(
        site=site.name,
        index=index.astype(np.int64),
        and_mask=np.full(len(index), 2**64 - 1, np.uint64),
        xor_mask=np.left_shift(np.uint64(1), bits.astype(np.uint64)),
        sample=sample.astype(np.int64),
    )
