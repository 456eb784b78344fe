"""Fault list files: JSON Lines, the header first, then one scenario a line, faults in columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from onnxfi.bits import format_of
from onnxfi.errors import FaultError, FaultListError
from onnxfi.faults.lists._entries import read_entry, write_entry
from onnxfi.faults.lists._header import SCHEMA, FaultListHeader
from onnxfi.faults.models import FaultGroup, Scenario, joined
from onnxfi.faults.sites import FaultSite
from onnxfi.faults.space import check_group
from onnxfi.files import atomic_file


class ScenarioLine(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One scenario; each of its faults holds the columns of one site by name."""

    scenario: int
    weight: float | None = None
    key: float | None = None
    faults: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultList:
    """The ordered scenarios of a campaign.

    Attributes:
        header: Where they come from.
        scenarios: The scenarios in file order; None for a recipe, from which a sampler makes them.
    """

    header: FaultListHeader
    scenarios: tuple[Scenario, ...] | None

    def __len__(self) -> int:
        return 0 if self.scenarios is None else len(self.scenarios)

    def scenario(self, position: int) -> Scenario:
        """The scenario at a position.

        Raises:
            FaultListError: There is none, or the list is a recipe.
        """
        if self.scenarios is None:
            raise FaultListError("the fault list is a recipe: its scenarios come from a sampler")
        if not 0 <= position < len(self.scenarios):
            raise FaultListError(
                f"scenario {position} is out of range, the fault list has {len(self)}"
            )
        return self.scenarios[position]


def read_fault_list(
    path: str | os.PathLike[str],
    sites: Mapping[str, FaultSite],
    model_sha256: str | None = None,
    samples: int | None = None,
    *,
    graph_sha256: str | None = None,
) -> FaultList:
    """Read and check a fault list file.

    Args:
        path: The file.
        sites: The model's sites by name.
        model_sha256: Hash of the model; None to take a list for any model.
        samples: Samples of the workload; None to leave sample numbers unchecked.
        graph_sha256: Fingerprint of the deployed graph, if the sites are of it; None if they are of
            the stored one.

    Raises:
        FaultListError: The file can't be read, was made for another model or another graph of it,
            or a line is wrong; the message starts with file and line.
    """
    header, lines = open_fault_list(path, sites, model_sha256, samples, graph_sha256=graph_sha256)
    scenarios = tuple(lines)
    if not scenarios and header.sampler is None:
        raise FaultListError(f"{path}:1: the fault list has no scenarios, and no sampler recipe")
    recipe = header.sampler is not None and not scenarios
    return FaultList(header=header, scenarios=None if recipe else scenarios)


def open_fault_list(
    path: str | os.PathLike[str],
    sites: Mapping[str, FaultSite],
    model_sha256: str | None = None,
    samples: int | None = None,
    *,
    graph_sha256: str | None = None,
) -> tuple[FaultListHeader, Iterator[Scenario]]:
    """Read a fault list file one scenario at a time, in O(1) memory but for the numbers seen.

    Args:
        path: The file.
        sites: The model's sites by name.
        model_sha256: Hash of the model; None to take a list for any model.
        samples: Samples of the workload; None to leave sample numbers unchecked.
        graph_sha256: Fingerprint of the deployed graph, if the sites are of it; None if they are of
            the stored one.

    Returns:
        The header, read at once, and an iterator that reads and checks as it goes.

    Raises:
        FaultListError: As for :func:`read_fault_list`.
    """
    lines = _lines(Path(path))
    first = next(lines, None)
    if first is None:
        raise FaultListError(f"{path}: the fault list is empty; its first line is the header")
    place, text = first
    header = _header(place, text)
    if model_sha256 is not None and header.model_sha256 not in (None, model_sha256):
        raise FaultListError(
            f"{place}: the fault list was made for another model (sha256 {header.model_sha256},"
            f" this one has {model_sha256})"
        )
    _check_graph(place, header, graph_sha256)
    return header, _scenarios(lines, sites, samples, header.fault_graphs or {})


