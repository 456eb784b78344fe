"""The same faults in every export, carried out by campaigns, and their outcomes side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import onnxfi as fi
from onnxfi.faults import FaultListHeader, FaultSpace, Scenario, write_fault_list
from onnxfi.graph import Model, load
from onnxfi.sampling import SampledScenarios
from streams.exports import EXPORTS, Export
from streams.matching import locate, moved, weights

_KINDS = ("masked", "tolerable", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Outcomes of one scenario in one export, over all sequences."""

    masked: int
    tolerable: int
    critical: int
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One fault in all exports that share its weight.

    Attributes:
        site: The weight, by its name in the first export.
        element: Which element.
        bit: Which bit.
        counts: Outcomes by export.
    """

    site: str
    element: int
    bit: int
    counts: Mapping[str, Counts]

    def differing(self) -> list[str]:
        """Exports whose critical or due counts are not those of the first."""
        first = self.counts[EXPORTS[0].name]
        return [
            name
            for name, found in self.counts.items()
            if (found.critical, found.due) != (first.critical, first.due)
        ]


def compare(
    fault_model: fi.BitFlip,
    sampler: fi.UniformSampler,
    frames: NDArray[np.float32],
    folder: Path,
    *,
    workers: int = 1,
) -> list[Comparison]:
    """Carry out the same random faults in the weights of all exports.

    Args:
        fault_model: Which bits of weights and biases are flipped.
        sampler: Which faults are drawn.
        frames: Sequences, (samples, steps, frame).
        folder: Where fault lists and campaigns go.
        workers: Processes a campaign.
    """
    models = {export.name: _loaded(export) for export in EXPORTS}
    known = {name: weights(model) for name, model in models.items()}
    first = known[EXPORTS[0].name]
    space = FaultSpace([weight.site for weight in first], [fault_model])
    drawn = list(SampledScenarios(space, sampler))
    blocks = {
        (name, weight.site.name): locate(weight, known[name]) for name in models for weight in first
    }
    rows: dict[str, dict[int, Counts]] = {}
    for export in EXPORTS:
        shared = [(s, blocks[export.name, s.sites[0]]) for s in drawn]
        here = [moved(scenario, where) for scenario, where in shared if where is not None]
        rows[export.name] = _run(export, models[export.name], here, frames, folder, workers)
    return [
        Comparison(
            site=scenario.sites[0],
            element=int(scenario.groups[0].index[0]),
            bit=int(scenario.groups[0].xor_mask[0]).bit_length() - 1,
            counts={
                name: rows[name][scenario.number] for name in rows if scenario.number in rows[name]
            },
        )
        for scenario in drawn
    ]


def _loaded(export: Export) -> Model:
    path = export.path()
    if path is None:
        raise SystemExit("silero-vad is not installed; see requirements-models.txt")
    return load(path)


def _run(
    export: Export,
    model: Model,
    scenarios: Sequence[Scenario],
    frames: NDArray[np.float32],
    folder: Path,
    workers: int,
) -> dict[int, Counts]:
    """Outcomes by the number of the scenario."""
    faults = folder / f"{export.name}.jsonl"
    sites = {weight.site.name: weight.site for weight in weights(model)}
    write_fault_list(faults, FaultListHeader(model_sha256=model.sha256), scenarios, sites)
    campaign = fi.Campaign.create(
        folder / export.name,
        model=export.path(),
        inputs=export.inputs(frames),
        state=export.state,
        faults=faults,
        criterion="threshold:0.5",
        criterion_output=export.output,
    )
    campaign.run(workers=workers)
    return {scenarios[row["scenario"]].number: _counts(row) for row in campaign.rows()}


def _counts(row: Mapping[str, Any]) -> Counts:
    due = sum(value for name, value in row.items() if name.startswith("due_"))
    return Counts(due=due, **{kind: row[kind] for kind in _KINDS})
