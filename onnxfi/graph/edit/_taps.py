"""Taps: what values inside control-flow bodies were in a run, handed out at the top level.

Each time a body runs, the iteration and the shape of a tapped value make a *record*, its elements
the *data*. Both have one length whenever they are made, padded where they are shorter, and are
blank where a branch is not taken: so loops can hand out those of all iterations, one behind the
other, without copying what is there already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx.helper
import onnx.numpy_helper
from numpy.typing import ArrayLike, NDArray
from onnx import GraphProto, NodeProto, ValueInfoProto

from onnxfi.bits import ElementType, format_of
from onnxfi.graph.edit._counters import add_counters, iteration_of
from onnxfi.graph.index import Body, Model
from onnxfi.graph.proto import Scope, TensorSpec, element_to_onnx, scopes, value_info

TAPPED = frozenset({"If", "Loop", "Scan"})
"""Operators whose bodies can be looked into."""

_RANK = 12  # of tensors that records have room for
_BLANK = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """The outputs that tell about a value.

    Attributes:
        record: int64 (n,), for :func:`recorded`.
        data: The elements each time that there is a record, blanks included, in the value's type
            (n,); None if not asked for.
        elements: How many elements each time has.
    """

    record: str
    data: str | None
    elements: int = 0


def tap(
    model: Model, values: Iterable[str], elements: Mapping[str, int] | None = None
) -> tuple[Model, Mapping[str, Tap]]:
    """The model with more outputs, which tell about values in control-flow bodies.

    Only for looking: no record of edits is kept. The model fails at run time if a loop in a Scan
    does not run equally often in each of the Scan's iterations.

    Args:
        model: The model.
        values: Tensors of known element type, in bodies of :data:`TAPPED` operators only.
        elements: By value how many elements it has, where these are wanted too.

    Returns:
        The model, and the outputs by value.
    """
    proto = model.editable()
    names = tuple(dict.fromkeys(values))
    counts = {name: iteration_of(model, name) for name in names}
    wanted = [counter for each in counts.values() if each for counter in each.counters]
    add_counters(proto.graph, dict.fromkeys(wanted))
    tapper = _Tapper(model, proto.graph)
    taps = {}
    for name in names:
        count = counts[name]
        many = None if elements is None else elements[name]
        taps[name] = tapper.tap(name, None if count is None else count.name, many)
    return model.edited(proto, model.edits, {**model.types}), taps


def recorded(record: NDArray[np.int64]) -> Iterator[tuple[int, tuple[int, ...]] | None]:
    """Iteration and shape of each time that a value was computed; None for blanks.

    Dimensions beyond the twelfth are -1.
    """
    for entry in record.reshape(-1, 2 + _RANK).tolist():
        iteration, rank = entry[:2]
        if iteration == _BLANK:
            yield None
        else:
            yield iteration, (*entry[2 : 2 + rank], *[-1] * (rank - _RANK))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A one-dimensional value on its way up.

    Attributes:
        name: What it is called where it has got to.
        element: Its type.
        length: Its length, None once a loop has made it depend on the run.
        blank: A stored value that stands for it where a branch is not taken.
    """

    name: str
    element: ElementType
    length: int | None
    blank: str


