"""Unrolled networks: the time step of every node, found from what is repeated in the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from onnxfi.faults.steps._flow import COMPARISONS, Flow, elementwise, reach
from onnxfi.faults.steps._shift import PRODUCTS, TimeShift, time_shifts
from onnxfi.graph import GraphIndex, Node

_EARLIEST, _LATEST = -math.inf, math.inf
Starts: TypeAlias = Iterator[tuple[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A chain reads what another makes.

    Attributes:
        source: Position of the chain that makes the value.
        target: Position of the chain that reads it.
        ahead: How much later the source's chain is in its own count: a node of the target that
            has position j in its chain reads the node at j + ahead of the source.
    """

    source: int
    target: int
    ahead: int


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Starts of chains, found from those that are known.

    No node runs before what it reads, so a known start bounds those of its neighbours from below
    or above. Where both bounds agree, or only one exists, the start follows. Chains in between,
    which make the value that is carried from step to step, are dated by :meth:`_settle`.

    Attributes:
        chains: Number of chains.
        edges: Who reads whom.
        pliant: Positions of chains that may belong to either step: element by element operators.
        start: Step of the first node, by position of the chain.
    """

    chains: int
    edges: Sequence[Edge]
    pliant: frozenset[int]
    start: dict[int, int] = field(default_factory=dict)

    def date(self) -> bool:
        """Find the starts of all chains; False if some contradict each other."""
        for rule in (self._from_above, self._from_below, self._in_circles):
            low, high = self._bounds()
            if low is None or high is None:
                return False
            undated = [chain for chain in range(self.chains) if chain not in self.start]
            self.start |= {chain: int(at) for chain, at in rule(undated, low, high)}
        low, high = self._bounds()
        if low is None or high is None:
            return False
        between = [
            chain
            for chain in range(self.chains)
            if chain not in self.start and math.isfinite(low[chain]) and math.isfinite(high[chain])
        ]
        for part in self._connected(between):
            self._settle(part, low, high)
        return all(self.lag(edge) >= 0 for edge in self.edges if self._dated(edge))

    def _from_above(self, undated: list[int], low: list[float], high: list[float]) -> Starts:
        """Chains that are read by dated ones and read none, such as encoders; and certain ones."""
        for chain in undated:
            if low[chain] in (high[chain], _EARLIEST) and high[chain] != _LATEST:
                yield chain, high[chain]

    def _from_below(self, undated: list[int], low: list[float], high: list[float]) -> Starts:
        """Chains that nothing dated reads run at once, unless who reads them waits for others."""
        for chain in undated:
            waits = any(
                low[edge.target] - edge.ahead > low[chain]
                for edge in self.edges
                if edge.source == chain and edge.target != chain
            )
            if high[chain] == _LATEST and low[chain] != _EARLIEST and not waits:
                yield chain, low[chain]

    def _in_circles(self, undated: list[int], low: list[float], high: list[float]) -> Starts:
        """Chains of which each waits for another one."""
        for chain in undated:
            if high[chain] == _LATEST and low[chain] != _EARLIEST:
                yield chain, low[chain]

    def lag(self, edge: Edge) -> int:
        """Steps from the making of a value to its reading."""
        return self.start[edge.target] - self.start[edge.source] - edge.ahead

    def _dated(self, edge: Edge) -> bool:
        return edge.source in self.start and edge.target in self.start

    def _bounds(self) -> tuple[list[float] | None, list[float] | None]:
        """The earliest and the latest start of each chain; None where there is no way."""
        forward = [(edge.source, edge.target, edge.ahead) for edge in self.edges]
        backward = [(edge.target, edge.source, edge.ahead) for edge in self.edges]
        low = self._relax(forward, 1)
        high = self._relax(backward, -1)
        return low, high

    def _relax(self, edges: list[tuple[int, int, int]], sign: int) -> list[float] | None:
        """Longest ways from the known starts, forwards (sign 1) or backwards (-1)."""
        best = [-math.inf] * self.chains
        for chain, start in self.start.items():
            best[chain] = sign * start
        leaving: dict[int, list[tuple[int, int]]] = {}
        for source, target, ahead in edges:
            leaving.setdefault(source, []).append((target, ahead))
        waiting = list(self.start)
        for _ in range(self.chains + 1):
            if not waiting:
                return [sign * value for value in best]
            changed: dict[int, None] = {}
            for source in waiting:
                for target, ahead in leaving.get(source, ()):
                    if best[source] + ahead > best[target]:
                        if target in self.start:
                            return None
                        best[target] = best[source] + ahead
                        changed[target] = None
            waiting = list(changed)
        return None

    def _connected(self, chains: Sequence[int]) -> Iterator[set[int]]:
        """Chains that hang together, each group once."""
        near: dict[int, set[int]] = {chain: set() for chain in chains}
        for edge in self.edges:
            if edge.source in near and edge.target in near:
                near[edge.source].add(edge.target)
                near[edge.target].add(edge.source)
        seen: set[int] = set()
        for chain in chains:
            if chain not in seen:
                group = reach([chain], lambda item: near[item])
                seen |= group
                yield group

    def _settle(self, part: set[int], low: list[float], high: list[float]) -> None:
        """Date the chains between two steps: before or behind the value that is carried over.

        A matrix product of what is carried belongs to the next step, what it reads to the one
        before. Else the carried value is the first through which all ways from one step to the
        next go: what is added to a membrane and subtracted again belongs to the step that
        fired, its leak to the next one.
        """
        inner = [e for e in self.edges if e.source in part and e.target in part]
        leaving = [e for e in self.edges if e.source in part and e.target in self.start]
        entering = [e for e in self.edges if e.target in part and e.source in self.start]
        rigid = part - self.pliant
        behind = reach(rigid, lambda item: [e.target for e in inner if e.source == item])
        before = {e.source for e in (*inner, *leaving) if e.target not in self.pliant} - behind
        if not before | rigid and len({edge.source for edge in entering}) > 1:
            before = _bottleneck(part, inner, entering, leaving)
        earlier = reach(before, lambda item: [e.source for e in inner if e.target == item])
        for chain in part:
            self.start[chain] = int(low[chain] if chain in earlier else high[chain])


def _bottleneck(
    part: set[int], inner: Sequence[Edge], entering: Sequence[Edge], leaving: Sequence[Edge]
) -> set[int]:
    """The first chain without which nothing gets through a part; empty if there is none."""
    firsts, lasts = {edge.target for edge in entering}, {edge.source for edge in leaving}
    found = []
    for closed in part:
        others = reach(firsts - {closed}, _onward(inner, closed))
        if not others & lasts:
            found.append((len(others), closed))
    return {min(found)[1]} if found else set()


def _onward(edges: Sequence[Edge], closed: int) -> Callable[[int], list[int]]:
    """Who reads a chain, but for one that is closed."""
    ways: dict[int, list[int]] = {}
    for edge in edges:
        if edge.target != closed:
            ways.setdefault(edge.source, []).append(edge.target)
    return lambda chain: ways.get(chain, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """A network whose time steps follow each other in the graph.

    Attributes:
        steps: Number of time steps.
        step: Time step by name of a node; nodes outside of the steps have none.
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


def _chains(index: GraphIndex, shift: TimeShift) -> list[tuple[Node, ...]]:
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
