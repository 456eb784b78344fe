"""Where spikes can be counted: the tensors in which each layer of neurons hands them on."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfi.faults.sites import FaultSite, NeuronPart, SiteKind

_REARRANGED = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def spike_values(sites: Iterable[FaultSite]) -> dict[str, tuple[str, ...]]:
    """Names of the tensors that hold each layer's spikes, one a step; empty where there are none.

    Of the tensors that a spike is in, it is the last one before the spikes are rearranged: what the
    next weights read, so that a fault in any of them shows.

    Args:
        sites: Sites of an unrolled network.
    """
    last: dict[str, dict[int, str]] = {}
    for site in sites:
        counted = site.part is NeuronPart.SPIKE and site.kind is SiteKind.ACTIVATION
        if counted and site.step is not None and site.op_type not in _REARRANGED:
            last.setdefault(site.layer, {})[site.step] = site.name
    return {layer: tuple(name for _, name in sorted(at.items())) for layer, at in last.items()}
