"""How many scenarios each stratum gets, and which scenario falls to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.sampling._strata import Stratum

_PRIOR = 0.5  # failures that every stratum is taken to have besides those seen


class Allotment(NamedTuple):
    """Strata and the scenarios of each.

    Attributes:
        strata: The strata.
        codes: int64 (n,), the stratum of each scenario.
        rank: int64 (n,), how many scenarios of its stratum come before each.
    """

    strata: tuple[Stratum, ...]
    codes: NDArray[np.int64]
    rank: NDArray[np.int64]


def allotment(
    found: tuple[Stratum, ...], n: int, rates: Mapping[str, float] | None, least: int
) -> Allotment:
    """Which scenario falls to which stratum; arguments and errors as :func:`allot`."""
    return Allotment(found, *_in_turns(allot(found, n, rates, least)))


class StratumSize(Protocol):
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


def strata_of_sample(sizes: Mapping[str, int], recipe: Mapping[str, Any]) -> NDArray[np.int64]:
    """Stratum of each scenario of a sample that is known by its recipe, int64 (n,).

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
    found: Sequence[StratumSize], n: int, rates: Mapping[str, float] | None, least: int
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


def _spread(found: Sequence[StratumSize], rates: Mapping[str, float] | None) -> NDArray[np.float64]:
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
    codes = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    rank = np.arange(len(codes)) - first[codes]
    order = np.lexsort((codes, (rank + 0.5) / counts[codes]))
    return codes[order], rank[order]


def expected_rates(
    found: Sequence[Stratum], numbers: NDArray[np.int64], failed: NDArray[np.bool_]
) -> dict[str, float]:
    """Expected failure rates by stratum, as :class:`StratifiedSampler` takes them.

    p_h = (k_h + 1/2) / (n_h + 1 / (2 p)), with k_h of the n_h pilot scenarios of a stratum failed,
    and p the rate over all: as if each stratum had half a failure more, at the rate of all. A
    stratum with few pilot scenarios, or none, is taken to be as the whole, and none gets nothing.

    Args:
        found: The strata.
        numbers: int64 (n,), fault numbers of the pilot's scenarios.
        failed: bool (n,), whether each failed.

    Raises:
        ConfigError: There are no pilot scenarios.
    """
    if not len(numbers):
        raise ConfigError("a pilot without scenarios says nothing of the strata")
    codes = np.full(len(numbers), -1, np.int64)
    for position, stratum in enumerate(found):
        codes[stratum.holds(numbers)] = position
    seen = np.bincount(codes[codes >= 0], minlength=len(found))
    hits = np.bincount(codes[(codes >= 0) & failed], minlength=len(found))
    everywhere = (failed.sum() + _PRIOR) / (len(failed) + 2 * _PRIOR)
    rates = (hits + _PRIOR) / (seen + _PRIOR / everywhere)
    return {stratum.key: float(rate) for stratum, rate in zip(found, rates, strict=True)}
