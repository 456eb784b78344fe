"""Taps: what values inside control-flow bodies were in a run, handed out at the top level.

Each time a body runs, a tapped value is flattened, and so are its iteration number and shape (the
record). Both become outputs of the body; on the way up, branches that lack them hand out nothing,
and loops hand out all iterations one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto

from onnxfi.bits import ElementType
from onnxfi.graph._counters import add_counters, iteration_of
from onnxfi.graph._elements import element_to_onnx
from onnxfi.graph._index import Body
from onnxfi.graph._model import Model
from onnxfi.graph._spec import TensorSpec, value_info
from onnxfi.graph._walk import Scope, scopes

TAPPED = frozenset({"If", "Loop", "Scan"})
"""Operators whose bodies can be looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """The outputs that tell about a value.

    Attributes:
        record: int64 (n,): for each time that it was computed the iteration, the rank, the shape.
        data: The elements of all of them, in the value's type (n,); None if not asked for.
    """

    record: str
    data: str | None


def tap(model: Model, values: Iterable[str], *, data: bool) -> tuple[Model, Mapping[str, Tap]]:
    """The model with more outputs, which tell about values in control-flow bodies.

    Only for looking: no record of edits is kept. The model fails at run time if a value in a Scan
    is not computed in each of its iterations, or in other shapes.

    Args:
        model: The model.
        values: Tensors of known element type, in bodies of :data:`TAPPED` operators only.
        data: Whether their elements are wanted too.

    Returns:
        The model, and the outputs by value.
    """
    proto = model._copy()
    names = tuple(dict.fromkeys(values))
    counts = {name: iteration_of(model, name) for name in names}
    wanted = [counter for each in counts.values() if each for counter in each.counters]
    add_counters(proto.graph, dict.fromkeys(wanted))
    tapper = _Tapper(model, proto.graph)
    taps = {}
    for name in names:
        count = counts[name]
        taps[name] = tapper.tap(name, None if count is None else count.name, data=data)
    return model._edited(proto, model._edits, {**model._types}), taps


def recorded(record: NDArray[np.int64]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Iteration and shape of each time that a value was computed, from its record."""
    numbers: Sequence[int] = record.tolist()
    place = 0
    while place < len(numbers):
        iteration, rank = numbers[place], numbers[place + 1]
        place += 2 + rank
        yield iteration, tuple(numbers[place - rank : place])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A one-dimensional value on its way up: its name where it has got to."""

    name: str
    element: ElementType


class _Tapper:
    def __init__(self, model: Model, graph: GraphProto) -> None:
        self._index = model.index
        self._prefix = model._prefix
        self._graph = graph
        self._scopes: dict[str, Scope] = {scope.path: scope for scope in scopes(graph)}
        self._made = 0
        self._stored: set[str] = set()

    def tap(self, value: str, iteration: str | None, *, data: bool) -> Tap:
        home = self._index.home(value)
        element = self._index.element_of(value)
        assert home is not None
        assert element is not None
        graph = self._scopes[home.scope].graph
        flat = self._constant("flat", np.array([-1], np.int64))
        count = iteration or self._constant("zero", np.array(0, np.int64))
        shape = self._node(graph, "Shape", [home.local])
        rank = self._node(graph, "Shape", [shape])
        count = self._node(graph, "Reshape", [count, flat])
        record = self._node(graph, "Concat", [count, rank, shape], axis=0)
        parts = [_Part(name=record, element=ElementType.INT64)]
        if data:
            made = self._node(graph, "Reshape", [home.local, flat])
            parts.append(_Part(name=made, element=element))
        for body in self._index.around(home.scope):
            parts = [self._up(body, part) for part in parts]
        for part in parts:
            self._graph.output.append(_declared(part.name, part.element))
        return Tap(record=parts[0].name, data=parts[1].name if data else None)

    def _up(self, body: Body, part: _Part) -> _Part:
        """Hand a part out of a body, to the graph around it."""
        scope = self._scopes[body.path]
        assert scope.parent is not None
        assert scope.owner is not None
        around = scope.parent.graph
        owner = around.node[scope.owner]
        if body.owner.op_type == "If":
            name = self._through_if(owner, scope, part)
        elif body.owner.op_type == "Loop":
            name = self._through_loop(owner, scope.graph, part)
        else:
            stacked = self._through_scan(owner, scope.graph, part)
            flat = self._constant("flat", np.array([-1], np.int64))
            name = self._node(around, "Reshape", [stacked, flat])
        return _Part(name=name, element=part.element)

    def _through_if(self, owner: NodeProto, taken: Scope, part: _Part) -> str:
        for branch in self._scopes.values():
            if branch.parent is not taken.parent or branch.owner != taken.owner:
                continue
            name = part.name
            if branch is not taken:
                name = self._node(branch.graph, "Identity", [self._empty(part.element)])
            branch.graph.output.append(_declared(name, part.element))
        owner.output.append(self._name("handed"))
        return str(owner.output[-1])

    def _through_loop(self, owner: NodeProto, body: GraphProto, part: _Part) -> str:
        states = len(body.input) - 2
        so_far, name = self._name("before"), self._name("handed")
        owner.input.extend([""] * (2 + states - len(owner.input)))
        owner.input.append(self._empty(part.element))
        owner.output.extend(self._name("unread") for _ in range(states - len(owner.output)))
        owner.output.insert(states, name)
        body.input.append(_declared(so_far, part.element))
        grown = self._node(body, "Concat", [so_far, part.name], axis=0)
        after = [*body.output[: 1 + states], _declared(grown, part.element)]
        after += body.output[1 + states :]
        copies = [type(each).FromString(each.SerializeToString()) for each in after]
        del body.output[:]
        body.output.extend(copies)
        return name

    def _through_scan(self, owner: NodeProto, body: GraphProto, part: _Part) -> str:
        body.output.append(_declared(part.name, part.element))
        owner.output.append(self._name("handed"))
        for attribute in owner.attribute:
            if attribute.name in ("scan_output_axes", "scan_output_directions"):
                attribute.ints.append(0)
        return str(owner.output[-1])

    def _node(self, graph: GraphProto, op_type: str, inputs: list[str], **attributes: Any) -> str:
        name = self._name(op_type.lower())
        made = onnx.helper.make_node(op_type, inputs, [name], f"{name}:node", **attributes)
        graph.node.append(made)
        return name

    def _empty(self, element: ElementType) -> str:
        """A stored tensor without elements."""
        name = f"{self._prefix}tap/empty/{element.value}"
        if name not in self._stored:
            self._stored.add(name)
            self._graph.initializer.add(name=name, dims=[0], data_type=element_to_onnx(element))
        return name

    def _constant(self, what: str, values: NDArray[np.int64]) -> str:
        name = f"{self._prefix}tap/{what}"
        if name not in self._stored:
            self._stored.add(name)
            self._graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        return name

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{self._prefix}tap/{what}#{self._made}"


def _declared(name: str, element: ElementType) -> Any:
    return value_info(TensorSpec(name=name, element=element, shape=(None,)))
