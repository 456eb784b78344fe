"""Spiking neurons: which operators of a network over time hold membranes, thresholds, spikes."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from onnxfi.faults.steps._flow import COMPARISONS, Flow, elementwise, reach
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
