"""What is kept of a campaign's report: rates, outcomes, spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One campaign's figures.

    Attributes:
        network: Name of the network.
        group: What it is compared within.
        key: Its place there.
        scenarios: Scenarios run.
        space: Single faults that there are.
        golden: Fault-free accuracy.
        failure: Share of scenarios that fail, with its interval (value, low, high).
        failed: Share of samples that fail, likewise.
        accuracy: Mean accuracy under faults, likewise.
        worst: Accuracy in the worst scenario.
        outcomes: Share of samples by outcome: masked, tolerable, critical, due.
        spikes: By layer of neurons: spikes a sample without faults, share of scenarios that change
            their number, mean change, most lost, most gained.
    """

    network: str
    group: str
    key: str
    scenarios: int
    space: int
    golden: float
    failure: tuple[float, float, float]
    failed: tuple[float, float, float]
    accuracy: tuple[float, float, float]
    worst: float
    outcomes: dict[str, float]
    spikes: dict[str, tuple[float, float, float, float, float]]


def result(network: str, group: str, key: str, report: dict[str, Any]) -> Result:
    """The figures of a report."""
    counts, samples = report["outcomes"], report["samples"]
    due = sum(counts[name] for name in counts if name.startswith("due_"))
    shares = {name: counts[name] for name in ("masked", "tolerable", "critical")} | {"due": due}
    return Result(
        network=network,
        group=group,
        key=key,
        scenarios=report["scenarios"]["used"],
        space=report["space"]["size"],
        golden=report["golden_accuracy"],
        failure=_triple(report["rates"]["failure"]),
        failed=_triple(report["rates"]["failed_share"]),
        accuracy=_triple(report["rates"]["accuracy"]),
        worst=report["accuracy"]["worst"],
        outcomes={name: count / counts["samples"] for name, count in shares.items()},
        spikes={
            row["layer"]: (
                row["golden"] / samples,
                row["changed"],
                row["change"] / samples,
                min(row["least"], 0) / samples,
                max(row["most"], 0) / samples,
            )
            for row in report["spikes"]
        },
    )


def _triple(interval: dict[str, float]) -> tuple[float, float, float]:
    return interval["value"], interval["low"], interval["high"]
