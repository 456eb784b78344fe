"""What ``inspect`` says of networks over time: layers, parts of neurons, time steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxfi.faults import FaultSite
    from onnxfi.report import TableView


@dataclass(slots=True)
class _Group:
    """Sites of one layer and part; bits are None where a run-time shape is not known."""

    tensors: int = 0
    bits: int | None = 0
    steps: set[int] = field(default_factory=set)


def time_document(sites: Sequence[FaultSite]) -> dict[str, Any] | None:
    """Time steps and parts of a model's sites as JSON; None if they have neither."""
    if not _in_time(sites):
        return None
    return {
        "steps": _count(sites),
        "parts": [
            {
                "layer": layer,
                "part": part,
                "sites": group.tensors,
                "bits": group.bits,
                "steps": sorted(group.steps),
            }
            for (layer, part), group in _groups(sites).items()
        ],
    }


def time_view(sites: Sequence[FaultSite]) -> TableView | None:
    """Time steps and parts of a model's sites as a table; None if they have neither."""
    from onnxfi.faults import steps_text
    from onnxfi.report import Column, Row, TableView

    if not _in_time(sites):
        return None
    groups = _groups(sites)
    steps, spiking = _count(sites), any(part for _, part in groups)
    return TableView(
        title="Spiking neurons in a loop" if steps is None else f"Unrolled over {steps} time steps",
        columns=(
            Column(title="layer", number=False),
            Column(title="part of spiking neurons", number=False),
            Column(title="steps", number=False),
            Column(title="sites"),
            Column(title="bits"),
        ),
        rows=tuple(
            Row(
                cells=(
                    layer,
                    part or "-",
                    steps_text(sorted(group.steps)) or "-",
                    f"{group.tensors:,}",
                    "?" if group.bits is None else f"{group.bits:,}",
                )
            )
            for (layer, part), group in groups.items()
        ),
        note="" if spiking else "no spiking neurons are recognised",
    )


def _in_time(sites: Sequence[FaultSite]) -> bool:
    return any(site.series is not None or site.part is not None for site in sites)


def _count(sites: Sequence[FaultSite]) -> int | None:
    """Steps of an unrolled network; None for a loop, which has its body once."""
    unrolled = [site.step or 0 for site in sites if site.series is not None]
    return 1 + max(unrolled) if unrolled else None


def _groups(sites: Sequence[FaultSite]) -> dict[tuple[str, str | None], _Group]:
    """Sites that have a step or a part, by layer and part, in the order of the model."""
    from onnxfi.faults import site_bits

    groups: dict[tuple[str, str | None], _Group] = {}
    for site in sites:
        if site.step is None and site.part is None:
            continue
        group = groups.setdefault((site.layer, site.part), _Group())
        group.tensors += 1
        if site.step is not None:
            group.steps.add(site.step)
        if site.layout is None or group.bits is None:
            group.bits = None
        else:
            group.bits += site_bits(site)
    return groups
