"""Scenarios that were picked, not drawn: what is seen of them says nothing of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxfi.analysis._design import Domain, Flags, Values
from onnxfi.analysis._interval import SEARCH, Interval, check_confidence, check_drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDesign:
    """A search for failures: shares are of the scenarios run, and have no error."""

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
