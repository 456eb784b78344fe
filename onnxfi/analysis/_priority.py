"""Estimates from priority samples: unbiased rates though likely failures were drawn first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from onnxfi.analysis._design import Design, Domain, Efficiency, Flags, Values
from onnxfi.analysis._difference import difference_total
from onnxfi.analysis._exact import student_t, total_bounds
from onnxfi.analysis._interval import Interval, check_confidence, check_drawn
from onnxfi.errors import ConfigError, FaultListError
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import ScenarioSource

_CLASS = 4.0  # ratio of the inclusion probabilities within a class of the assumption-free bound
_FAR = 100.0  # a factor of e^100 says that nothing is known
_BOUNDS = "classes of inclusion probability, Poisson bounds"
_FEW = 5  # failures below which their spread says too little about itself


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorityDesign(Design):
    """The first n scenarios by falling key w / u.

    With tau the key of the scenario that comes next, a scenario is among them with probability
    p = min(1, w / tau), and sum y / p is unbiased (Duffield, Lund and Thorup, J. ACM 2007). The
    mean is that sum over sum w / p, whose true value is known to be 1: a ratio estimator with half
    the spread and a bias of order 1/n.

    Attributes:
        weight: float64 (n,), of each scenario; over all that exist they sum to 1.
        key: float64 (n,), falling.
        next_key: Key of the next scenario; 0 if there is none.
        population: Scenarios that exist.
        least: Smallest weight that any of them has.
    """

    name: ClassVar[str] = "priority"
    help: ClassVar[str] = "by falling key, with weights from which inclusion probabilities follow"
    each_once: ClassVar[bool] = True

    weight: Values
    key: Values
    next_key: float
    population: int
    least: float

    @classmethod
    def of(cls, source: ScenarioSource, header: FaultListHeader, n: int) -> PriorityDesign:
        """The design of the first ``n`` scenarios of a source.

        Inclusion probabilities are those of the prefix: they follow from the weights and keys that
        are stored with the scenarios, and the key of the one that comes next.

        Raises:
            FaultListError: The list lacks some of that.
        """
        drawn = [source.scenario(k) for k in range(min(n + 1, len(source)))]
        weights = [scenario.weight for scenario in drawn if scenario.weight is not None]
        keys = [scenario.key for scenario in drawn if scenario.key is not None]
        size = (header.space or {}).get("size")
        share = (header.sampler or {}).get("uniform_share")
        complete = len(weights) == len(keys) == len(drawn) and header.next_key is not None
        meant = (header.sampler or {}).get("n")
        if meant not in (None, len(source)):
            raise FaultListError(
                f"the fault list says that it is a priority sample of {meant} scenarios, but has"
                f" {len(source)}: which ones are left out decides what the others stand for; run"
                " the whole list, or draw a shorter one with `onnxfi sample --sampler importance`"
            )
        if not (complete and isinstance(size, int) and isinstance(share, float | int)):
            raise FaultListError(
                "the fault list says that it is a priority sample, but has not all of weight, key,"
                " next_key, space.size and sampler.uniform_share; without them no rate can be"
                " estimated: draw it again with `onnxfi sample --sampler importance`"
            )
        return cls(
            weight=np.array(weights[:n]),
            key=np.array(keys[:n]),
            next_key=float(keys[n] if len(drawn) > n else header.next_key or 0.0),
            population=size,
            least=float(share) / size,
        )

    def __post_init__(self) -> None:
        if (np.diff(self.key) > 0).any() or (len(self.key) and self.key[-1] < self.next_key):
            raise ConfigError("scenarios of a priority sample must come by falling key")

    @cached_property
    def probability(self) -> Values:
        """Inclusion probability of each scenario seen, float64 (n,)."""
        if self.next_key == 0:
            return np.ones(len(self.weight))
        return np.minimum(1.0, self.weight / self.next_key)

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of all scenarios that are hit.

        The interval is of the ratio estimator, on a logarithmic scale, with Student's t for the
        number of scenarios that the spread rests on, and room for one rare failure more. It takes
        for granted that scenarios with small weights hold no cluster of failures that none was
        drawn of; :meth:`safe_rate` does not. With fewer than five failures that one is given
        instead. It holds at looks, too.
        """
        del exact
        check_drawn(len(self.weight), self.population)
        if domain is None:
            return self._interval(hit.astype(np.float64), self.population, confidence)
        values = np.where(domain.inside, hit, False).astype(np.float64)
        if domain.faults is None:
            return self._share(values, domain.inside.astype(np.float64) - values, confidence)
        return self._interval(values, domain.faults, confidence, domain.inside)

    def difference_rate(self, hit: Flags, confidence: float) -> Interval:
        """Share of all scenarios that are hit, by the difference from what the weights expect.

        Narrower than :meth:`rate` where weights nearly tell who is hit; it takes for granted the
        same. Where fewer than five of those that chance decided on are hit it is that rate.
        """
        check_drawn(len(self.weight), self.population)
        values, p = hit.astype(np.float64), self.probability
        drawn = hit & (p < 1)
        found = None
        if np.count_nonzero(drawn) >= _FEW:
            found = difference_total(values, self.weight, p, self.population)
        if found is None:
            return self.rate(hit, confidence)
        parts = found.residual**2 * (1 - found.probability) / found.probability**2
        # Weights that told all so far may be wrong of the next: one hit more is taken to be a miss.
        one = float(((1 - p[drawn]) / p[drawn] ** 2).mean())
        parts = np.append(parts, one) / self.population**2
        # What was seen exists.
        least = float(values.sum()) / self.population
        most = least + (self.population - len(values)) / self.population
        value = min(most, max(least, found.total / self.population))
        tail = (1 - check_confidence(confidence)) / 2
        low, high = _ends(value, parts, self._rarest(values, self.population), tail)
        return Interval(
            value=value,
            low=max(low, least),
            high=min(high, most),
            confidence=confidence,
            n=len(values),
            method="priority, difference",
        )

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over all scenarios, by what lies below and above the usual value.

        Scenarios are drawn for what they change: most of those that change nothing are never seen,
        so that a mean of values that are not 0 there would rest on few.
        """
        check_drawn(len(self.weight), self.population)
        if usual == 0:
            return self._interval(values, self.population, confidence)
        level = 1 - (1 - confidence) / 2
        lost = self._interval(np.maximum(usual - values, 0), self.population, level)
        gained = self._interval(np.maximum(values - usual, 0), self.population, level)
        return Interval(
            value=usual - lost.value + gained.value,
            low=max(0.0, usual - lost.high + gained.low),
            high=min(1.0, usual - lost.low + gained.high),
            confidence=confidence,
            n=len(values),
            method=f"{lost.method}; losses and gains",
        )

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over a domain."""
        expansion = 1 / self.probability[inside]
        return float((values[inside] * expansion).sum() / expansion.sum())

    def total(self, values: Values) -> float:
        """Estimated sum over all scenarios."""
        return float((values / self.probability).sum()) / self._calibration

    def safe_rate(self, hit: Flags, confidence: float) -> Interval:
        """The share with bounds that assume nothing about how scores and failures go together.

        Scenarios are divided into classes by their inclusion probability. Within a class those
        whose u stays below the smallest probability of the class were drawn with that probability
        each, so the number of hits among them bounds the number of hits in the class (binomial,
        by Poisson bounds, the error shared out among classes).
        """
        low, high = self._safe(hit.astype(np.float64), confidence)
        value = min(1.0, self.total(hit.astype(np.float64)) / self.population)
        return Interval(
            value=value,
            low=min(value, low / self.population),
            high=max(value, min(1.0, high / self.population)),
            confidence=check_confidence(confidence),
            n=len(self.weight),
            method=_BOUNDS,
        )

    def further_rates(self, hit: Flags, confidence: float) -> Mapping[str, Interval]:
        """``failure_bound``: :meth:`safe_rate`; ``failure_difference``: :meth:`difference_rate`."""
        return {
            "failure_bound": self.safe_rate(hit, confidence),
            "failure_difference": self.difference_rate(hit, confidence),
        }

    def efficiency(self, hit: Flags) -> Efficiency:
        """What the sample tells beside a uniform one."""
        return Efficiency(
            variance_reduction=self.variance_reduction(hit), effective_size=self.effective_size()
        )

    def effective_size(self) -> float:
        """(sum 1/p)^2 / sum 1/p^2 (Kish): how well the sample serves for other quantities."""
        expansion = 1 / self.probability
        return float(expansion.sum() ** 2 / (expansion**2).sum())

    def variance_reduction(self, hit: Flags) -> float | None:
        """P (1 - P) / n over the estimated variance: uniform scenarios that one stands for.

        None where nothing, or everything, was hit, or nothing is left to chance.
        """
        values = hit.astype(np.float64)
        value = self.total(values) / self.population
        variance = float(self._parts(values, self.population).sum())
        if not 0 < value < 1 or variance == 0:
            return None
        return value * (1 - value) / len(values) / variance

    @cached_property
    def _calibration(self) -> float:
        """Estimated sum of all weights, which is 1."""
        return float((self.weight / self.probability).sum())

    def _parts(self, values: Values, faults: int) -> Values:
        """The parts of the mean's estimated variance, one a scenario."""
        p = self.probability
        residual = (values - self.total(values) * self.weight) / faults
        parts = residual**2 * (1 - p) / p**2 / self._calibration**2
        return np.asarray(parts, np.float64)

    def _rarest(self, values: Values, faults: int) -> tuple[float, float]:
        """What the value that counts most adds to the mean, and to its variance."""
        parts = np.where(self.probability < 1, values / self.probability / faults, 0.0)
        place = int(np.argmax(parts))
        most = float(parts[place])
        return most, most**2 * (1 - float(self.probability[place]))

    def _interval(
        self, values: Values, faults: int, confidence: float, inside: Flags | None = None
    ) -> Interval:
        tail = (1 - check_confidence(confidence)) / 2
        # What was seen exists, and no value is above 1.
        unseen = faults - (len(values) if inside is None else int(inside.sum()))
        least, most = float(values.sum()) / faults, (float(values.sum()) + unseen) / faults
        value = min(most, max(least, self.total(values) / faults))
        if (self.probability == 1).all() and self.next_key == 0:
            low = high = value
            method = "census"
        elif np.count_nonzero(values) < _FEW:
            bounds = self._safe(values, confidence)
            low, high = bounds[0] / faults, bounds[1] / faults
            method = _BOUNDS
        else:
            rarest = self._rarest(values, faults)
            low, high = _ends(value, self._parts(values, faults), rarest, tail)
            method = "priority, ratio-calibrated"
        return Interval(
            value=value,
            low=min(value, max(low, least)),
            high=max(value, min(high, most)),
            confidence=confidence,
            n=len(values),
            method=method,
        )

    def _share(self, hits: Values, misses: Values, confidence: float) -> Interval:
        """Share of hits in a domain of unknown size: bounds of both make bounds of the share."""
        found = self.total(hits), self.total(misses)
        level = 1 - (1 - check_confidence(confidence)) / 2
        few, many = self._safe(hits, level)
        least, most = self._safe(misses, level)
        value = found[0] / (found[0] + found[1])
        return Interval(
            value=value,
            low=min(value, few / (few + most) if few else 0.0),
            high=max(value, many / (many + least) if many else 0.0),
            confidence=confidence,
            n=len(hits),
            method="census" if self.next_key == 0 else _BOUNDS,
        )

    def _safe(self, values: Values, confidence: float) -> tuple[float, float]:
        """Bounds of the sum over all scenarios of values in [0, 1]."""
        p, hits = self.probability, values > 0
        low = high = float(values[p == 1].sum())
        if self.next_key == 0:
            return low, high
        edges = self._edges()
        tail = (1 - check_confidence(confidence)) / 2 / max(1, len(edges))
        u = self.weight / self.key
        for edge in edges:
            mine = (p >= edge) & (p < edge * _CLASS) & (p < 1)
            seen = int(np.count_nonzero(hits & mine & (u < edge)))
            bounds = total_bounds(seen, edge, tail)
            # Values below 1 count as 1 above, and below only by what they are where drawn.
            exact = bool((values[mine & hits] == 1).all())
            low += bounds[0] if exact else float(values[mine].sum())
            high += bounds[1]
        return low, high

    def _edges(self) -> list[float]:
        """Lower ends of the classes of inclusion probabilities below 1."""
        edge = self.least / self.next_key
        edges = []
        while edge < 1:
            edges.append(edge)
            edge *= _CLASS
        return edges


def _ends(
    value: float, parts: Values, rarest: tuple[float, float], tail: float
) -> tuple[float, float]:
    """Ends of an interval, logarithmic, with Student's t for what the variance rests on.

    The upper one is taken after one failure more that is as rare as the rarest one seen: of such
    another may well have been missed (as Fay and Feuer, Stat. Med. 1997, do for weighted sums).

    Args:
        value: The estimate, above 0.
        parts: float64 (m,), of its estimated variance.
        rarest: What one more would add to the value, and to the variance.
        tail: Error probability of either end.
    """
    more = value + rarest[0]
    high = more * _reach(more, np.append(parts, rarest[1]), tail)
    return value / _reach(value, parts, tail), high


def _reach(value: float, parts: Values, tail: float) -> float:
    """By which factor the truth may differ from a value."""
    variance = float(parts.sum())
    if variance == 0:
        return 1.0
    freedom = max(1.0, variance**2 / float((parts**2).sum()) - 1)
    quantile = student_t(1 - tail, freedom)
    return math.exp(min(_FAR, quantile * math.sqrt(variance) / value))
