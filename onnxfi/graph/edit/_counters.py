"""Iteration counters: what tells nodes in a loop's body which iteration it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import onnx.numpy_helper
from onnx import GraphProto, NodeProto, TensorProto

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Edits, Model, ScanCounter
from onnxfi.graph.proto import join, scopes

_ONE = "/one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """The number of the current iteration, where a value is computed.

    Attributes:
        name: The int64 scalar that nodes there can read; 0 in the first iteration.
        counters: What has to be added to the model for it to be there.
    """

    name: str
    counters: tuple[ScanCounter, ...]


def iteration_of(model: Model, value: str) -> Iteration | None:
    """The iteration counter of the innermost loop around a value; None if there is no loop.

    A Loop has one; a Scan gets one as a state of its own.

    Raises:
        RewriteError: The model has no such value, or its counter can't be read there.
    """
    index = model.index
    home = index.home(value)
    if home is None:
        raise RewriteError(f"the model has no value {value!r}")
    for body in index.around(home.scope):
        if body.owner.op_type == "Loop":
            number = index.home(body.inputs[0])
            assert number is not None
            return Iteration(name=number.local, counters=())
        if body.owner.op_type == "Scan":
            there = [each for each in model.edits.counters if each.scope == body.path]
            counter = there[0] if there else _counter(model, body.path)
            return Iteration(name=counter.step, counters=(counter,))
    return None


def _counter(model: Model, scope: str) -> ScanCounter:
    prefix = f"{model.free_prefix}{scope}/"
    return ScanCounter(
        scope=scope,
        start=f"{prefix}start",
        step=f"{prefix}step",
        following=f"{prefix}following",
        result=f"{prefix}result",
    )


def add_counters(graph: GraphProto, counters: Iterable[ScanCounter]) -> None:
    """Give Scans their counters, in place: a state in front of their own."""
    wanted = {counter.scope: counter for counter in counters}
    if not wanted:
        return
    for scope in scopes(graph):
        counter = wanted.get(scope.path)
        if counter is None or scope.parent is None or scope.owner is None:
            continue
        _count(scope.parent.graph.node[scope.owner], scope.graph, counter)
    for counter in wanted.values():
        for name, value in ((counter.start, 0), (counter.start + _ONE, 1)):
            tensor = onnx.numpy_helper.from_array(np.array(value, np.int64), name)
            graph.initializer.append(tensor)


def with_counters(edits: Edits, counters: tuple[ScanCounter, ...]) -> Edits:
    """The record of edits with counters added."""
    if not counters:
        return edits
    starts = {counter.start for counter in counters}
    return replace(
        edits,
        counters=(*edits.counters, *counters),
        nodes=edits.nodes | {join(each.scope, _node_name(each)) for each in counters},
        constants=edits.constants | starts | {start + _ONE for start in starts},
    )


def _count(scan: NodeProto, body: GraphProto, counter: ScanCounter) -> None:
    _put_first(scan.input, counter.start)
    _put_first(scan.output, counter.result)
    for values, name in ((body.input, counter.step), (body.output, counter.following)):
        before = list(values)
        value = values.add(name=name)
        value.type.tensor_type.elem_type = TensorProto.INT64
        value.type.tensor_type.shape.SetInParent()
        front = [value, *before]
        copies = [type(each)() for each in front]
        for copy, each in zip(copies, front, strict=True):
            copy.CopyFrom(each)
        del values[:]
        values.extend(copies)
    body.node.add(
        op_type="Add",
        name=_node_name(counter),
        input=[counter.step, counter.start + _ONE],
        output=[counter.following],
    )


def _put_first(names: object, name: str) -> None:
    names.insert(0, name)  # type: ignore[attr-defined]  # a protobuf list of texts


def _node_name(counter: ScanCounter) -> str:
    return f"{counter.following}:node"
