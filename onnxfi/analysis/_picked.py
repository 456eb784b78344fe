"""Scenarios that were picked, not drawn: what is seen of them says nothing of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from onnxfi.analysis._design import Design, Domain, Flags, Values
from onnxfi.analysis._interval import SEARCH, Interval, check_confidence, check_drawn
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import ScenarioSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedDesign(Design):
    """A search for failures: shares are of the scenarios run, and have no error."""

    name: ClassVar[str] = "top"
    help: ClassVar[str] = "picked to find failures: shares are of the scenarios run"
    picked: ClassVar[bool] = True

    @classmethod
    def of(cls, source: ScenarioSource, header: FaultListHeader, n: int) -> PickedDesign:
        """The design of a source's scenarios."""
        del source, header, n
        return cls()

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of the scenarios run that are hit."""
        del exact
        mine = hit if domain is None else hit[domain.inside]
        return self.mean(mine.astype(np.float64), confidence)

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over the scenarios run."""
        del usual
        check_drawn(len(values), None)
        value = float(values.mean())
        return Interval(
            value=value,
            low=value,
            high=value,
            confidence=check_confidence(confidence),
            n=len(values),
            method=SEARCH,
        )

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over a domain."""
        return float(values[inside].mean())

    def total(self, values: Values) -> float:
        """Sum over those run."""
        return float(values.sum())
