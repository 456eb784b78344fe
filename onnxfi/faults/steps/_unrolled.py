"""Unrolled networks: the time step of every node, found from what is repeated in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxfi.faults.steps._flow import COMPARISONS, Flow, elementwise, reach
from onnxfi.faults.steps._shift import PRODUCTS, Shift, time_shifts
from onnxfi.faults.steps._timeline import Edge, Timeline
from onnxfi.graph import GraphIndex, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """A network whose time steps follow each other in the graph.

    Attributes:
        steps: Number of time steps.
        step: Time step by name of a node; nodes before, behind and beside the steps have none.
        first: The same node at the first step that has it, by name of a node.
        flow: The network once, with the values that it carries from step to step.
    """

    steps: int
    step: Mapping[str, int]
    first: Mapping[str, Node]
    flow: Flow


def unrolled(index: GraphIndex, static: frozenset[str]) -> Unrolled | None:
    """Recognise an unrolled network; None for any other graph.

    It is one if the same weights are read once a step, by nodes with the same surroundings, if a
    value is carried from one step to the next and meets a weight or a threshold there, and if the
    steps read something that no other step has made. A model that is applied to two pictures
    carries nothing; a layer that is applied twice in a row reads nothing new.

    Args:
        index: Facts about the graph; nested graphs are not looked into.
        static: Values that no sample has a part in.
    """
    for shift in time_shifts(index, static):
        chains = _chains(index, shift)
        place = {node.name: at for at, chain in enumerate(chains) for node in chain}
        line = Timeline(
            chains=len(chains),
            edges=_edges(index, chains),
            pliant=frozenset(at for at, chain in enumerate(chains) if elementwise(chain[0])),
            start={
                place[seed[0].name]: -chains[place[seed[0].name]].index(seed[0])
                for seed in shift.seeds
                if seed[0].name in place
            },
        )
        if line.start and line.date():
            found = _facts(shift.steps, chains, line)
            if _carries(found.flow) and _fed(index, static, found):
                return found
    return None


def _chains(index: GraphIndex, shift: Shift) -> list[tuple[Node, ...]]:
    """Nodes that correspond, from the first step to the last; none of those that go in circles."""
    later = {node.name for node in shift.ahead.values()}
    chains = []
    for node in index.nodes:
        if node.name in shift.ahead and node.name not in later:
            chain = [node]
            while chain[-1].name in shift.ahead:
                chain.append(shift.ahead[chain[-1].name])
            chains.append(tuple(chain))
    return chains


def _edges(index: GraphIndex, chains: Sequence[tuple[Node, ...]]) -> tuple[Edge, ...]:
    where = {node.name: (at, j) for at, chain in enumerate(chains) for j, node in enumerate(chain)}
    edges: dict[Edge, None] = {}
    for target, chain in enumerate(chains):
        for j, node in enumerate(chain):
            for value in node.inputs:
                maker = index.producer(value)
                if maker is not None and maker.name in where:
                    source, i = where[maker.name]
                    edges[Edge(source=source, target=target, ahead=i - j)] = None
    return tuple(edges)


def _facts(steps: int, chains: Sequence[tuple[Node, ...]], line: Timeline) -> Unrolled:
    """Steps of the nodes that lie within the time of the network."""
    step: dict[str, int] = {}
    first: dict[str, Node] = {}
    operators: dict[int, tuple[Node, ...]] = {}
    for at, chain in enumerate(chains):
        start = line.start.get(at)
        if start is None:
            continue
        inside = chain[max(-start, 0) : max(steps - start, 0)]
        if inside:
            operators[at] = inside
            step |= {node.name: max(start, 0) + j for j, node in enumerate(inside)}
            first |= dict.fromkeys((node.name for node in inside), inside[0])
    place = {at: position for position, at in enumerate(operators)}
    readers: dict[int, set[tuple[int, int]]] = {position: set() for position in place.values()}
    for edge in line.edges:
        if edge.source in place and edge.target in place:
            readers[place[edge.source]].add((place[edge.target], line.lag(edge)))
    flow = Flow(
        operators=tuple(operators.values()),
        starts=tuple(step[nodes[0].name] for nodes in operators.values()),
        readers={position: frozenset(links) for position, links in readers.items()},
    )
    return Unrolled(steps=steps, step=step, first=first, flow=flow)


def _carries(flow: Flow) -> bool:
    """Whether what a step makes decides anything in a later one, rather than being added up."""
    reached = reach(
        (target for links in flow.readers.values() for target, lag in links if lag),
        lambda place: [target for target, _ in flow.readers[place]],
    )
    return any(flow.operators[place][0].op_type in PRODUCTS | COMPARISONS for place in reached)


def _fed(index: GraphIndex, static: frozenset[str], found: Unrolled) -> bool:
    """Whether every step but the first reads something that no step has made."""
    fed = set()
    for operator in found.flow.operators:
        for node in operator:
            for value in node.inputs:
                maker = index.producer(value)
                inside = maker is not None and maker.name in found.step
                if value and value not in static and not inside:
                    fed.add(found.step[node.name])
    return fed.issuperset(range(1, found.steps))
