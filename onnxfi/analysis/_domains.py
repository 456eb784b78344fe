"""Rates by domain: which sites, layers, operators and bits the failures come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxfi.analysis._design import Design, Domain
from onnxfi.analysis._equal import EqualDesign
from onnxfi.analysis._facets import Facet
from onnxfi.analysis._interval import Interval
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
    observations: Observations,
    facet: Facet,
    *,
    design: Design = EqualDesign(),  # noqa: B008  # frozen
    confidence: float = 0.95,
) -> DomainTable:
    """Rates by the domains of a facet.

    Only scenarios in a single domain contribute.

    Args:
        observations: Finished scenarios.
        facet: Domains of the same scenarios, in the same order.
        design: How the scenarios were chosen.
        confidence: Level of the intervals.

    Raises:
        ConfigError: The facet is of other scenarios.
    """
    if len(facet.codes) != observations.n:
        raise ConfigError(
            f"facet {facet.name} is of {len(facet.codes)} scenarios, {observations.n} are observed"
        )
    inside = facet.codes >= 0
    samples = np.maximum(observations.samples, 1)
    critical, due = observations.critical / samples, observations.due / samples
    failed = observations.failed.astype(np.float64)
    together = design.total(np.where(inside, failed, 0.0)) if inside.any() else 0.0
    counts = np.bincount(facet.codes[inside], minlength=len(facet.keys))
    rows = []
    for position in np.flatnonzero(counts).tolist():
        mine = facet.codes == position
        faults = None if facet.faults is None else facet.faults[position]
        shares = design.point(critical, mine), design.point(due, mine)
        own = design.total(np.where(mine, failed, 0.0))
        rows.append(
            DomainRow(
                key=facet.keys[position],
                n=int(counts[position]),
                failures=int(observations.failed[mine].sum()),
                rate=design.rate(observations.failed, confidence, Domain(mine, faults)),
                failed_share=shares[0] + shares[1],
                critical_share=shares[0],
                due_share=shares[1],
                bits=facet.bits[position],
                share_of_failures=own / together if together else None,
            )
        )
    left_out = int(observations.n - inside.sum())
    return DomainTable(
        facet=facet.name,
        rows=tuple(rows),
        not_sampled=len(facet.keys) - len(rows),
        left_out=left_out,
        reason=facet.reason if left_out else "",
    )
