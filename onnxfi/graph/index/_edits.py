"""The record of edits: what was done on purpose, against which the verifier compares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The two names of a value between which a node group goes.

    Attributes:
        clean: The value before the group.
        faulty: The value after it, which all consumers read.
        scope: The graph that both are in, ``""`` at the top level, else ``node/branch``.
    """

    clean: str
    faulty: str
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCounter:
    """The state that was given to a Scan, in front of its own, to count iterations.

    Attributes:
        scope: The Scan's body.
        start: What it starts from: a stored 0.
        step: The body's input: the iteration, from 0.
        following: The body's output: one more.
        result: The Scan's output, which nothing reads.
    """

    scope: str
    start: str
    step: str
    following: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """All edits since the model was loaded.

    Attributes:
        replaced: Initializers with new data.
        lifted: Initializers that became graph inputs of the same (qualified) name.
        exposed: Values that became graph outputs, in order.
        endpoints: Where node groups were put.
        counters: Counters that Scans got.
        nodes: Names of nodes that groups added, those in nested graphs behind their scope.
        constants: Names of initializers that groups added.
        inputs: Names of graph inputs that groups added, in order.
        domains: Operator domains that groups added.
    """

    replaced: frozenset[str] = frozenset()
    lifted: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    counters: tuple[ScanCounter, ...] = ()
    nodes: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    inputs: tuple[str, ...] = ()
    domains: frozenset[str] = frozenset()
