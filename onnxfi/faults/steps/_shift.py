"""The time shift of an unrolled graph: which node is which one time step later."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from onnxfi.graph import GraphIndex, Node, Use
from onnxfi.graph.ops import having

PRODUCTS = having("product")
"""Operators that multiply by a matrix or a kernel of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeShift:
    """A proposal for how the steps of a graph correspond.

    Attributes:
        steps: Number of time steps.
        seeds: The nodes that read one and the same weight, one a step, for each such weight.
        ahead: The node one step later, by name of a node.
    """

    steps: int
    seeds: tuple[tuple[Node, ...], ...]
    ahead: Mapping[str, Node]


def time_shifts(index: GraphIndex, static: frozenset[str]) -> Iterator[TimeShift]:
    """Proposals for the time shift of a graph, the likeliest first; none where nothing repeats.

    Nodes that read one weight in the same slot are assumed to be the steps of one node. From there
    the correspondence is carried along the edges: if b is a, one step later, then what reads b is
    what reads a, and what b reads is what a reads, one step later.

    Args:
        index: The graph.
        static: Values that no sample has a part in.
    """
    origins = weight_origins(index, static)
    repeated = _repeated_products(index, static, origins)
    votes = Counter(len(nodes) for nodes in repeated)
    for steps in sorted(votes, key=lambda count: (-votes[count], -count)):
        seeds = tuple(nodes for nodes in repeated if len(nodes) == steps)
        grown = _Growth(index=index, static=static, origins=origins)
        for nodes in seeds:
            for early, late in pairwise(nodes):
                grown.pair(early, late)
        grown.spread()
        # One step may begin in its own way; if all of them do, they are not steps of one network.
        if grown.contradictions >= max(steps - 2, 1):
            continue
        yield TimeShift(steps=steps, seeds=seeds, ahead=grown.ahead)


def weight_origins(index: GraphIndex, static: frozenset[str]) -> dict[str, str]:
    """What stored matrices a static value is made of, in words that are equal where that is.

    A quantized weight that each step dequantizes for itself has one origin in all steps. Values
    made of scalars and shapes alone have none: such constants are repeated all over a graph.
    """
    origins = {
        tensor.name: tensor.name for tensor in index.initializers.values() if len(tensor.shape) > 1
    }
    words: dict[tuple[str, ...], str] = {}
    for node in index.nodes:
        if not any(value in origins for value in node.inputs):
            continue
        for place, value in enumerate(node.outputs):
            if value in static:
                read = [origins.get(name, "") for name in node.inputs]
                text = (node.op_type, str(place), *read)
                origins[value] = words.setdefault(text, value)
    return origins


def _repeated_products(
    index: GraphIndex, static: frozenset[str], origins: Mapping[str, str]
) -> list[tuple[Node, ...]]:
    """The nodes that multiply by the same weights, in order, where there are two or more."""
    found: dict[tuple[str, str, int], list[Node]] = {}
    for node in index.nodes:
        if node.op_type not in PRODUCTS or node.scope or static.issuperset(node.outputs):
            continue
        for slot, value in enumerate(node.inputs):
            if value in origins:
                found.setdefault((origins[value], node.op_type, slot), []).append(node)
    return [tuple(nodes) for nodes in found.values() if len(nodes) > 1]


@dataclass(slots=True, kw_only=True)
class _Growth:
    """A correspondence of nodes, while it is carried along the edges of the graph."""

    index: GraphIndex
    static: frozenset[str]
    origins: Mapping[str, str]
    ahead: dict[str, Node] = field(default_factory=dict)
    contradictions: int = 0
    _behind: set[str] = field(default_factory=set)
    _fresh: deque[tuple[Node, Node]] = field(default_factory=deque)

    def pair(self, early: Node, late: Node) -> None:
        """Pair ``late`` with ``early`` one step before, unless one is paired or they differ."""
        if early.name in self.ahead or late.name in self._behind or early.name == late.name:
            return
        if self._alike(early, late):
            self.ahead[early.name] = late
            self._behind.add(late.name)
            self._fresh.append((early, late))

    def spread(self) -> None:
        """Carry the correspondence along all edges; what is nearest to a weight comes first."""
        while self._fresh:
            early, late = self._fresh.popleft()
            for before, after in zip(early.outputs, late.outputs, strict=True):
                readers = self._readers(after)
                for key, node in self._readers(before).items():
                    if node is not None and (later := readers.get(key)) is not None:
                        self.pair(node, later)
            for before, after in zip(early.inputs, late.inputs, strict=True):
                maker, later = self.index.producer(before), self.index.producer(after)
                if maker is not None and later is not None:
                    self.contradictions += self._weighted_differently(maker, later)
                    self.pair(maker, later)

    def _readers(self, value: str) -> dict[tuple[str, ...], Node | None]:
        """Who reads a value, by what tells readers apart; None where several are alike."""
        found: dict[tuple[str, ...], Node | None] = {}
        for use in self.index.consumers(value) if value else ():
            key = self._key(use)
            found[key] = None if key in found else use.node
        return found

    def _key(self, use: Use) -> tuple[str, ...]:
        weights = [self.origins.get(value, "") for value in use.node.inputs]
        return (use.node.domain, use.node.op_type, str(use.slot), *weights)

    def _alike(self, early: Node, late: Node) -> bool:
        """Whether two nodes can be one node at two steps: the same operator on the same weights.

        What is a constant in the first step, an initial state, may be computed in the next.
        """
        if (early.op_type, early.domain) != (late.op_type, late.domain):
            return False
        if early.scope or late.scope or len(early.inputs) != len(late.inputs):
            return False
        if len(early.outputs) != len(late.outputs) or not self._computed(early, late):
            return False
        for before, after in zip(early.inputs, late.inputs, strict=True):
            if bool(before) != bool(after):
                return False
            both = before in self.static and after in self.static
            known = self.origins.get(before), self.origins.get(after)
            if both and any(known) and known[0] != known[1]:
                return False
        return True

    def _weighted_differently(self, early: Node, late: Node) -> bool:
        """Whether two products in corresponding places have weights of their own."""
        weights = [
            {self.origins[value] for value in node.inputs if value in self.origins}
            for node in (early, late)
        ]
        same_kind = early.op_type == late.op_type and early.op_type in PRODUCTS
        return same_kind and all(weights) and weights[0] != weights[1]

    def _computed(self, *nodes: Node) -> bool:
        return not any(self.static.issuperset(filter(None, node.outputs)) for node in nodes)
