"""Spiking neurons: the operators that make them up, and what each tensor is to its neuron."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields
from itertools import takewhile
from typing import Any

from onnxfi.faults.sites import NeuronPart, transparent
from onnxfi.faults.steps._flow import COMPARISONS, Flow, elementwise, reach
from onnxfi.faults.steps._shift import PRODUCTS
from onnxfi.graph import GraphIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron:
    """One layer of spiking neurons, as positions of operators in a flow.

    Attributes:
        membrane: What makes the membrane state: carried from step to step, leaked, added to.
        threshold: Those of the membrane, and the comparisons, that only ask for a spike.
        spike: The comparisons whose result leaves the neuron, and what dresses it on its way.
        reset: What only takes a spike back to the membrane.
    """

    membrane: frozenset[int]
    threshold: frozenset[int]
    spike: frozenset[int]
    reset: frozenset[int]

    @property
    def all(self) -> frozenset[int]:
        """All its operators."""
        return self.membrane | self.threshold | self.spike | self.reset


def find_neurons(index: GraphIndex, static: frozenset[str], flow: Flow) -> tuple[Neuron, ...]:
    """The layers of spiking neurons of a network.

    A membrane is a loop over time of operators that work element by element; it belongs to a
    neuron if it is compared with something and the result of the comparison leaves the loop.

    Args:
        index: Facts about the graph.
        static: Values that no sample has a part in.
        flow: The network over time.
    """
    view = _View.of(index, static, flow)
    loops = list(view.loops())
    found = (view.neuron(loop, frozenset().union(*loops) - loop) for loop in loops)
    return tuple(neuron for neuron in found if neuron.spike)


@dataclass(frozen=True, slots=True)
class _View:
    """A flow with what is asked of it time and again.

    Attributes:
        flow: The flow.
        readers: Operators that read each operator.
        makers: Operators that each operator reads.
        simple: Operators that work element by element.
        tests: Comparisons.
        leaving: Operators whose result is also read from outside of the flow, or returned.
        mixed: Operators that also read computed values from outside of the flow.
    """

    flow: Flow
    readers: dict[int, frozenset[int]]
    makers: dict[int, frozenset[int]]
    simple: frozenset[int]
    tests: frozenset[int]
    leaving: frozenset[int]
    mixed: frozenset[int]

    @classmethod
    def of(cls, index: GraphIndex, static: frozenset[str], flow: Flow) -> _View:
        known = {node.name for nodes in flow.operators for node in nodes}
        readers, makers, simple, tests, leaving, mixed = {}, {}, set(), set(), set(), set()
        back = flow.makers
        for place, nodes in enumerate(flow.operators):
            readers[place] = frozenset(other for other, _ in flow.readers[place])
            makers[place] = frozenset(other for other, _ in back.get(place, ()))
            if elementwise(nodes[0]):
                simple.add(place)
            if nodes[0].op_type in COMPARISONS:
                tests.add(place)
            for node in nodes:
                outputs = [value for value in node.outputs if value]
                uses = [use.node.name for value in outputs for use in index.consumers(value)]
                given = any(index.returned(value) for value in outputs if value not in flow.carried)
                if given or not known.issuperset(uses):
                    leaving.add(place)
                computed = [value for value in node.inputs if value and value not in static]
                origins = [index.producer(value) for value in computed]
                if any(maker is None or maker.name not in known for maker in origins):
                    mixed.add(place)
        sets = (frozenset(group) for group in (simple, tests, leaving, mixed))
        return cls(flow, readers, makers, *sets)

    def loops(self) -> Iterator[frozenset[int]]:
        """Circles of element by element operators that go through time."""
        seen: set[int] = set()
        for source, links in self.flow.readers.items():
            for target, lag in links:
                if not lag or target in seen or not {source, target} <= self.simple:
                    continue
                ahead = reach([target], lambda place: self.readers[place] & self.simple)
                behind = reach([target], lambda place: self.makers[place] & self.simple)
                if source in ahead:
                    seen |= ahead & behind
                    yield frozenset(ahead & behind)

    def neuron(self, loop: frozenset[int], others: frozenset[int]) -> Neuron:
        """The neuron around a loop; without spikes if the loop is none."""
        onward = self.simple - others
        # From the membrane on, up to the comparisons.
        beyond = reach(
            loop, lambda place: () if place in self.tests else self.readers[place] & onward
        )
        tests = beyond & self.tests
        behind = self._towards(tests, beyond)
        body = loop | behind
        spike: set[int] = set()
        reset: set[int] = set()
        for test in tests:
            pure = self._pure(test)
            exits = {place for place in pure if self._exits(place, pure | body)}
            fired = self._towards(exits, pure)
            spike |= fired
            reset |= pure - fired
        reset -= spike
        membrane = frozenset(body - spike - reset)
        return Neuron(
            membrane=membrane,
            threshold=self._asking(membrane, tests) | frozenset(tests),
            spike=frozenset(spike),
            reset=frozenset(reset),
        )

    def _towards(self, ends: Set[int], among: Set[int]) -> set[int]:
        """Some operators, and those among the others that lead to them."""
        return reach(ends, lambda place: self.makers[place] & among)

    def _pure(self, test: int) -> set[int]:
        """A comparison and what is made of its result and of constants alone."""
        pure = {test}
        while True:
            new = {
                place
                for known in pure
                for place in self.readers[known] & self.simple - self.mixed - pure
                if self.makers[place] <= pure
            }
            if not new:
                return pure
            pure |= new

    def _exits(self, place: int, inside: Set[int]) -> bool:
        return place in self.leaving or not self.readers[place] <= inside

    def _asking(self, membrane: Set[int], tests: Set[int]) -> frozenset[int]:
        """Operators of the membrane that are read for comparisons only."""
        asking: set[int] = set()
        while True:
            new = {
                place
                for place in membrane - asking
                if self.readers[place]
                and self.readers[place] <= asking | tests
                and place not in self.leaving
            }
            if not new:
                return frozenset(asking)
            asking |= new


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
class NeuronParts:
    """What the tensors of a spiking network are to its neurons; empty for any other network.

    Attributes:
        computed: Part of a node's results, by name of the node.
        states: Part of what a loop's body gets from the iteration before, by name of the value.
        stored: Part of a stored tensor, by its name.
        layer: Name of the layer of neurons that a node belongs to, by name of the node.
        owner: Name of the layer of neurons that a stored tensor or a state belongs to, by its name.
    """

    computed: Mapping[str, NeuronPart] = field(default_factory=dict)
    states: Mapping[str, NeuronPart] = field(default_factory=dict)
    stored: Mapping[str, NeuronPart] = field(default_factory=dict)
    layer: Mapping[str, str] = field(default_factory=dict)
    owner: Mapping[str, str] = field(default_factory=dict)


def neuron_parts(index: GraphIndex, static: frozenset[str], flow: Flow) -> NeuronParts:
    """Find the neurons of a network over time, and what its tensors are to them.

    Args:
        index: Facts about the graph.
        static: Values that no sample has a part in.
        flow: The network over time.
    """
    neurons = find_neurons(index, static, flow)
    if not neurons:
        return NeuronParts()
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
    return NeuronParts(
        computed={node.name: part for at, part in places.items() for node in flow.operators[at]},
        states={value: places[at] for value, at in flow.states.items() if at in places},
        stored={name: part for name, (part, _) in chosen.items()},
        layer={node.name: name for at, name in named.items() for node in flow.operators[at]},
        owner={name: named[at] for name, (_, at) in chosen.items() if at in named}
        | {value: named[at] for value, at in flow.states.items() if at in named},
    )


def joined(parts: Iterable[NeuronParts]) -> NeuronParts:
    """What the tensors of several networks in one graph are, the first network's word first."""
    every = list(parts)[::-1]

    def union(name: str) -> dict[str, Any]:
        return {key: value for one in every for key, value in getattr(one, name).items()}

    return NeuronParts(**{each.name: union(each.name) for each in fields(NeuronParts)})


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
