"""What do ports and lifted weights cost on a provider, beside the untouched model?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np
from compare_engines import context_of

from onnxfi.engine import EngineContext, EngineSettings, Session, Watchdog
from onnxfi.engine.engines.ports import Kept, OpenModel
from onnxfi.engine.runtime import MemoryOf, device_memory
from onnxfi.faults import FaultGroup, FaultSite, Scenario
from onnxfi.inject import BatchWindow
from provider_checks.device import place
from provider_checks.found import Check, Effort, attempt

WARM_UP = 3
Run: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One line of the benchmark.

    Attributes:
        model: File name.
        form: What ran.
        images: Images in a run.
        milliseconds: Median wall time of a run, inputs and outputs copied.
        ratio: To the untouched model on the same provider.
    """

    model: str
    form: str
    images: int
    milliseconds: float
    ratio: float


def measure(effort: Effort) -> tuple[list[Timing], list[Check]]:
    """All lines, and for every model whether it could be measured."""
    lines: list[Timing] = []

    def measured(path: Path) -> tuple[bool, str]:
        found = list(_timings(path, effort))
        lines.extend(found)
        return True, f"{len(found)} lines"

    checks = [
        attempt("all forms run", path.name, lambda path=path: measured(path))
        for path in effort.paths
    ]
    return lines, checks


def _timings(path: Path, effort: Effort) -> Iterator[Timing]:
    """The lines of a model, its forms timed in turns."""
    forms = dict(_forms(path, effort))
    taken: dict[str, list[float]] = {form: [] for form in forms}
    for turn in range(WARM_UP + effort.repeats):
        for form, run in forms.items():
            start = time.perf_counter()
            run()
            if turn >= WARM_UP:
                taken[form].append(time.perf_counter() - start)
    plain = median(taken["untouched"])
    for form, seconds in taken.items():
        yield Timing(
            model=path.name,
            form=form,
            images=effort.images,
            milliseconds=1e3 * median(seconds),
            ratio=median(seconds) / plain,
        )


def _forms(path: Path, effort: Effort) -> Iterator[tuple[str, Run]]:
    context = context_of(path, "activation", "all", effort.images, effort.provider)
    weights = context_of(path, "weight", "all", effort.images, effort.provider)
    convolved = tuple(site for site in context.sites if site.op_type == "Conv")
    images = context.workload.batch(0, effort.images, effort.images)
    yield "untouched", partial(Session(context.model, context.settings).run, images)
    on_cpu = Session(context.model, EngineSettings())
    yield "untouched, on the CPU", partial(on_cpu.run, images)
    # As the engine has them: on the CPU in the host's memory, elsewhere on the device.
    own = _kept(context, device_memory)
    yield from _opened("one port", _Opened(context, convolved[:1], own), (0, 1, 1_000))
    many = _Opened(context, convolved, own)
    yield from _opened(f"{len(convolved)} ports", many, (0, 1_000, 100_000))
    fed = _Opened(weights, weights.sites, None)
    yield from _opened("all weights as inputs, fed by the host", fed, (0, 1, 1_000))
    kept = _Opened(weights, weights.sites, _kept(weights, place))
    yield from _opened("all weights as inputs, kept on the device", kept, (0, 1, 1_000))


def _kept(context: EngineContext, where: MemoryOf) -> Kept | None:
    # One window: all images in one run, as in the other lines.
    whole = replace(context.profile, batch_size=context.workload.samples)
    memory = where(context.model, context.settings)
    return None if memory is None else Kept(replace(context, profile=whole), memory)


class _Opened:
    """Sites opened as the ports engine does it."""

    def __init__(
        self, context: EngineContext, sites: Sequence[FaultSite], kept: Kept | None
    ) -> None:
        self.sites = sites
        self.samples = context.workload.samples
        self._window = BatchWindow(start=0, stop=self.samples, size=self.samples)
        self._model = OpenModel(context, tuple(sites), Watchdog(), kept)

    def run_with(self, scenario: Scenario) -> Run:
        """A run with faults, feeds made ready."""
        armed, model, window = self._model.inputs.arm(scenario), self._model, self._window

        def run() -> None:
            batch = model.batches.batch(window.start, window.stop, window.size)
            with armed.fed(window) as extra:
                model.session.run({**batch, **extra})

        return run


def _opened(form: str, opened: _Opened, faults: Sequence[int]) -> Iterator[tuple[str, Run]]:
    for count in faults:
        groups = []
        for number, site in enumerate(opened.sites):
            each = len(range(number, count, len(opened.sites)))  # spread evenly
            groups.append(_flips(site, each, opened.samples))
        scenario = Scenario(number=0, groups=tuple(g for g in groups if len(g.index)))
        total = sum(len(group.index) for group in groups)
        yield f"{form}, {total:,} flip{'' if total == 1 else 's'}", opened.run_with(scenario)


def _flips(site: FaultSite, count: int, samples: int) -> FaultGroup:
    """Flips of a tensor's lowest bit, in an activation spread over the run; one an element."""
    assert site.layout is not None
    stored = site.kind.stored
    places = site.layout.elements * (1 if stored else samples)
    count = min(count, places)
    where = np.random.default_rng(7).choice(places, count, replace=False)
    return FaultGroup(
        site=site.name,
        index=(where % site.layout.elements).astype(np.int64),
        and_mask=np.full(count, 2**64 - 1, np.uint64),
        xor_mask=np.ones(count, np.uint64),
        sample=None if stored else (where // site.layout.elements).astype(np.int64),
    )
