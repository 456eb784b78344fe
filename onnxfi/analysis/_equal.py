"""The design of scenarios that are all equally likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onnxfi.analysis._betting import bounded_mean
from onnxfi.analysis._design import Design, Domain, Flags, Values
from onnxfi.analysis._exact import exact_rate
from onnxfi.analysis._interval import Interval, failure_rate
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import ScenarioSource


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualDesign(Design):
    """All scenarios equally likely.

    Attributes:
        population: Scenarios in all, if drawn without replacement; else None.
    """

    name: ClassVar[str] = "equal"
    help: ClassVar[str] = "all scenarios that exist are equally likely"

    population: int | None = None

    @classmethod
    def of(cls, source: ScenarioSource, header: FaultListHeader, n: int) -> EqualDesign:
        """The design of a source's scenarios."""
        del header, n
        return cls(population=source.population)

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
