"""Sampling designs: how scenarios were chosen, and what their mean says about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._betting import bounded_mean
from onnxfi.analysis._exact import exact_rate
from onnxfi.analysis._interval import Interval, failure_rate

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Domain(NamedTuple):
    """A part of all scenarios.

    Attributes:
        inside: bool (n,), which of those seen are in it.
        faults: Scenarios that exist in it, None if not known.
    """

    inside: Flags
    faults: int | None


class Design(Protocol):
    """How the scenarios seen were chosen from all that exist."""

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of all scenarios that are hit.

        Args:
            hit: bool (n,), of the scenarios seen, in the order drawn.
            confidence: Level of the interval.
            domain: The part that is asked for; None for all.
            exact: Whether the level must hold for every share there can be, and not on average:
                so at looks, of which the one with the worst interval decides.

        Raises:
            ConfigError: No scenario was seen, or a confidence out of range.
        """
        ...

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over all scenarios of values in [0, 1].

        Arguments and errors as :meth:`rate`, and ``usual``: what the value is where a fault does
        nothing.
        """
        ...

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over the scenarios of a domain, without an interval."""
        ...

    def total(self, values: Values) -> float:
        """Estimated sum over all scenarios, in any fixed unit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualDesign:
    """All scenarios equally likely.

    Attributes:
        population: Scenarios in all, if drawn without replacement; else None.
    """

    population: int | None = None

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of all scenarios that are hit; within a domain they are equally likely, too."""
        population = self.population
        if domain is not None:
            hit, population = hit[domain.inside], domain.faults
        kind = exact_rate if exact else failure_rate
        return kind(int(hit.sum()), len(hit), population=population, confidence=confidence)

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over all scenarios."""
        del usual
        return bounded_mean(values, population=self.population, confidence=confidence)

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over a domain."""
        return float(values[inside].mean())

    def total(self, values: Values) -> float:
        """Sum over those seen."""
        return float(values.sum())