class _Tapper:
    def __init__(self, model: Model, graph: GraphProto) -> None:
        self._index = model.index
        self._prefix = model.free_prefix
        self._graph = graph
        self._scopes: dict[str, Scope] = {scope.path: scope for scope in scopes(graph)}
        self._made = 0
        self._stored: set[str] = set()

    def tap(self, value: str, iteration: str | None, elements: int | None) -> Tap:
        home = self._index.home(value)
        element = self._index.element_of(value)
        assert home is not None
        assert element is not None
        parts = [self._record(self._scopes[home.scope].graph, home.local, iteration)]
        if elements is not None:
            graph = self._scopes[home.scope].graph
            flat = self._node(graph, "Reshape", [home.local, self._numbers("flat", [-1])])
            blank = self._zeros(element, elements)
            name = self._fitted(graph, [flat, blank], elements)
            parts.append(_Part(name=name, element=element, length=elements, blank=blank))
        for body in self._index.around(home.scope):
            parts = [self._up(body, part) for part in parts]
        for part in parts:
            self._graph.output.append(_declared(part.name, part.element, None))
        if elements is None:
            return Tap(record=parts[0].name, data=None)
        return Tap(record=parts[0].name, data=parts[1].name, elements=elements)

    def _record(self, graph: GraphProto, local: str, iteration: str | None) -> _Part:
        count = iteration or self._numbers("zero", 0)
        shape = self._node(graph, "Shape", [local])
        rank = self._node(graph, "Shape", [shape])
        count = self._node(graph, "Reshape", [count, self._numbers("flat", [-1])])
        room = self._zeros(ElementType.INT64, _RANK)
        name = self._fitted(graph, [count, rank, shape, room], 2 + _RANK)
        blank = self._numbers("blank", [_BLANK] + [0] * (1 + _RANK))
        return _Part(name=name, element=ElementType.INT64, length=2 + _RANK, blank=blank)

    def _fitted(self, graph: GraphProto, parts: list[str], length: int) -> str:
        """Flat values one behind the other, the last one zeros, cut off at a length."""
        whole = self._node(graph, "Concat", parts, axis=0)
        first = self._numbers(f"first{length}", np.arange(length))
        return self._node(graph, "Gather", [whole, first], axis=0)

    def _up(self, body: Body, part: _Part) -> _Part:
        """Hand a part out of a body, to the graph around it."""
        scope = self._scopes[body.path]
        assert scope.parent is not None
        assert scope.owner is not None
        around = scope.parent.graph
        owner = around.node[scope.owner]
        if body.owner.op_type == "If":
            return replace(part, name=self._through_if(owner, scope, part))
        if body.owner.op_type == "Scan":
            name = self._through_scan(owner, scope.graph, part)
        elif part.length is None:
            name = self._joined(owner, scope.graph, part)
        else:
            name = self._stacked(owner, scope.graph, part)
        name = self._node(around, "Reshape", [name, self._numbers("flat", [-1])])
        empty = self._zeros(part.element, 0)
        return replace(part, name=name, length=None, blank=empty)

    def _through_if(self, owner: NodeProto, taken: Scope, part: _Part) -> str:
        for branch in self._scopes.values():
            if branch.parent is not taken.parent or branch.owner != taken.owner:
                continue
            name = part.name
            if branch is not taken:
                name = self._node(branch.graph, "Identity", [part.blank])
            branch.graph.output.append(_declared(name, part.element, part.length))
        owner.output.append(self._name("handed"))
        return str(owner.output[-1])

    def _stacked(self, owner: NodeProto, body: GraphProto, part: _Part) -> str:
        """Let a Loop hand out a part of each iteration."""
        self._fill_outputs(owner, body)
        body.output.append(_declared(part.name, part.element, part.length))
        owner.output.append(self._name("handed"))
        return str(owner.output[-1])

    def _joined(self, owner: NodeProto, body: GraphProto, part: _Part) -> str:
        """Let a Loop hand out a part whose length differs: as a state that grows."""
        self._fill_outputs(owner, body)
        states = len(body.input) - 2
        so_far, name = self._name("before"), self._name("handed")
        owner.input.extend([""] * (2 + states - len(owner.input)))
        owner.input.append(part.blank)
        owner.output.insert(states, name)
        body.input.append(_declared(so_far, part.element, None))
        grown = self._node(body, "Concat", [so_far, part.name], axis=0)
        after = [*body.output[: 1 + states], _declared(grown, part.element, None)]
        after += body.output[1 + states :]
        copies = [type(each).FromString(each.SerializeToString()) for each in after]
        del body.output[:]
        body.output.extend(copies)
        return name

    def _fill_outputs(self, owner: NodeProto, body: GraphProto) -> None:
        """Name the last outputs of a Loop that are left out."""
        missing = len(body.output) - 1 - len(owner.output)
        owner.output.extend(self._name("unread") for _ in range(missing))

    def _through_scan(self, owner: NodeProto, body: GraphProto, part: _Part) -> str:
        missing = len(body.output) - len(owner.output)
        owner.output.extend(self._name("unread") for _ in range(missing))
        body.output.append(_declared(part.name, part.element, part.length))
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

    def _zeros(self, element: ElementType, length: int) -> str:
        """A stored tensor of zeros."""
        name = f"{self._prefix}tap/{element.value}/{length}"
        if name not in self._stored:
            self._stored.add(name)
            zeros = np.zeros(length * format_of(element).value.itemsize, np.uint8)
            number = element_to_onnx(element)
            self._graph.initializer.add(
                name=name, dims=[length], data_type=number, raw_data=zeros.tobytes()
            )
        return name

    def _numbers(self, what: str, values: ArrayLike) -> str:
        """A stored tensor of int64."""
        name = f"{self._prefix}tap/{what}"
        if name not in self._stored:
            self._stored.add(name)
            tensor = onnx.numpy_helper.from_array(np.array(values, np.int64), name)
            self._graph.initializer.append(tensor)
        return name

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{self._prefix}tap/{what}#{self._made}"


def _declared(name: str, element: ElementType, length: int | None) -> ValueInfoProto:
    return value_info(TensorSpec(name=name, element=element, shape=(length,)))
