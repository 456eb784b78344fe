"""The flow of a network over time: each operator once, and who reads whom, how much later."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from onnxfi.faults.sites import transparent
from onnxfi.graph import Body, GraphIndex, Node
from onnxfi.graph.ops import having

_T = TypeVar("_T", bound=Hashable)

COMPARISONS = having("comparison")
_ELEMENTWISE = having("elementwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A network once, whatever the number of its steps.

    Attributes:
        operators: Each operator as its nodes, one a step, the first step first.
        starts: Step of the first node of each operator.
        readers: By position of an operator: positions of those that read it, each with the steps
            from the making of the value to its reading.
        carried: What the body of a loop carries to its next iteration, by name of the value.
        states: What the body gets from the iteration before: name of the value, and position of
            the operator that made it there.
    """

    operators: tuple[tuple[Node, ...], ...]
    starts: tuple[int, ...]
    readers: Mapping[int, frozenset[tuple[int, int]]]
    carried: frozenset[str] = frozenset()
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def makers(self) -> Mapping[int, frozenset[tuple[int, int]]]:
        """The same the other way round: whom an operator reads."""
        found: dict[int, set[tuple[int, int]]] = {}
        for source, links in self.readers.items():
            for target, lag in links:
                found.setdefault(target, set()).add((source, lag))
        return MappingProxyType({place: frozenset(links) for place, links in found.items()})


def elementwise(node: Node) -> bool:
    """Whether each element of a result depends on the same element of the operands only."""
    return node.op_type in _ELEMENTWISE or transparent(node)


def reach(starts: Iterable[_T], neighbours: Callable[[_T], Iterable[_T]]) -> set[_T]:
    """All places that can be reached from some, these included."""
    seen = set(starts)
    waiting = list(seen)
    while waiting:
        for item in neighbours(waiting.pop()):
            if item not in seen:
                seen.add(item)
                waiting.append(item)
    return seen


# Iteration number and condition, which the body of a Loop gets before the state; of what it
# returns, the condition comes first.
_LOOP_INPUTS, _LOOP_OUTPUTS = 2, 1


def looped_flows(index: GraphIndex, static: frozenset[str]) -> Iterator[Flow]:
    """The networks that run once for each iteration of a loop, whatever these compute.

    Args:
        index: Facts about the graph.
        static: Values that no sample has a part in.
    """
    for body in index.bodies.values():
        if body.repeats:
            yield _flow(index, static, body)


def _flow(index: GraphIndex, static: frozenset[str], body: Body) -> Flow:
    nodes = [
        node
        for node in index.nodes
        if node.scope == body.path and not static.issuperset(filter(None, node.outputs))
    ]
    place = {node.name: position for position, node in enumerate(nodes)}

    def maker(value: str) -> int | None:
        node = index.producer(value)
        return None if node is None else place.get(node.name)

    states = {
        before: made for before, after in _carried(body) if (made := maker(after)) is not None
    }
    readers: dict[int, set[tuple[int, int]]] = {position: set() for position in place.values()}
    for node in nodes:
        for value in node.inputs:
            if value in states:
                readers[states[value]].add((place[node.name], 1))
            elif (made := maker(value)) is not None:
                readers[made].add((place[node.name], 0))
    return Flow(
        operators=tuple((node,) for node in nodes),
        starts=(0,) * len(nodes),
        readers={position: frozenset(links) for position, links in readers.items()},
        carried=frozenset(after for _, after in _carried(body)),
        states=states,
    )


def _carried(body: Body) -> Iterator[tuple[str, str]]:
    """What an iteration gets from the one before, and what that one has made of it."""
    loop = body.owner.op_type == "Loop"
    got = body.inputs[_LOOP_INPUTS if loop else 0 : len(body.inputs) - body.slices]
    yield from zip(got, body.outputs[_LOOP_OUTPUTS if loop else 0 :], strict=False)
