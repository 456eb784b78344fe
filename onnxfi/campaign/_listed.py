"""Fault lists that a campaign is given: what they name, and whether they are only a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from onnxfi.campaign._settings import CampaignSettings
from onnxfi.errors import FaultListError
from onnxfi.faults import FaultListHeader, Scenario, open_fault_list


def recipe_in(path: Path, model_sha256: str, graph_sha256: str | None) -> FaultListHeader | None:
    """The header, if the file is a recipe without scenario lines; else None.

    Raises:
        FaultListError: The file can't be read, or is for another model or another graph of it.
    """
    header, lines = open_fault_list(path, {}, model_sha256, graph_sha256=graph_sha256)
    try:
        empty = next(iter(lines), None) is None
    except FaultListError:
        # No site is known here, so the first scenario line is refused: there is one.
        return None
    return header if empty and header.sampler is not None else None


def by_recipe(settings: CampaignSettings, header: FaultListHeader) -> CampaignSettings:
    """Settings in which the recipe of a fault list has taken the place of sampler and space."""
    told = header.space or {}
    return msgspec.structs.replace(
        settings,
        faults=None,
        sampler=header.sampler or {},
        targets=tuple(told.get("targets", ())),
        fault_models=tuple(told.get("fault_models", ())),
        fault_graphs=header.fault_graphs or {},
        include=(),
        exclude=(),
        op_types=(),
        steps=(),
        parts=(),
        over_steps=False,
        gates=(),
    )


def sites_named_in(path: Path) -> set[str]:
    """Names of the sites in the scenario lines; lines that make no sense are left to the reader."""
    names: set[str] = set()
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for text in file:
            try:
                for entry in decoder.decode(text).faults:
                    names.update(_names(entry))
            except (msgspec.DecodeError, KeyError, TypeError):
                continue
    return names


def _names(entry: Mapping[str, Any]) -> Iterator[str]:
    """Names of the sites of one entry, of which a column of steps makes several."""
    steps = entry.get("step", -1)
    for step in dict.fromkeys(steps if isinstance(steps, list) else [steps]):
        yield entry["site"] if step == -1 else f"{entry['site']}@{step}"


class _Line(msgspec.Struct):
    faults: list[dict[str, Any]] = []


def renumbered(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Scenarios numbered by position: rows, blocks and stop rules count in the list's order."""
    return tuple(replace(scenario, number=k) for k, scenario in enumerate(scenarios))
