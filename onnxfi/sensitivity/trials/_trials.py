"""Trials: real faults, carried out one at a time by an engine on the calibration samples."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import Words, format_of
from onnxfi.engine import (
    BatchResult,
    Engine,
    EngineContext,
    Scenarios,
    choose_engine,
    examine_engine,
    open_engine,
)
from onnxfi.errors import ConfigError
from onnxfi.faults import (
    BitFlip,
    Columns,
    FaultGroup,
    FaultSite,
    Scenario,
    in_tensor,
    site_bits,
    spread,
    untied,
    whole_tensors,
)
from onnxfi.graph import Model, initializer_words
from onnxfi.inject import only_baked
from onnxfi.outcome import at_stake, lost_shares
from onnxfi.sampling import Stream, raw_bits
from onnxfi.sensitivity.scores import Cost

_MOST = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Single flips at a site, in an order that is random and depends on the seed alone.

    Attributes:
        numbers: int64 (m,): element times width, plus bit.
        element: int64 (m,): flat index of the element.
        bit: int64 (m,).
    """

    numbers: NDArray[np.int64]
    element: NDArray[np.int64]
    bit: NDArray[np.int64]


def candidates(site: FaultSite, seed: int) -> Candidates:
    """All bits of some elements of a site; of all elements unless there are thousands.

    Args:
        site: Where.
        seed: Chooses elements and order.

    Raises:
        FaultError: Its shape is not known.
    """
    width = format_of(site.element).width
    elements = site_bits(site) // width
    chosen = np.arange(elements)
    place = zlib.crc32(site.name.encode())
    if elements > _MOST:
        words = raw_bits(seed, Stream.TRIAL, 0, _MOST, k=place)
        chosen = np.unique((words % np.uint64(elements)).astype(np.int64))
    numbers = (chosen[:, None] * width + np.arange(width)).reshape(-1)
    order = np.argsort(raw_bits(seed, Stream.TRIAL, _MOST, len(numbers), k=place), kind="stable")
    numbers = numbers[order]
    return Candidates(numbers=numbers, element=numbers // width, bit=numbers % width)


def distinct(found: Candidates, ranked: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The first candidates that are at different elements.

    Args:
        found: Candidates.
        ranked: int64 (n,): positions of some of them, best first.
        most: How many are wanted.

    Returns:
        int64 (at most ``most``,): positions, best first.
    """
    _, first = np.unique(found.element[ranked], return_index=True)
    return ranked[np.sort(first)[:most]]


def stored_words(model: Model, site: FaultSite) -> Words:
    """Words of a stored site, one an element: of one gate only those that it reads."""
    words = initializer_words(model, site.tensor)
    if site.gate is None or site.layout is None:
        return words
    return words[in_tensor(site, np.arange(site.layout.elements))]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOptions:
    """How many faults are tried.

    Attributes:
        stored: Faults in a stored tensor, about; half of them in each gate of one that has gates.
        elements: Elements that are tried for one dose, so that no lucky one decides.
        bit_elements: Elements that are tried for one bit of a computed tensor.
        sides: Faults a direction by which rules are checked.
        seed: Of the choice of faults.
    """

    stored: int = 24
    elements: int = 3
    bit_elements: int = 2
    sides: int = 4
    seed: int = 0


def flips(site: FaultSite, numbers: NDArray[np.int64]) -> Columns:
    """Single flipped bits of a site, one a row.

    Args:
        site: Where.
        numbers: int64 (n,): element times width of the type, plus bit.
    """
    never_asked = np.random.Generator(np.random.PCG64(0))
    return BitFlip().columns(site, numbers, never_asked)


class Trials:
    """Carries out single faults and says what each loses.

    An engine is chosen and opened as a campaign does, for sites of one sort together, and kept
    until a site of another sort is tried: ask for sites in the order of :func:`in_turn`.

    Args:
        context: Model, calibration samples, criterion.
        sites: Sites that will be tried.
        each: About how many faults each will get.

    Attributes:
        cost: What has been run so far.
    """

    def __init__(self, context: EngineContext, sites: Sequence[FaultSite], each: int) -> None:
        self._context = replace(context, monitors=())
        self._sites = tuple(sites)
        self._each = each
        self._engine: Engine | None = None
        self._opened: frozenset[str] = frozenset()
        self.cost = Cost()

    def lost(self, site: FaultSite, faults: Columns) -> NDArray[np.float64]:
        """Share of the answers that each fault loses, float64 (r,): mean over the samples.

        Args:
            site: One of the sites.
            faults: The faults, one a row; masks only.

        Raises:
            ConfigError: No engine can fault the site.
            OnnxFIError: The fault-free model does not run.
        """
        engine = self._engine_of(site)
        found = [
            self._share(engine, _scenario(site, faults, row)) for row in range(len(faults.index))
        ]
        return np.array(found)

    def close(self) -> None:
        """Let go of sessions."""
        if self._engine is not None:
            self._engine.close()
        self._engine, self._opened = None, frozenset()

    def _share(self, engine: Engine, scenario: Scenario) -> float:
        lost, stake = 0.0, 0
        for result in engine.results(scenario):
            shares, held = _lost(self._context, result)
            lost, stake = lost + shares, stake + held
            self.cost += Cost(samples=result.window.samples, runs=1)
        return max(lost / max(stake, 1), 0.0)

    def _engine_of(self, site: FaultSite) -> Engine:
        if self._engine is None or site.name not in self._opened:
            self.close()
            alike = [each for each in self._sites if sort_of(each) == sort_of(site)]
            self._engine, chosen = self._open(site, alike)
            self._opened = frozenset(each.name for each in chosen)
        return self._engine

    def _open(
        self, site: FaultSite, alike: Sequence[FaultSite]
    ) -> tuple[Engine, Sequence[FaultSite]]:
        """An engine for sites of one sort; for the site alone if there is none for all."""
        if len(alike) > 1:
            try:
                return self._chosen(alike), alike
            except ConfigError:
                pass
        return self._chosen([site]), [site]

    def _chosen(self, sites: Sequence[FaultSite]) -> Engine:
        workload, settings = self._context.workload, self._context.settings
        context = replace(self._context, sites=tuple(untied(sites)))
        choice = choose_engine(
            settings.engine,
            context.model,
            workload.samples * (workload.steps or 1),
            whole_tensors(context.sites),
            Scenarios(
                single_site=not any(site.members for site in sites),
                count=self._each * len(sites),
                sequences=workload.stream is not None,
            ),
            lambda name: examine_engine(name, context),
        )
        return open_engine(choice.name, context)


def sort_of(site: FaultSite) -> Hashable:
    """Sites for which this is equal are tried by one engine."""
    tied, timed = bool(site.members), site.repeated and site.step is not None
    return (site.kind.stored, only_baked(site), bool(site.body), tied, timed)


def in_turn(sites: Sequence[FaultSite]) -> list[FaultSite]:
    """Sites, those of one sort behind each other."""
    sorts = list(dict.fromkeys(map(sort_of, sites)))
    return sorted(sites, key=lambda site: sorts.index(sort_of(site)))


def _scenario(site: FaultSite, faults: Columns, row: int) -> Scenario:
    only = slice(row, row + 1)
    group = FaultGroup(
        site=site.name,
        index=faults.index[only],
        and_mask=faults.and_mask[only],
        xor_mask=faults.xor_mask[only],
    )
    return Scenario(number=row, groups=spread(site, group))


def _lost(context: EngineContext, result: BatchResult) -> tuple[float, int]:
    """How much of the answers of a run's samples is lost, and how many there were to lose."""
    window, labels = result.window, context.workload.labels
    layouts, criterion, samples = context.profile.outputs, context.criterion, window.samples
    mine = None if labels is None else labels[window.start : window.stop]
    shares = lost_shares(result.golden, result.faulty, layouts, criterion, mine, samples=samples)
    held = at_stake(result.golden, layouts, criterion, mine, samples)
    return float(shares.sum()), int(np.count_nonzero(held))
