"""Priority sampling: an order of all faults in which likely ones come first, each exactly once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSpace
from onnxfi.sampling._best import Best
from onnxfi.sampling._random import Stream, uniforms
from onnxfi.sampling._scores import Scores, scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How scores become sampling weights: w = (1 - e) s^a / sum(s^a) + e / N.

    Attributes:
        uniform_share: e, the part of the weight that every fault has whatever its score (a
            defensive mixture: no weight is below e / N), above 0 and at most 1.
        power: a, from 0 up; above 1 the order is sharper.
    """

    uniform_share: float = 0.1
    power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.uniform_share <= 1:
            raise ConfigError(
                f"the uniform share is {self.uniform_share}, expected above 0 and at most 1: faults"
                " without any weight could never be drawn"
            )
        if not 0 <= self.power < 100:
            raise ConfigError(f"the power of the scores is {self.power}, expected from 0 up")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriorityOrder:
    """The first faults of a priority order.

    Attributes:
        numbers: int64 (n,), fault numbers, by falling key.
        weight: float64 (n,), sampling weight of each; over all faults of the space they sum to 1.
        key: float64 (n,), priority of each: its weight over a uniform number.
        next_key: Key of the fault that would come next; 0 if all are in.
    """

    numbers: NDArray[np.int64]
    weight: NDArray[np.float64]
    key: NDArray[np.float64]
    next_key: float


def priority_order(
    space: FaultSpace, scores: Scores, mixture: Mixture, *, n: int, seed: int
) -> PriorityOrder:
    """The first ``n`` faults by falling key w / u, with u from a hash of seed and fault number.

    Every prefix is a priority sample (Duffield, Lund and Thorup, J. ACM 2007), the whole order is
    a census, and a longer order begins as a shorter one. Takes two passes over the space and
    memory for ``n`` faults.

    Args:
        space: What can be hit.
        scores: How likely faults are to fail.
        mixture: How scores become weights.
        n: 1..size of the space.
        seed: 0..2^64 - 1.

    Raises:
        ConfigError: A fault model is random, or there are no scores for a site.
    """
    if not space.enumerable:
        models = ", ".join(model.spec() for model in space.models if not model.enumerable)
        raise ConfigError(
            f"importance sampling needs faults that can be listed, fault model {models} is random"
        )
    total = sum(float(_raised(part.values, mixture).sum()) for part in scored(space, scores))
    best = Best(n + 1)
    for start, values in scored(space, scores):
        weight = _weights(values, mixture, total, space.size)
        numbers = np.arange(start, start + len(values))
        key = weight / uniforms(seed, Stream.PRIORITY, numbers)
        best.add(numbers, key, weight.__getitem__)
    first = best.sorted()
    more = len(first.numbers) > n
    return PriorityOrder(
        numbers=first.numbers[:n],
        weight=first.tie[:n],
        key=first.key[:n],
        next_key=float(first.key[n]) if more else 0.0,
    )


def _raised(values: NDArray[np.float64], mixture: Mixture) -> NDArray[np.float64]:
    return values if mixture.power == 1 else values**mixture.power


def _weights(
    values: NDArray[np.float64], mixture: Mixture, total: float, size: int
) -> NDArray[np.float64]:
    # Scores that are all 0 say nothing: then every fault is as likely as any other.
    share = mixture.uniform_share if total > 0 else 1.0
    weight = np.full(len(values), share / size)
    if total > 0:
        weight += (1 - share) / total * _raised(values, mixture)
    return weight