def write_fault_list(
    path: str | os.PathLike[str],
    header: FaultListHeader,
    scenarios: Iterable[Scenario] | None = None,
    sites: Mapping[str, FaultSite] | None = None,
) -> None:
    """Write a fault list file, all or nothing.

    Args:
        path: The file to make or to replace.
        header: Its first line.
        scenarios: The scenarios in order, consumed one at a time; None to write the recipe only.
        sites: Their sites by name; with them, masks have the element's number of digits and
            ``and`` is left out where all bits are kept.

    Raises:
        FaultListError: The file can't be written.
    """
    encoder = msgspec.json.Encoder()
    known = {} if sites is None else sites
    try:
        with atomic_file(Path(path)) as file:
            file.write(encoder.encode(_without_none(header)) + b"\n")
            for scenario in scenarios or ():
                file.write(encoder.encode(_line(scenario, known)) + b"\n")
    except OSError as error:
        raise FaultListError(f"{path}: can't write the fault list: {error.strerror}") from None


def scenario_document(scenario: Scenario, sites: Mapping[str, FaultSite]) -> dict[str, Any]:
    """A scenario as its line in a fault list says it, as plain values."""
    found = msgspec.to_builtins(_line(scenario, sites))
    assert isinstance(found, dict)
    return found


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Lines that are not blank, each with its ``file:line``."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", line
    except OSError as error:
        raise FaultListError(f"{path}: can't read the fault list: {error.strerror}") from None


def _header(place: str, text: bytes) -> FaultListHeader:
    try:
        header = msgspec.json.decode(text, type=FaultListHeader)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FaultListError(f"{place}: not the header of a fault list: {error}") from None
    if header.schema != SCHEMA:
        raise FaultListError(f"{place}: schema is {header.schema!r}, expected {SCHEMA!r}")
    return header


def _check_graph(place: str, header: FaultListHeader, graph_sha256: str | None) -> None:
    graph = "stored" if graph_sha256 is None else "deployed"
    if header.graph != graph:
        raise FaultListError(
            f"{place}: the fault list names sites of the {header.graph} graph, here they are those"
            f" of the {graph} one; use --graph {header.graph}, or another list"
        )
    if header.graph_sha256 not in (None, graph_sha256):
        raise FaultListError(
            f"{place}: the fault list was made for another deployed graph (sha256"
            f" {header.graph_sha256}, here it is {graph_sha256}): another onnxruntime, another"
            f" machine, or another --optimization"
        )


def _scenarios(
    lines: Iterator[tuple[str, bytes]],
    sites: Mapping[str, FaultSite],
    samples: int | None,
    graphs: Mapping[str, bytes],
) -> Iterator[Scenario]:
    decoder = msgspec.json.Decoder(ScenarioLine)
    seen: set[int] = set()
    for place, text in lines:
        try:
            line = decoder.decode(text)
            if line.scenario < 0 or line.scenario in seen:
                raise FaultError(f"scenario {line.scenario} is negative or occurs twice")
            seen.add(line.scenario)
            yield _scenario(line, sites, samples, graphs)
        except (msgspec.MsgspecError, UnicodeDecodeError, FaultError) as error:
            raise FaultListError(f"{place}: {error}") from None


def _scenario(
    line: ScenarioLine,
    sites: Mapping[str, FaultSite],
    samples: int | None,
    graphs: Mapping[str, bytes],
) -> Scenario:
    by_site: dict[str, list[FaultGroup]] = {}
    for entry in line.faults:
        for site, group in read_entry(entry, sites, graphs):
            check_group(group, site, samples)
            by_site.setdefault(site.name, []).append(group)
    groups = tuple(joined(groups) for groups in by_site.values())
    return Scenario(number=line.scenario, groups=groups, weight=line.weight, key=line.key)


def _line(scenario: Scenario, sites: Mapping[str, FaultSite]) -> ScenarioLine:
    entries = []
    for group in scenario.groups:
        site = sites.get(group.site)
        entries.append(write_entry(group, None if site is None else format_of(site.element)))
    return ScenarioLine(
        scenario=scenario.number, weight=scenario.weight, key=scenario.key, faults=entries
    )


def _without_none(header: FaultListHeader) -> dict[str, object]:
    fields = msgspec.structs.asdict(header)
    if header.graph == "stored":
        del fields["graph"]
    return {name: value for name, value in fields.items() if value is not None}
