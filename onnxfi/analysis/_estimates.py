"""Everything that a campaign's results say: rates, totals, accuracy and domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxfi.analysis._design import Design, Efficiency
from onnxfi.analysis._domains import DomainTable, domain_table
from onnxfi.analysis._equal import EqualDesign
from onnxfi.analysis._facets import Facet
from onnxfi.analysis._interval import Interval, look_confidence
from onnxfi.analysis._observations import Observations
from onnxfi.errors import ConfigError
from onnxfi.outcome import OutcomeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Share of labelled samples that are answered right.

    Attributes:
        golden: Without faults.
        mean: Mean over scenarios.
        worst: Lowest of all scenarios.
        worst_scenario: The first scenario that has it.
    """

    golden: float
    mean: Interval
    worst: float
    worst_scenario: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What the finished scenarios say.

    Attributes:
        n: Finished scenarios.
        failures: Those that failed.
        rates: ``failure`` (share of failing scenarios), for an importance sample also
            ``failure_bound`` (with an interval that assumes nothing of the scores) and
            ``failure_difference`` (by the difference from what the weights expect);
            ``failed_share``, ``critical_share``, ``due_share`` (mean over scenarios of such
            samples / samples) and, with labels, ``accuracy``; empty if no scenario is finished. For
            scenarios that were picked to find failures only ``precision``, their failing share.
        total: Outcomes of all samples of all scenarios.
        accuracy: With labels.
        tables: One a facet.
        efficiency: How an importance sample fared; None for other designs.
    """

    n: int
    failures: int
    rates: Mapping[str, Interval]
    total: OutcomeCounts
    accuracy: Accuracy | None
    tables: tuple[DomainTable, ...]
    efficiency: Efficiency | None = None

    def rate(self, name: str) -> Interval:
        """One rate.

        Raises:
            ConfigError: There is none of that name; the message lists those that are.
        """
        if name not in self.rates:
            raise ConfigError(no_such_rate(name, self.rates))
        return self.rates[name]

    def table(self, facet: str) -> DomainTable:
        """The domains of one facet.

        Raises:
            ConfigError: There is no such facet.
        """
        for table in self.tables:
            if table.facet == facet:
                return table
        known = ", ".join(table.facet for table in self.tables)
        raise ConfigError(f"no table by '{facet}'; there are: {known}")


def estimate(
    observations: Observations,
    *,
    design: Design = EqualDesign(),  # noqa: B008  # frozen
    facets: Sequence[Facet] = (),
    confidence: float = 0.95,
    look: int = 0,
) -> Estimates:
    """All estimates from finished scenarios.

    Args:
        observations: Finished scenarios: the longest finished prefix.
        design: How the scenarios were chosen from all that exist.
        facets: Domains of the same scenarios.
        confidence: Level of all intervals.
        look: Which look at the results this is, of a campaign that may have stopped because of
            them: the failure rate's interval then holds at all looks together. 0 if it can't have.

    Raises:
        ConfigError: More scenarios than the population has, or a confidence out of range.
    """
    rates: dict[str, Interval] = {}
    accuracy = efficiency = None
    if observations.n:
        accuracy = _accuracy(observations, design, confidence)
        if design.picked:
            rates["precision"] = design.rate(observations.failed, confidence)
        else:
            rates = _rates(observations, design, confidence, look)
            if accuracy is not None:
                rates["accuracy"] = accuracy.mean
        efficiency = design.efficiency(observations.failed)
    return Estimates(
        n=observations.n,
        failures=int(observations.failed.sum()),
        rates=rates,
        total=observations.total(),
        accuracy=accuracy,
        tables=tuple(
            domain_table(observations, facet, design=design, confidence=confidence)
            for facet in facets
        ),
        efficiency=efficiency,
    )


def no_such_rate(name: str, rates: Mapping[str, Interval]) -> str:
    """Why there is no rate of a name, and what there is."""
    known = ", ".join(rates) or "none yet, as no block of scenarios is finished"
    if any(interval.of_search for interval in rates.values()):
        return (
            f"no rate '{name}' can be had from sampler top, which runs the faults with the highest"
            " scores only, to find failures; use sampler importance (with the same scores),"
            f" stratified or uniform; here there is: {known}"
        )
    return f"no rate '{name}'; there are: {known}"


def _rates(
    observations: Observations, design: Design, confidence: float, look: int
) -> dict[str, Interval]:
    """The rates of scenarios that stand for all."""
    rates: dict[str, Interval] = {}
    level = look_confidence(confidence, look) if look else confidence
    failure = design.rate(observations.failed, level, exact=look > 0)
    rates["failure"] = _at_look(failure, confidence, look)
    for name, interval in design.further_rates(observations.failed, level).items():
        rates[name] = _at_look(interval, confidence, look)
    shares = {
        "failed_share": observations.critical + observations.due,
        "critical_share": observations.critical,
        "due_share": observations.due,
    }
    samples = np.maximum(observations.samples, 1)
    for name, counts in shares.items():
        rates[name] = design.mean(counts / samples, confidence)
    return rates


def _at_look(interval: Interval, confidence: float, look: int) -> Interval:
    if not look:
        return interval
    method = f"{interval.method}; holds at every look, this is look {look}"
    return replace(interval, confidence=confidence, method=method)


def outcome_shares(total: OutcomeCounts) -> dict[str, float]:
    """Masked, tolerable, critical and due samples / samples; they sum to 1, or are 0 if none."""
    every = max(total.samples, 1)
    return {
        "masked": total.masked / every,
        "tolerable": total.tolerable / every,
        "critical": total.critical / every,
        "due": total.due / every,
    }


def _accuracy(observations: Observations, design: Design, confidence: float) -> Accuracy | None:
    correct, golden = observations.correct, observations.golden_correct
    if correct is None or golden is None:
        return None
    shares = correct / np.maximum(observations.samples, 1)
    usual = golden / int(observations.samples[0])
    worst = int(np.argmin(shares))
    return Accuracy(
        golden=usual,
        mean=design.mean(shares, confidence, usual),
        worst=float(shares[worst]),
        worst_scenario=int(observations.scenario[worst]),
    )
