"""Priority samples of a population, drawn thousands of times at the cost of their size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluation.population import Numbers, Values
from onnxfi.analysis import PriorityDesign
from onnxfi.sampling import Mixture

_DENSE = 0.25  # classes above are gone through one by one
_SIGMAS = 7.0  # how far the threshold is on the safe side


class Draw(NamedTuple):
    """The first faults of a priority order.

    Attributes:
        row: int64 (n,), rows of the population, by falling key; several where copies are drawn.
        weight: float64 (n,).
        key: float64 (n,).
        next_key: Key of the fault that would come next; 0 if all are in.
    """

    row: Numbers
    weight: Values
    key: Values
    next_key: float

    def design(self, size: int, least: float) -> PriorityDesign:
        """How to estimate from it.

        Args:
            size: Faults of the population.
            least: The smallest weight that any of them has.
        """
        return PriorityDesign(
            weight=self.weight,
            key=self.key,
            next_key=self.next_key,
            population=size,
            least=least,
        )


def mixture_weights(scores: Values, copies: Numbers, mixture: Mixture) -> Values:
    """Sampling weight of each fault; times copies they sum to 1.

    The same w = (1 - e) s^a / sum(s^a) + e / N as in the package.
    """
    size = int(copies.sum())
    highest = float(scores.max(initial=0.0))
    if highest == 0:
        return np.full(len(scores), 1 / size)
    raised = (scores / highest) ** mixture.power
    share = mixture.uniform_share
    return np.asarray((1 - share) * raised / float((copies * raised).sum()) + share / size)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Class:
    """Faults whose probabilities to be drawn are between half of one and that one.

    Attributes:
        rows: int64, rows of the population.
        upto: int64, copies of these rows and those before.
        most: The highest probability.
        accept: float64, each row's probability over that.
    """

    rows: Numbers
    upto: Numbers
    most: float
    accept: Values

    def drawn(self, rng: np.random.Generator) -> Numbers:
        """Rows of copies drawn independently, each with its row's probability."""
        total = int(self.upto[-1])
        if self.most >= _DENSE:
            where = np.arange(total)[rng.random(total) < self.most]
        else:
            where = _hits(total, self.most, rng)
        place = np.searchsorted(self.upto, where, side="right")
        return self.rows[place[rng.random(len(place)) < self.accept[place]]]


class PrioritySampler:
    """Draws from the distribution of the package's priority order.

    The first n faults by falling w / u are among those with w / u > t for any t below the n-th
    key: each is there with probability min(1, w / t), independently of the others, with u uniform
    below that. So only as many as are needed, and some for safety, are ever touched.

    Args:
        weight: float64 (m,), of each row's faults.
        copies: int64 (m,), how many of them there are.
        n: Faults to draw.
    """

    def __init__(self, weight: Values, copies: Numbers, n: int) -> None:
        self.n = n
        self.size = int(copies.sum())
        if not 1 <= n <= self.size:
            raise ValueError(f"{n} faults can't be drawn from {self.size}")
        self.least = float(weight[copies > 0].min())
        self._weight = weight
        expected = n + 1 + _SIGMAS * np.sqrt(n + 1) + _SIGMAS
        self._threshold = _threshold(weight, copies, expected)
        if self._threshold == 0:  # nearly all are drawn
            chance = np.ones(len(weight))
        else:
            chance = np.minimum(1.0, weight / self._threshold)
        self._chance = chance
        self._classes = _classes(chance, copies)

    def draw(self, rng: np.random.Generator) -> Draw:
        """One sample."""
        while True:
            rows = np.concatenate([each.drawn(rng) for each in self._classes])
            if len(rows) > self.n or len(rows) == self.size:
                break  # else: once in some billions
        weight = self._weight[rows]
        key = weight / (self._chance[rows] * (1 - rng.random(len(rows))))
        order = np.argsort(-key, kind="stable")
        first = order[: self.n]
        more = len(rows) > self.n
        return Draw(
            row=rows[first],
            weight=weight[first],
            key=key[first],
            next_key=float(key[order[self.n]]) if more else 0.0,
        )


def _threshold(weight: Values, copies: Numbers, expected: float) -> float:
    """The t at which sum min(1, w / t) is as large as expected; 0 if it can't be."""
    order = np.argsort(-weight)
    sorted_weight, count = weight[order], copies[order]
    certain = np.concatenate([[0], np.cumsum(count)])
    rest = np.concatenate([np.cumsum((sorted_weight * count)[::-1])[::-1], [0.0]])
    if expected >= certain[-1]:
        return 0.0
    # With the first k rows certain, t = rest / (expected - certain); the right k has w_k <= t.
    possible = np.flatnonzero(certain[:-1] < expected)
    t = rest[possible] / (expected - certain[possible])
    fits = np.flatnonzero(sorted_weight[possible] <= t)
    return float(t[fits[0]]) if len(fits) else float(sorted_weight[possible[-1]])


def _classes(chance: Values, copies: Numbers) -> list[_Class]:
    used = np.flatnonzero((chance > 0) & (copies > 0))
    exponent = np.floor(-np.log2(chance[used])).astype(np.int64)
    found = []
    for each in np.unique(exponent).tolist():
        rows = used[exponent == each]
        most = float(chance[rows].max())
        found.append(
            _Class(
                rows=rows,
                upto=np.cumsum(copies[rows]),
                most=most,
                accept=chance[rows] / most,
            )
        )
    return found


def _hits(total: int, probability: float, rng: np.random.Generator) -> Numbers:
    """Positions below ``total``, each in with the same probability, by the gaps between them."""
    found, last = [np.zeros(0, np.int64)], -1
    while last < total:
        left = (total - last) * probability
        gaps = rng.geometric(probability, int(left + 4 * np.sqrt(left)) + 4)
        places = last + np.cumsum(gaps)
        found.append(places)
        last = int(places[-1])
    every = np.concatenate(found)
    return every[every < total]
