"""Static cost of model-local functions: what expanding all calls would give, without doing it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onnx import FunctionProto, ModelProto, NodeProto

from onnxfi.errors import ModelError
from onnxfi.graph.proto._walk import bodies

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What a body becomes when every call in it is expanded.

    Attributes:
        nodes: Nodes.
        size: Bytes of its nodes.
        nesting: Depth of graphs within graphs.
        calls: Length of the longest chain of calls.
    """

    nodes: int
    size: int
    nesting: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """A body as stored: its own cost, and its calls, each with the nesting depth it is at."""

    own: CallCost
    calls: tuple[tuple[Key, int], ...]


def function_key(function: FunctionProto) -> Key:
    """What identifies a function."""
    return (_domain(function.domain), function.name, function.overload)


def call_key(node: NodeProto) -> Key:
    """The function that a node calls, if the model has it."""
    return (_domain(node.domain), node.op_type, node.overload)


def check_expansion(proto: ModelProto) -> CallCost:
    """The largest cost of the main graph and of each function, by dynamic programming.

    Every body is looked at once, so a few kB that expand 2^23-fold cost no more than their size.

    Raises:
        ModelError: Functions call each other in a circle.
    """
    known = {function_key(function) for function in proto.functions}
    stored = {function_key(f): _stored(f.node, known) for f in proto.functions}
    done: dict[Key, CallCost] = {}
    for key in stored:
        _settle(key, stored, done)
    main = _total(_stored(proto.graph.node, known), done)
    every = [main, *done.values()]
    return CallCost(
        nodes=max(cost.nodes for cost in every),
        size=max(cost.size for cost in every),
        nesting=max(cost.nesting for cost in every),
        calls=max(cost.calls for cost in every),
    )


def _settle(start: Key, stored: dict[Key, _Body], done: dict[Key, CallCost]) -> None:
    """Cost of a function and of all that it calls, callees first, without recursion."""
    on_path: set[Key] = set()
    pending = [(start, False)]
    while pending:
        key, settled = pending.pop()
        if settled:
            done[key] = _total(stored[key], done)
            on_path.discard(key)
        elif key not in done:
            on_path.add(key)
            pending.append((key, True))
            callees = {callee for callee, _ in stored[key].calls} - done.keys()
            if callees & on_path:
                raise ModelError(
                    f"model-local function {_shown(min(callees & on_path))} calls itself"
                )
            pending += [(callee, False) for callee in callees]


def _total(body: _Body, done: dict[Key, CallCost]) -> CallCost:
    nodes, size, nesting, calls = body.own.nodes, body.own.size, body.own.nesting, body.own.calls
    for callee, depth in body.calls:
        cost = done[callee]
        nodes += cost.nodes
        size += cost.size
        nesting = max(nesting, depth + cost.nesting)
        calls = max(calls, cost.calls + 1)
    return CallCost(nodes=nodes, size=size, nesting=nesting, calls=calls)


def _stored(nodes: Iterable[NodeProto], known: set[Key]) -> _Body:
    count = size = deepest = 0
    calls: list[tuple[Key, int]] = []
    stack = [(nodes, 0)]
    while stack:
        some, depth = stack.pop()
        deepest = max(deepest, depth)
        for node in some:
            count += 1
            if not depth:
                size += node.ByteSize()
            if call_key(node) in known:
                calls.append((call_key(node), depth))
            stack += [(body.node, depth + 1) for _, body in bodies(node)]
    own = CallCost(nodes=count, size=size, nesting=deepest, calls=0)
    return _Body(own=own, calls=tuple(calls))


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _shown(key: Key) -> str:
    domain, name, overload = key
    text = f"{domain}::{name}" if domain else name
    return repr(f"{text}:{overload}" if overload else text)
