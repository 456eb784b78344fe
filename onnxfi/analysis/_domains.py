"""Rates by domain: which sites, layers, operators and bits the failures come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxfi.analysis._facets import Facet
from onnxfi.analysis._interval import Interval, failure_rate
from onnxfi.analysis._observations import Observations
from onnxfi.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """What is known about one domain.

    Attributes:
        key: Its name.
        n: Scenarios in it.
        failures: Those that failed.
        rate: Failure rate with its interval. Each interval holds by itself, not all at once.
        failed_share: Failed samples / samples, mean over its scenarios.
        critical_share: Critical samples / samples, likewise.
        due_share: Due samples / samples, likewise.
        bits: Stored bits of the domain.
        share_of_failures: Its part of all failures, estimated; None if nothing failed.
    """

    key: str
    n: int
    failures: int
    rate: Interval
    failed_share: float
    critical_share: float
    due_share: float
    bits: int
    share_of_failures: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainTable:
    """The domains of one facet.

    Attributes:
        facet: What the domains are, such as ``layer``.
        rows: Domains with at least one scenario, in the order of the model or of the bits.
        not_sampled: Domains without any.
        left_out: Scenarios that are in no single domain.
        reason: Why scenarios are left out; empty if none is.
    """

    facet: str
    rows: tuple[DomainRow, ...]
    not_sampled: int
    left_out: int
    reason: str

    def ranked(self) -> tuple[DomainRow, ...]:
        """Rows by falling failure rate, ties by falling lower bound, then as in the model."""
        return tuple(sorted(self.rows, key=lambda row: (-row.rate.value, -row.rate.low)))


def domain_table(
    observations: Observations, facet: Facet, *, confidence: float = 0.95
) -> DomainTable:
    """Rates by the domains of a facet.

    Only scenarios in a single domain contribute. Within a domain they are a simple random sample
    of its faults, so its size takes the place of the population.

    Args:
        observations: Finished scenarios.
        facet: Domains of the same scenarios, in the same order.
        confidence: Level of the intervals.

    Raises:
        ConfigError: The facet is of other scenarios.
    """
    if len(facet.codes) != observations.n:
        raise ConfigError(
            f"facet {facet.name} is of {len(facet.codes)} scenarios, {observations.n} are observed"
        )
    inside = facet.codes >= 0
    codes, size = facet.codes[inside], len(facet.keys)
    counts = np.bincount(codes, minlength=size)
    failures = np.bincount(codes[observations.failed[inside]], minlength=size)
    samples = np.maximum(observations.samples[inside], 1)
    critical = np.bincount(codes, observations.critical[inside] / samples, minlength=size)
    due = np.bincount(codes, observations.due[inside] / samples, minlength=size)
    together = int(failures.sum())
    rows = []
    for position in np.flatnonzero(counts).tolist():
        n, failed = int(counts[position]), int(failures[position])
        population = None if facet.faults is None else facet.faults[position]
        shares = float(critical[position]) / n, float(due[position]) / n
        rows.append(
            DomainRow(
                key=facet.keys[position],
                n=n,
                failures=failed,
                rate=failure_rate(failed, n, population=population, confidence=confidence),
                failed_share=shares[0] + shares[1],
                critical_share=shares[0],
                due_share=shares[1],
                bits=facet.bits[position],
                share_of_failures=failed / together if together else None,
            )
        )
    left_out = int(observations.n - len(codes))
    return DomainTable(
        facet=facet.name,
        rows=tuple(rows),
        not_sampled=size - len(rows),
        left_out=left_out,
        reason=facet.reason if left_out else "",
    )
