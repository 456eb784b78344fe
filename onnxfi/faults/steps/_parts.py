"""Parts of spiking neurons: what each tensor of a spiking network is to its neuron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, fields
from itertools import takewhile
from typing import Any

from onnxfi.faults.sites import NeuronPart, transparent
from onnxfi.faults.steps._flow import Flow, reach
from onnxfi.faults.steps._neuron import Neuron, find_neurons
from onnxfi.faults.steps._shift import PRODUCTS
from onnxfi.graph import GraphIndex

_FIRST = (
    NeuronPart.THRESHOLD,
    NeuronPart.DECAY,
    NeuronPart.RESET,
    NeuronPart.MEMBRANE,
    NeuronPart.SPIKE,
    NeuronPart.SYNAPSE,
)
"""What a stored tensor is that is read as several parts."""
_FIRED = frozenset({NeuronPart.SPIKE, NeuronPart.RESET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the tensors of a spiking network are to its neurons; empty for any other network.

    Attributes:
        computed: Part of a node's results, by name of the node.
        states: Part of what a loop's body gets from the iteration before, by name of the value.
        stored: Part of a stored tensor, by its name.
        layer: Name of the layer of neurons that a node belongs to, by name of the node.
        home: Name of the layer of neurons that a stored tensor or a state belongs to, by its name.
    """

    computed: Mapping[str, NeuronPart] = field(default_factory=dict)
    states: Mapping[str, NeuronPart] = field(default_factory=dict)
    stored: Mapping[str, NeuronPart] = field(default_factory=dict)
    layer: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)


def neuron_parts(index: GraphIndex, static: frozenset[str], flow: Flow) -> Parts:
    """Find the neurons of a network over time, and what its tensors are to them.

    Args:
        index: Facts about the graph.
        static: Values that no sample has a part in.
        flow: The network over time.
    """
    neurons = find_neurons(index, static, flow)
    if not neurons:
        return Parts()
    places: dict[int, NeuronPart] = {}
    for neuron in neurons:
        places |= dict.fromkeys(neuron.membrane, NeuronPart.MEMBRANE)
        places |= dict.fromkeys(neuron.reset, NeuronPart.RESET)
        places |= dict.fromkeys(neuron.spike, NeuronPart.SPIKE)
    places |= dict.fromkeys(_currents(flow, places), NeuronPart.CURRENT)
    named = {
        place: name
        for neuron, name in zip(neurons, _names(flow, neurons), strict=True)
        for place in neuron.all
    }
    asking = frozenset().union(*(neuron.threshold for neuron in neurons))
    read = _reads(index, static, flow, places, asking)
    chosen = {
        name: next((part, at) for part in _FIRST for role, at in roles if role is part)
        for name, roles in read.items()
    }
    return Parts(
        computed={node.name: part for at, part in places.items() for node in flow.operators[at]},
        states={value: places[at] for value, at in flow.states.items() if at in places},
        stored={name: part for name, (part, _) in chosen.items()},
        layer={node.name: name for at, name in named.items() for node in flow.operators[at]},
        home={name: named[at] for name, (_, at) in chosen.items() if at in named}
        | {value: named[at] for value, at in flow.states.items() if at in named},
    )


def joined(parts: Iterable[Parts]) -> Parts:
    """What the tensors of several networks in one graph are, the first network's word first."""
    every = list(parts)[::-1]

    def union(name: str) -> dict[str, Any]:
        return {key: value for one in every for key, value in getattr(one, name).items()}

    return Parts(**{each.name: union(each.name) for each in fields(Parts)})


def _currents(flow: Flow, places: Mapping[int, NeuronPart]) -> set[int]:
    """What is added to membranes, back to the product of spikes and weights; all such products."""
    makers = {place: {other for other, _ in links} for place, links in flow.makers.items()}
    products = {at for at, nodes in enumerate(flow.operators) if nodes[0].op_type in PRODUCTS}
    membranes = [place for place, part in places.items() if part is NeuronPart.MEMBRANE]
    fed = {maker for place in membranes for maker in makers.get(place, ()) if maker not in places}
    found = reach(
        fed, lambda place: () if place in products else makers.get(place, set()) - places.keys()
    )
    return found | products


def _reads(
    index: GraphIndex,
    static: frozenset[str],
    flow: Flow,
    places: Mapping[int, NeuronPart],
    asking: Set[int],
) -> dict[str, list[tuple[NeuronPart, int]]]:
    """What each stored tensor is to the operators that read it, and which these are."""
    found: dict[str, list[tuple[NeuronPart, int]]] = {}
    makers = flow.makers
    for place, part in places.items():
        nodes = flow.operators[place]
        for slot in range(len(nodes[0].inputs)):
            values = [node.inputs[slot] for node in nodes]
            constant = all(value in static for value in values)
            role = _role(part, constant, place in asking)
            fired = {places.get(maker) for maker, _ in makers.get(place, ())} & _FIRED
            if role is NeuronPart.DECAY and fired:
                role = NeuronPart.RESET  # what a spike sets the membrane to
            for value in filter(static.__contains__, values):
                for name in _leaves(index, static, value):
                    found.setdefault(name, []).append((role, place))
    return found


def _role(part: NeuronPart, constant: bool, asking: bool) -> NeuronPart:
    """What a constant operand is to an operator that is a part of a neuron."""
    if part is NeuronPart.CURRENT:
        return NeuronPart.SYNAPSE
    if part is NeuronPart.MEMBRANE and not constant:
        return part  # computed in later steps, so the state that the first one starts from
    if asking:
        return NeuronPart.THRESHOLD
    return NeuronPart.DECAY if part is NeuronPart.MEMBRANE else part


def _leaves(index: GraphIndex, static: frozenset[str], value: str) -> set[str]:
    """The stored tensors that a static value is made of; a shape is made of none."""

    def before(name: str) -> Iterable[str]:
        maker = index.producer(name)
        return () if maker is None else filter(static.__contains__, maker.inputs)

    return reach([value], before) & index.initializers.keys()


def _names(flow: Flow, neurons: tuple[Neuron, ...]) -> list[str]:
    """Names of the layers: the exporter's scope, or else the operator that fires."""
    scopes = [_scope(flow, neuron.all) for neuron in neurons]
    whole = _scope(flow, range(len(flow.operators)))
    return [
        scope
        if scope not in ("", "/", whole) and scopes.count(scope) == 1
        else flow.operators[min(neuron.spike)][0].name
        for neuron, scope in zip(neurons, scopes, strict=True)
    ]


def _scope(flow: Flow, places: Iterable[int]) -> str:
    """The scope that operators have in common in the first step; empty if there is none."""
    first = min(flow.starts)
    nodes = [flow.operators[place][0] for place in places if flow.starts[place] == first]
    names = [node.name for node in nodes if not transparent(node) or node.op_type == "Cast"]
    levels = zip(*(name.split("/")[:-1] for name in names), strict=False)
    return "/".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))
