"""Looped networks: the flow over time of the body of a Loop or Scan."""

from __future__ import annotations

from collections.abc import Iterator

from onnxfi.faults.steps._flow import Flow
from onnxfi.graph import Body, GraphIndex

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
