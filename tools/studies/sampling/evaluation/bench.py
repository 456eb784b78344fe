"""Injecting the faults of a target, by their numbers, with the package's own engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.targets import TEST_IMAGES, Target
from onnxfi.engine import (
    EngineContext,
    EngineSettings,
    Profile,
    golden_run,
    open_engine,
    open_workload,
    profile,
)
from onnxfi.errors import GoldenError
from onnxfi.faults import (
    BitFlip,
    FaultSite,
    FaultSpace,
    Scenario,
    SiteFilter,
    enumerate_sites,
)
from onnxfi.graph import Model, load
from onnxfi.outcome import choose_criterion
from onnxfi.workload import Workload

_TOGETHER = 256


def find_file(name: str, folders: Sequence[Path]) -> Path:
    """A file in the first folder that has it.

    Raises:
        FileNotFoundError: None has.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, folders))}")


def images(target: Target, folders: Sequence[Path], part: slice) -> dict[str, NDArray[np.generic]]:
    """Some samples of a target's test set, labels included."""
    with np.load(find_file(f"{target.inputs}.npz", folders), allow_pickle=False) as data:
        return {name: data[name][part] for name in data.files}


class Prepared(NamedTuple):
    """A target's model, workload and sites, profiled.

    Attributes:
        model: The model.
        workload: The test images.
        profile: How they run.
        settings: Likewise.
        space: All single bit flips of the target.
    """

    model: Model
    workload: Workload
    profile: Profile
    settings: EngineSettings
    space: FaultSpace


TESTED = slice(TEST_IMAGES)


def prepare(target: Target, folders: Sequence[Path], part: slice = TESTED) -> Prepared:
    """Read a target's files and lay out its faults.

    Args:
        target: The target.
        folders: Where models and test sets are.
        part: Which samples of the test set.
    """
    model = load(find_file(f"{target.model}.onnx", folders))
    workload = open_workload(model, images(target, folders, part))
    settings = EngineSettings(engine="cut", batch_size=workload.samples)
    index = model.index
    every = enumerate_sites(index, model.inputs, model.outputs, None, None, ()).sites
    wanted = select(target, every)
    computed = [site.name for site in wanted if not site.kind.stored]
    found = profile(model, workload, settings, computed)
    table = enumerate_sites(
        index, model.inputs, model.outputs, found.layouts, found.left_out, ()
    ).by_name()
    sites = [table[site.name] for site in wanted if site.name in table]
    return Prepared(model, workload, found, settings, FaultSpace(sites, [BitFlip()]))


def context_of(prepared: Prepared) -> tuple[EngineContext, int]:
    """What engines need, and how many images the fault-free model answers right."""
    model, workload, found, settings, space = prepared
    golden = golden_run(model, workload, found, settings)
    bound = choose_criterion(golden.outputs[0], found.outputs, labels=workload.labels)
    context = EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=settings,
        sites=space.sites,
        criterion=bound,
    )
    return context, golden.counts(bound, workload.labels).correct or 0


class Bench:
    """The engine that carries a target's faults out.

    Args:
        target: The target.
        folders: Where models and test sets are.

    Attributes:
        space: All single bit flips of the target.
        golden: Images that the fault-free model answers right.

    Raises:
        GoldenError: It answers none right.
    """

    def __init__(self, target: Target, folders: Sequence[Path]) -> None:
        prepared = prepare(target, folders)
        context, right = context_of(prepared)
        if not right:
            raise GoldenError(f"{target.name}: the fault-free model answers no image right")
        self.space, self.golden = prepared.space, right
        self._engine = open_engine("cut", context)

    def drops(self, numbers: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """Relative accuracy drop of each fault, a few hundred at a time.

        Args:
            numbers: int64 (n,), fault numbers; fast where neighbours are of one site.
        """
        for start in range(0, len(numbers), _TOGETHER):
            part = numbers[start : start + _TOGETHER]
            groups = self.space.single_groups(part)
            scenarios = [
                Scenario(number=number, groups=each)
                for number, each in zip(part.tolist(), groups, strict=True)
            ]
            right = [found.counts.correct or 0 for found in self._engine.run_many(scenarios)]
            yield ((self.golden - np.array(right)) / self.golden).astype(np.float32)

    def close(self) -> None:
        """Let go of sessions."""
        self._engine.close()


def select(target: Target, sites: Sequence[FaultSite]) -> list[FaultSite]:
    """The sites of a target, in the model's order."""
    chosen = SiteFilter(targets=(target.kind,), include=target.include, parts=target.parts)
    elements = target.elements
    return [s for s in chosen.select(sites) if not elements or s.element.name in elements]
