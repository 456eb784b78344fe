"""Estimates from stratified samples: each stratum's own, put together by its size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxfi.analysis._betting import bounded_mean
from onnxfi.analysis._design import Design, Domain, Flags, Values
from onnxfi.analysis._exact import exact_rate
from onnxfi.analysis._interval import Interval, check_confidence, check_drawn, failure_rate
from onnxfi.errors import ConfigError, FaultListError
from onnxfi.faults import FaultListHeader
from onnxfi.sampling import (
    SampledScenarios,
    ScenarioSource,
    StratifiedSampler,
    strata_of_sample,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StratifiedDesign(Design):
    """Within each stratum equally likely, without replacement.

    The mean is sum W_h mean_h; its ends come from those of the strata by MOVER (Zou and Donner,
    Stat. Med. 2008): low = mean - sqrt(sum W_h^2 (mean_h - low_h)^2), high alike. A stratum that
    nothing was seen of yet counts from 0 to 1, and as the others on average.

    Attributes:
        codes: int64 (n,), stratum of each scenario seen.
        sizes: int64 (H,), scenarios that exist in each stratum.
    """

    name: ClassVar[str] = "stratified"
    help: ClassVar[str] = "equally likely within each stratum; strata count by their sizes"

    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, source: ScenarioSource, header: FaultListHeader, n: int) -> StratifiedDesign:
        """The design of the first ``n`` scenarios of a source.

        Of a sampler the strata are known; of scenarios that are written out they follow from the
        sizes of the strata and the recipe.

        Raises:
            FaultListError: The strata and the recipe don't make the scenarios.
        """
        if isinstance(source, SampledScenarios) and isinstance(source.sampler, StratifiedSampler):
            allotted = source.sampler.allotted(source.space)
            sizes = np.array([stratum.size for stratum in allotted.strata], np.int64)
            return cls(codes=allotted.codes[:n], sizes=sizes)
        try:
            codes = strata_of_sample(header.strata or {}, header.sampler or {})
        except (ConfigError, KeyError, TypeError, ValueError):
            codes = np.zeros(0, np.int64)
        if not len(codes) or len(codes) != len(source):
            raise FaultListError(
                "the fault list says that it is a stratified sample, but its strata and the"
                f" sampler's recipe don't make its {len(source)} scenarios; without that no rate"
                " can be estimated: draw it again with `onnxfi sample --sampler stratified`"
            )
        sizes = np.array(list((header.strata or {}).values()), np.int64)
        return cls(codes=codes[:n], sizes=sizes)

    def rate(
        self,
        hit: Flags,
        confidence: float,
        domain: Domain | None = None,
        *,
        exact: bool = False,
    ) -> Interval:
        """Share of all scenarios that are hit."""
        if domain is not None:
            return self._within(hit, confidence, domain)
        kind = exact_rate if exact else failure_rate
        return self._joined(
            [
                kind(
                    int(hit[mine].sum()),
                    int(mine.sum()),
                    population=int(self.sizes[stratum]),
                    confidence=confidence,
                )
                if (mine := self.codes == stratum).any()
                else None
                for stratum in range(len(self.sizes))
            ],
            confidence,
        )

    def mean(self, values: Values, confidence: float, usual: float = 0.0) -> Interval:
        """Mean over all scenarios."""
        del usual
        return self._joined(
            [
                bounded_mean(
                    values[mine], population=int(self.sizes[stratum]), confidence=confidence
                )
                if (mine := self.codes == stratum).any()
                else None
                for stratum in range(len(self.sizes))
            ],
            confidence,
        )

    def point(self, values: Values, inside: Flags) -> float:
        """Mean over a domain."""
        expansion = self._expansion()[inside]
        return float((values[inside] * expansion).sum() / expansion.sum())

    def total(self, values: Values) -> float:
        """Estimated sum over all scenarios of the strata seen."""
        return float((values * self._expansion()).sum())

    def _expansion(self) -> Values:
        """How many scenarios each of those seen stands for."""
        seen = np.bincount(self.codes, minlength=len(self.sizes))
        return np.asarray((self.sizes / np.maximum(seen, 1))[self.codes], np.float64)

    def _joined(self, parts: list[Interval | None], confidence: float) -> Interval:
        n = len(self.codes)
        check_drawn(n, int(self.sizes.sum()))
        weight = self.sizes / self.sizes.sum()
        known = np.array([part is not None for part in parts])
        pairs = zip(parts, weight.tolist(), strict=True)
        value = sum(part.value * share for part, share in pairs if part) / float(
            weight[known].sum()
        )
        below = above = 0.0
        for part, share in zip(parts, weight.tolist(), strict=True):
            own = (value, 0.0, 1.0) if part is None else (part.value, part.low, part.high)
            below += (share * (own[0] - own[1])) ** 2
            above += (share * (own[2] - own[0])) ** 2
        return Interval(
            value=value,
            low=max(0.0, value - math.sqrt(below)),
            high=min(1.0, value + math.sqrt(above)),
            confidence=check_confidence(confidence),
            n=n,
            method="stratified, MOVER",
        )

    def _within(self, hit: Flags, confidence: float, domain: Domain) -> Interval:
        """A domain across strata: Wilson's interval for Kish's effective number of scenarios."""
        expansion = self._expansion()[domain.inside]
        value = self.point(hit.astype(np.float64), domain.inside)
        n = len(expansion)
        same = bool((expansion == expansion[0]).all())
        population = domain.faults if same else None
        effective = max(1, int(expansion.sum() ** 2 / (expansion**2).sum()))
        alike = failure_rate(
            round(value * effective), effective, population=population, confidence=confidence
        )
        return Interval(
            value=value,
            low=min(alike.low, value),
            high=max(alike.high, value),
            confidence=confidence,
            n=n,
            method=alike.method if same else "wilson, effective size",
        )
