"""Nodes that can't be cut apart: makers and readers of values that can't cross a cut."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

Readers = Sequence[Sequence[int]]


def bound_groups(
    reads: Sequence[Sequence[int]], closed: Mapping[int, Sequence[int]]
) -> list[list[int]]:
    """Nodes in groups that are as small as can be, in an order in which the groups can run.

    A node is in one group with those that read what it makes and what can't cross; whatever lies
    between two nodes of a group is in it, too. Without such nodes each is a group of its own, and
    the order is the one given.

    Args:
        reads: For each node, which come in an order in which they can run, the nodes that it reads
            from.
        closed: Nodes that make something that can't cross, and who reads that.
    """
    readers: list[list[int]] = [[] for _ in reads]
    for node, before in enumerate(reads):
        for maker in before:
            readers[maker].append(node)
    # A way back from each reader: who is on the way there lies in a circle with both.
    back: list[list[int]] = [[] for _ in reads]
    for maker, bound in closed.items():
        for node in bound:
            back[node].append(maker)
    there = [[*one, *two] for one, two in zip(readers, back, strict=True)]
    return _in_order(_circles(there), reads)


def _circles(there: Readers) -> list[int]:
    """For each node the number of its circle: all that it reaches and that reach it."""
    finished: list[int] = []
    seen: set[int] = set()
    for start in range(len(there)):
        finished.extend(_behind(start, there, seen))
    reached: list[list[int]] = [[] for _ in there]
    for node, others in enumerate(there):
        for other in others:
            reached[other].append(node)
    circle = [-1] * len(there)
    seen = set()
    for start in reversed(finished):
        for node in _behind(start, reached, seen):
            circle[node] = start
    return circle


def _behind(start: int, there: Readers, seen: set[int]) -> Iterator[int]:
    """Nodes not seen before that are reached from one, each after those that it reaches."""
    if start in seen:
        return
    seen.add(start)
    ways = [(start, iter(there[start]))]
    while ways:
        node, rest = ways[-1]
        following = next((other for other in rest if other not in seen), None)
        if following is None:
            ways.pop()
            yield node
        else:
            seen.add(following)
            ways.append((following, iter(there[following])))


def _in_order(circle: Sequence[int], reads: Sequence[Sequence[int]]) -> list[list[int]]:
    """The circles, each after those that it reads from, else by their first nodes."""
    members: dict[int, list[int]] = {}
    for node, number in enumerate(circle):
        members.setdefault(number, []).append(node)
    waits = {
        number: {circle[maker] for node in nodes for maker in reads[node]} - {number}
        for number, nodes in members.items()
    }
    followers: dict[int, list[int]] = {number: [] for number in members}
    for number, before in waits.items():
        for other in before:
            followers[other].append(number)
    ready = [(nodes[0], number) for number, nodes in members.items() if not waits[number]]
    heapq.heapify(ready)
    found = []
    while ready:
        _, number = heapq.heappop(ready)
        found.append(members[number])
        for other in followers[number]:
            waits[other].discard(number)
            if not waits[other]:
                heapq.heappush(ready, (members[other][0], other))
    return found
