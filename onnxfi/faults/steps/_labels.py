"""Labels in time: steps, layers and neuron parts of the sites of unrolled networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from onnxfi.faults.sites import FaultSite, NeuronPart, SiteKind
from onnxfi.faults.steps._flow import looped_flows, reach
from onnxfi.faults.steps._neurons import NeuronParts, joined, neuron_parts
from onnxfi.faults.steps._unrolled import Unrolled, unrolled
from onnxfi.graph import GraphIndex


def labelled(
    sites: Sequence[FaultSite], index: GraphIndex, static: frozenset[str]
) -> tuple[FaultSite, ...]:
    """The sites with what is known of their place in time; as they are in an ordinary network.

    Computed tensors of an unrolled network get their step, and the layer that their first step
    has. Stored ones that are read in one step only, as constants often are, get that step; weights
    are read in all. In the body of a loop, as in the steps, neurons are found.

    Args:
        sites: Sites of a graph.
        index: Facts about the graph.
        static: Values that no sample has a part in.
    """
    found = unrolled(index, static)
    flows = [*looped_flows(index, static)] if found is None else [found.flow]
    parts = joined(neuron_parts(index, static, flow) for flow in flows)
    if found is None and not parts.computed:
        return tuple(sites)
    known = found or Unrolled(steps=0, step={}, first={}, flow=flows[0])
    return tuple(
        _stored(site, index, static, known, parts)
        if site.kind.stored
        else _computed(site, index, known, parts)
        for site in sites
    )


def _computed(site: FaultSite, index: GraphIndex, found: Unrolled, parts: NeuronParts) -> FaultSite:
    node, first = index.producer(site.name), found.first.get(site.node)
    if node is None:
        layer = parts.owner.get(site.name, site.layer)
        return replace(site, part=parts.states.get(site.name), layer=layer)
    return replace(
        site,
        layer=_layer(site.node, site.layer, found, parts),
        step=found.step.get(site.node),
        part=parts.computed.get(site.node),
        series=None if first is None else first.outputs[node.outputs.index(site.name)],
    )


def _stored(
    site: FaultSite, index: GraphIndex, static: frozenset[str], found: Unrolled, parts: NeuronParts
) -> FaultSite:
    steps = {found.step.get(name) for name in _readers(index, static, site.name)}
    step = steps.pop() if len(steps) == 1 else None
    layer = parts.owner.get(site.name) or _layer(site.layer, site.layer, found, parts)
    return replace(site, layer=layer, step=step, part=parts.stored.get(site.name))


def _layer(node: str, otherwise: str, found: Unrolled, parts: NeuronParts) -> str:
    """The layer of neurons that a node is of, or else the layer's node in its first step."""
    if node in parts.layer:
        return parts.layer[node]
    first = found.first.get(otherwise)
    return parts.layer.get(otherwise, otherwise if first is None else first.name)


def _readers(index: GraphIndex, static: frozenset[str], value: str) -> Iterator[str]:
    """The nodes that a stored tensor meets something computed in."""

    def onward(name: str) -> Iterator[str]:
        for use in index.consumers(name):
            yield from (output for output in use.node.outputs if output in static)

    for name in reach([value], onward):
        for use in index.consumers(name):
            if not static.issuperset(filter(None, use.node.outputs)):
                yield use.node.name


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
