"""Stratified sampling: a fixed part of the scenarios for each site, layer, bit or field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace, Scenario
from onnxfi.sampling._permutation import permutation
from onnxfi.sampling._random import Stream, check_seed
from onnxfi.sampling._sampler import check_count, check_fits, check_numbers
from onnxfi.sampling._strata import Stratum, strata


class Allotted(NamedTuple):
    """Strata and what falls to each.

    Attributes:
        strata: The strata.
        home: int64 (n,), the stratum of each scenario.
        rank: int64 (n,), the how manieth scenario of its stratum each is.
    """

    strata: tuple[Stratum, ...]
    home: NDArray[np.int64]
    rank: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedSampler:
    """Single faults, without replacement within strata, strata in turns.

    Any prefix has about the same parts, and within each stratum it is a simple random sample: rates
    are estimated stratum by stratum and weighted by the strata's sizes.

    Attributes:
        n: Scenarios.
        by: What faults of one stratum have in common, see :func:`strata`.
        seed: 0..2^64 - 1.
        rates: Failure rates expected by stratum, from a pilot: scenarios are then allotted as
            N_h sqrt(p_h (1 - p_h)) (Neyman, J. R. Stat. Soc. 1934), else by the strata's sizes.
        least: Scenarios that every stratum gets at least, as far as it has so many faults.
    """

    n: int
    by: Sequence[str] = ("site",)
    seed: int = 0
    rates: Mapping[str, float] | None = None
    least: int = 1
    kind: str = field(default="stratified", init=False)
    design: str = field(default="stratified", init=False, repr=False)
    _allotted: dict[FaultSpace, Allotted] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_count("n", self.n)
        object.__setattr__(self, "by", tuple(self.by))
        if self.least < 0:
            raise ConfigError(f"least is {self.least}, expected a number from 0 up")
        for key, rate in (self.rates or {}).items():
            if not 0 <= rate <= 1:
                raise ConfigError(f"the rate of stratum {key!r} is {rate}, expected 0 to 1")

    def size(self, space: FaultSpace) -> int:
        """Scenarios.

        Raises:
            ConfigError: More than the space has faults, or too few for all strata.
        """
        if not space.enumerable:
            raise ConfigError("stratified sampling needs faults that can be listed")
        return check_fits(self.n, space)

    def allotted(self, space: FaultSpace) -> Allotted:
        """Which scenario falls to which stratum; found once for a space."""
        if space not in self._allotted:
            self._allotted.clear()
            found = strata(space, self.by)
            counts = allot(found, self.size(space), self.rates, self.least)
            self._allotted[space] = Allotted(found, *_in_turns(counts))
        return self._allotted[space]

    def next_key(self, space: FaultSpace) -> None:
        """None: strata have no priorities."""
        del space

    def scenario(self, space: FaultSpace, k: int) -> Scenario:
        """Scenario k."""
        (scenario,) = self.scenarios(space, [k])
        return scenario

    def scenarios(self, space: FaultSpace, numbers: Sequence[int]) -> list[Scenario]:
        """Many scenarios, each what :meth:`scenario` gives for its number."""
        size = self.size(space)
        wanted = check_numbers(numbers, size)
        groups = space.single_groups(self._faults(space, wanted))
        return [Scenario(number=k, groups=each) for k, each in zip(numbers, groups, strict=True)]

    def fault_numbers(self, space: FaultSpace, start: int, stop: int) -> NDArray[np.int64]:
        """Fault numbers of scenarios ``start`` to ``stop``."""
        return self._faults(space, np.arange(start, stop))

    def population(self, space: FaultSpace) -> None:
        """None: faults of different strata are not equally likely."""
        del space

    def recipe(self) -> dict[str, object]:
        """JSON form."""
        recipe: dict[str, object] = {
            "kind": self.kind,
            "n": self.n,
            "by": list(self.by),
            "seed": self.seed,
            "least": self.least,
        }
        return recipe if self.rates is None else recipe | {"rates": dict(self.rates)}

    def _faults(self, space: FaultSpace, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.empty(len(wanted), np.int64)
        allotted = self.allotted(space)
        home, rank = allotted.home[wanted], allotted.rank[wanted]
        for which in np.unique(home).tolist():
            mine = home == which
            stratum = allotted.strata[which]
            order = permutation(stratum.size, self.seed, Stream.STRATUM, which)
            found[mine] = stratum.numbers(order.many(rank[mine]))
        return found


class Sized(Protocol):
    """A stratum as far as allotting goes."""

    @property
    def key(self) -> str:
        """Its name."""
        ...

    @property
    def size(self) -> int:
        """Faults."""
        ...


class _Named(NamedTuple):
    key: str
    size: int


def homes(sizes: Mapping[str, int], recipe: Mapping[str, Any]) -> NDArray[np.int64]:
    """The stratum of each scenario of a sample that is known by its recipe; int64 (n,).

    Args:
        sizes: Faults of each stratum, in their order.
        recipe: Of the sampler.

    Raises:
        ConfigError: The recipe does not fit the strata.
    """
    found = [_Named(key, size) for key, size in sizes.items()]
    counts = allot(found, recipe["n"], recipe.get("rates"), recipe.get("least", 1))
    return _in_turns(counts)[0]


def allot(
    found: Sequence[Sized], n: int, rates: Mapping[str, float] | None, least: int
) -> NDArray[np.int64]:
    """Scenarios of each stratum, int64 (H,), which sum to ``n``.

    Args:
        found: The strata.
        n: Scenarios in all.
        rates: Expected failure rates by stratum; None for parts by size.
        least: Scenarios that each gets at least.

    Raises:
        ConfigError: ``n`` is too small for that, or rates name strata that don't exist or miss one.
    """
    sizes = np.array([stratum.size for stratum in found], np.int64)
    floor = np.minimum(sizes, least)
    if floor.sum() > n:
        raise ConfigError(
            f"{len(found)} strata with at least {least} scenarios each need n = {int(floor.sum())}"
            f" or more, got {n}; raise n, lower least, or make fewer strata"
        )
    wanted = sizes.astype(np.float64) * _spread(found, rates)
    # What a full stratum can't take goes to the others, in their proportions.
    counts = floor.copy()
    while counts.sum() < n:
        room = sizes - counts
        parts = np.where(room > 0, wanted, 0.0)
        if parts.sum() == 0:
            parts = room.astype(np.float64)
        counts += np.minimum(room, _rounded(parts / parts.sum() * (n - int(counts.sum()))))
    return counts


def _spread(found: Sequence[Sized], rates: Mapping[str, float] | None) -> NDArray[np.float64]:
    """sqrt(p (1 - p)) of each stratum, 1 where nothing is known."""
    if rates is None:
        return np.ones(len(found))
    keys = [stratum.key for stratum in found]
    unknown = sorted(set(rates) - set(keys))
    missing = [key for key in keys if key not in rates]
    if unknown or missing:
        what = f"there is no stratum {unknown[0]!r}" if unknown else f"none for {missing[0]!r}"
        raise ConfigError(
            f"the rates don't fit the strata: {what}; a pilot must have the same model, sites and"
            " fault models"
        )
    values = np.array([rates[key] for key in keys])
    return np.asarray(np.sqrt(values * (1 - values)))


def _rounded(parts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers near the parts with their sum, by largest remainder; at least one in all."""
    whole = np.floor(parts).astype(np.int64)
    left = round(float(parts.sum())) - int(whole.sum())
    order = np.argsort(-(parts - whole), kind="stable")
    whole[order[: max(0, left)]] += 1
    return whole


def _in_turns(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stratum and rank of each scenario, each stratum's spread evenly over the whole."""
    home = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    rank = np.arange(len(home)) - first[home]
    order = np.lexsort((home, (rank + 0.5) / counts[home]))
    return home[order], rank[order]
