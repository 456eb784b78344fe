"""What do ports and lifted weights cost on a provider, beside the untouched model?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from compare_engines import context_of
from numpy.typing import NDArray

from onnxfi.engine import EngineContext, EngineSettings, Session
from onnxfi.faults import FaultGroup, FaultSite, Scenario
from onnxfi.graph import initializer_words
from onnxfi.inject import BatchWindow, arm, instrument
from provider_checks.found import Check, Effort, attempt

WARM_UP = 3
Feeds = Mapping[str, NDArray[Any]]


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
        for form, (session, feeds) in forms.items():
            start = time.perf_counter()
            session.run(feeds)
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


def _forms(path: Path, effort: Effort) -> Iterator[tuple[str, tuple[Session, Feeds]]]:
    context = context_of(path, "activation", "all", effort.images, effort.provider)
    weights = context_of(path, "weight", "all", effort.images, effort.provider).sites
    convolved = tuple(site for site in context.sites if site.op_type == "Conv")
    settings = context.settings
    images = context.workload.batch(0, effort.images, effort.images)
    yield "untouched", (Session(context.model, settings), images)
    on_cpu = Session(context.model, EngineSettings())
    yield "untouched, on the CPU", (on_cpu, images)
    yield from _opened("one port", context, convolved[:1], (0, 1, 1_000))
    yield from _opened(f"{len(convolved)} ports", context, convolved, (0, 1_000, 100_000))
    yield from _opened("all weights as inputs", context, weights, (0,))


def _opened(
    form: str, context: EngineContext, sites: Sequence[FaultSite], faults: Sequence[int]
) -> Iterator[tuple[str, tuple[Session, Feeds]]]:
    cpu = context.settings.provider.lower().startswith("cpu")
    opened = instrument(context.model, sites, scatter="elements" if cpu else "nd")
    session = Session(opened.model, context.settings)
    size = context.workload.samples
    window = BatchWindow(start=0, stop=size, size=size)
    images = context.workload.batch(0, size, size)
    words = {
        lift.site.name: initializer_words(context.model, lift.site.name) for lift in opened.lifts
    }
    for count in faults:
        each = -(-count // len(sites))
        groups = [_flips(site, each, size) for site in sites]
        scenario = Scenario(number=0, groups=tuple(g for g in groups if len(g.index)))
        feeds = {**images, **arm(opened, scenario, window=window, stored_words=words)}
        total = sum(len(group.index) for group in groups)
        yield f"{form}, {total:,} flips", (session, feeds)


def _flips(site: FaultSite, count: int, samples: int) -> FaultGroup:
    """Flips of an activation's lowest bit, spread over the run; at most one an element."""
    assert site.layout is not None
    places = site.layout.elements * samples
    count = min(count, places)
    place = np.random.default_rng(7).choice(places, count, replace=False)
    return FaultGroup(
        site=site.name,
        index=(place % site.layout.elements).astype(np.int64),
        and_mask=np.full(count, 2**64 - 1, np.uint64),
        xor_mask=np.ones(count, np.uint64),
        sample=(place // site.layout.elements).astype(np.int64),
    )
