"""A model of the zoo made ready for engines to be compared on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agreement.elsewhere import LINE_SHAPE
from onnxfi.engine import (
    ENGINES,
    EngineContext,
    EngineSettings,
    examine_engine,
    golden_run,
    open_workload,
    profile,
)
from onnxfi.faults import FaultSite, enumerate_sites
from onnxfi.graph import Model, load
from onnxfi.outcome import choose_criterion
from onnxfi.workload import Workload

MODELS = Path(__file__).resolve().parents[2] / "models"
Level = Literal["disabled", "all"]


def context_of(
    path: Path, kind: str, level: Level, images: int, provider: str = "cpu"
) -> EngineContext:
    """Everything that an engine needs, for sites of a kind that all but `lift` can fault."""
    model = load(path)
    workload = _workload(path, model, images)
    settings = EngineSettings(provider=provider, optimization=level)
    found = profile(model, workload, settings)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    sites = tuple(site for site in table.sites if site.kind.value == kind and _all(site))
    golden = golden_run(model, workload, found, settings)
    bound = choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=sites,
        criterion=bound,
    )


def _workload(path: Path, model: Model, images: int) -> Workload:
    """Images of the data that a network of the zoo was trained on; random ones for others."""
    for data in ("fashion", "mnist"):
        if data in path.name:
            return open_workload(model, MODELS / f"{data}_test1000.npz").take(images)
    return open_workload(model, f"random:{images}:1{_open_sizes(model)}")


def _open_sizes(model: Model) -> str:
    """Sizes of the dimensions that a file leaves open: those of a line of text in small."""
    (image,) = model.inputs
    sizes = dict(zip((2, 3), LINE_SHAPE[-2:], strict=True))
    given = [
        f"{image.name}.{place}={sizes[place]}"
        for place, dim in enumerate(image.shape or ())
        if place in sizes and not isinstance(dim, int)
    ]
    return ":" + ",".join(given) if given else ""


def _all(site: FaultSite) -> bool:
    return all(kind.refuses(site) is None for kind in ENGINES if kind.name != "lift")


def left_out(context: EngineContext, *, several_sites: bool = False) -> dict[str, str]:
    """Engines that can't carry out a campaign over the sites of a context, and why.

    Args:
        context: The model and its sites.
        several_sites: Whether scenarios touch several of them.
    """
    against = {name: _against(name, context, several_sites) for name in ENGINES.names()}
    return {name: reason for name, reason in against.items() if reason is not None}


def _against(name: str, context: EngineContext, several_sites: bool) -> str | None:
    kind = ENGINES.get(name)
    if several_sites and not kind.several_sites:
        return "carries out scenarios of one site only"
    refusals = (kind.refuses(site) for site in context.sites)
    return next((reason for reason in refusals if reason), None) or examine_engine(name, context)


def engines_for(context: EngineContext) -> list[str]:
    """The engines that can carry out the campaign: ``lift`` only where every site has a map."""
    absent = left_out(context)
    return [name for name in ENGINES.names() if name not in absent]
