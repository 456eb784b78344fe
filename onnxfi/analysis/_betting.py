"""Intervals for the mean of values in [0, 1], valid at any n and for rare events."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._interval import Interval, check_confidence, check_drawn
from onnxfi.errors import ConfigError

_STAKE = 0.75  # largest share of the wealth at risk in one bet
_HALVINGS = 10  # an end is found to a thousandth of its distance from the mean, on the wide side


def bounded_mean(
    values: NDArray[np.float64], *, population: int | None = None, confidence: float = 0.95
) -> Interval:
    """Mean of values in [0, 1] with the hedged-capital interval of betting.

    For every candidate mean m a gambler bets against it, once that it is too low and once that it
    is too high; if m is right neither wealth can be expected to grow, and by Ville's inequality one
    reaches 2 / alpha with probability alpha / 2 at most. The interval is the candidates that
    survive. It holds for every distribution and every n, so also where nothing failed yet, at the
    price of being about a third wider than a normal one. Without replacement the candidate is
    updated by what has been drawn. (Waudby-Smith and Ramdas, "Estimating means of bounded random
    variables by betting", JRSS B 2024: the hedged capital process with bets by predictable plug-in,
    tuned to a fixed n, in its versions with and without replacement.)

    Args:
        values: float64 (n,), one a scenario, in the order in which they were drawn.
        population: Scenarios in all, of which these were drawn without replacement; None for
            independent draws.
        confidence: Level of the interval.

    Raises:
        ConfigError: No value, one outside 0..1, more than the population, or a confidence out of
            range.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    check_drawn(n, population)
    if not ((values >= 0) & (values <= 1)).all():
        raise ConfigError("values must be from 0 to 1")
    mean = float(values.mean())
    alpha = 1 - check_confidence(confidence)
    if population == n:
        low, high, method = mean, mean, "census"
    else:
        game = _Game.of(values, population, alpha)
        low, high = game.low(mean), game.high(mean)
        method = "betting" if population is None else "betting, without replacement"
    return Interval(value=mean, low=low, high=high, confidence=confidence, n=n, method=method)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Game:
    """The bets against candidate means.

    Attributes:
        values: float64 (n,), outcomes.
        stakes: float64 (n,), bets that depend on earlier outcomes only.
        seen: float64 (n,), sum of earlier outcomes.
        population: Outcomes in all, or None.
        target: Log wealth at which a candidate is out.
    """

    values: NDArray[np.float64]
    stakes: NDArray[np.float64]
    seen: NDArray[np.float64]
    population: int | None
    target: float

    @classmethod
    def of(cls, values: NDArray[np.float64], population: int | None, alpha: float) -> _Game:
        n = len(values)
        count = np.arange(1, n + 1)
        total = np.cumsum(values)
        running = (0.5 + total) / (count + 1)
        variance = (0.25 + np.cumsum((values - running) ** 2)) / (count + 1)
        earlier = np.concatenate([[0.25], variance[:-1]])
        return cls(
            values=values,
            stakes=np.sqrt(2 * math.log(2 / alpha) / (n * earlier)),
            seen=np.concatenate([[0.0], total[:-1]]),
            population=population,
            target=math.log(2 / alpha),
        )

    def low(self, mean: float) -> float:
        """The lower end: all candidates below it are out."""
        far = 0.0 if self.population is None else float(self.values.sum()) / self.population
        return _edge(lambda m: self._out(m, side=1), min(far, mean), mean, self._step())

    def high(self, mean: float) -> float:
        """The upper end: all candidates above it are out."""
        room = 0.0
        if self.population is not None:
            room = float((1 - self.values).sum()) / self.population
        return _edge(lambda m: self._out(m, side=-1), max(1 - room, mean), mean, self._step())

    def _step(self) -> float:
        """A distance of the ends from the mean to begin with, rather too small than too large."""
        scale = self.target / len(self.values)
        return float(np.sqrt(self.values.var() * scale) + scale / 2)

    def _out(self, candidate: float, side: int) -> bool:
        """Whether betting that the mean is above (+1) or below (-1) the candidate got rich."""
        expected = self._expected(candidate)
        # A bet may lose at most a share of the wealth, whatever comes: values below the expected
        # hurt a bet on above, and the other way round.
        risk = expected if side > 0 else 1 - expected
        # Without a floor the quotient could be infinite, and a bet of it on nothing no number.
        bets = np.minimum(self.stakes, _STAKE / np.maximum(risk, np.finfo(np.float64).tiny))
        gains = np.cumsum(np.log1p(side * bets * (self.values - expected)))
        return bool(gains.max() >= self.target)

    def _expected(self, candidate: float) -> NDArray[np.float64]:
        """Mean of the next outcome if the candidate is the mean of all."""
        if self.population is None:
            return np.full(len(self.values), candidate)
        left = self.population - np.arange(len(self.values))
        return np.clip((self.population * candidate - self.seen) / left, 0.0, 1.0)


def _edge(out: Callable[[float], bool], far: float, near: float, step: float) -> float:
    """The boundary between candidates that survive, next to ``near``, and those that are out.

    Wealth grows with the distance from the data, so doubling and halving steps find it. If even
    ``far`` survives, that is the end.
    """
    inside = outside = near
    while outside != far:
        outside = far if abs(far - near) <= step else near + math.copysign(step, far - near)
        if out(outside):
            break
        inside = outside
        step *= 2
    else:
        return far
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if out(middle) else (middle, outside)
    return outside
