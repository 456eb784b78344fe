"""Shift ports: nodes behind a target's values that add to a channel, or to one element of it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.engine import Profile
from onnxfi.faults import SampleLayout
from onnxfi.graph import (
    Model,
    NodeGroup,
    NodeSpec,
    TensorSpec,
    element_to_onnx,
    endpoints,
    unique_prefix,
)
from onnxfi.sensitivity.probes._arithmetic import Arithmetic
from onnxfi.sensitivity.rules import Target
from onnxfi.sensitivity.scores import Axis

_BLOCKED = "com.microsoft.nchwc"  # tensors whose channels lie in blocks, whatever their shape says
_FIRST_OPSET = 13  # of Cast with bfloat16; of what else is used, too
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2  # its multiples are spread evenly, however many there are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShiftedRows:
    """What is shifted in the rows of a run, arrays of one length.

    Attributes:
        row: int64, the sample of the run.
        sample: int64, the calibration sample that it is.
        channel: int64, which channel is shifted.
        amount: float64, by how much; NaN overwrites it with NaN.
    """

    row: NDArray[np.int64]
    sample: NDArray[np.int64]
    channel: NDArray[np.int64]
    amount: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShiftPort:
    """The graph inputs by which a target is shifted; its values share them.

    Attributes:
        target: The target.
        arithmetic: How its numbers are shifted.
        layout: Where samples lie in its values.
        axis: Axis of the channels.
        amount_input: Name of the input that is added.
        index_input: Name of the input int64 (k,) with flat indices of what it is added to; None
            where whole channels are shifted.
        offsets: float64 (channels,), 0..1: where in each channel the first element is.
    """

    target: Target
    arithmetic: Arithmetic
    layout: SampleLayout
    axis: int
    amount_input: str
    index_input: str | None
    offsets: NDArray[np.float64]

    @property
    def shared(self) -> bool:
        """Whether all samples of a run see one shift, since the value exists once for all."""
        return self.layout.batch_axis is None

    def disarmed(self) -> dict[str, NDArray[np.generic]]:
        """Feeds with which the values are what they are."""
        if self.index_input is None:
            shape = (1,) * len(self.layout.shape)
            return {self.amount_input: self._column(np.full(shape, self.arithmetic.nothing))}
        nothing = self._column(np.zeros(0))
        return {self.amount_input: nothing, self.index_input: np.zeros(0, np.int64)}

    def armed(self, rows: ShiftedRows, size: int) -> dict[str, NDArray[np.generic]]:
        """Feeds for a run over ``size`` samples; rows that are not given are not shifted."""
        if self.index_input is None:
            return {self.amount_input: self._column(self._broadcast(rows, size))}
        index = self.layout.flat(self._elements(rows), rows.row, size)
        amount = rows.amount
        if self.shared:
            index, amount = index[:1], amount[:1]
        return {self.amount_input: self._column(amount), self.index_input: index}

    def _broadcast(self, rows: ShiftedRows, size: int) -> NDArray[np.float64]:
        """One number a row and channel, for all elements that both have in common."""
        each = [1] * len(self.layout.shape)
        each[self.axis] = self.target.channels
        batch = self.layout.batch_axis
        if batch is None:
            added = np.full(each, self.arithmetic.nothing)
            np.moveaxis(added, self.axis, 0)[rows.channel[0]] = rows.amount[0]
            return added
        own = self.layout.rows
        each[batch] = own
        added = np.full((size, *each), self.arithmetic.nothing)
        amount = rows.amount.reshape(-1, *[1] * (len(each) - 1))
        if self.target.channels == 1:
            added[rows.row] = amount[..., np.newaxis]
        else:
            np.moveaxis(added, 1 + self.axis, 1)[rows.row, rows.channel] = amount
        laid = np.moveaxis(added, 0, batch)
        return laid.reshape(*each[:batch], size * own, *each[batch + 1 :])

    def _elements(self, rows: ShiftedRows) -> NDArray[np.int64]:
        """Flat indices within a sample: for each sample another place of the channel."""
        axis = Axis.of_shape(self.layout.shape, self.axis)
        places = self.layout.elements // self.target.channels
        turn = (rows.sample * _GOLDEN_RATIO + self.offsets[rows.channel]) % 1.0
        place = np.minimum((turn * places).astype(np.int64), places - 1)
        if self.target.channels == 1:
            return place
        before, behind = np.divmod(place, axis.stride)
        return (before * axis.size + rows.channel) * axis.stride + behind

    def _column(self, amounts: NDArray[np.float64]) -> NDArray[np.generic]:
        return self.arithmetic.column(amounts)


def shift_port(model: Model, target: Target, profile: Profile, seed: int) -> ShiftPort | None:
    """The port of a target.

    Args:
        model: The model.
        target: The target.
        profile: Where samples lie in its values.
        seed: Of the choice of elements.

    Returns:
        None if it can't have one: its values lie in nested graphs, in blocks of channels, are
        of a type that can't be added to, of unknown or different layouts, or have other channels
        than the target says.
    """
    layouts = [profile.layouts.get(each.value) for each in target.values]
    elements = {model.index.element_of(each.value) for each in target.values}
    first, element = layouts[0], next(iter(elements))
    if first is None or element is None or len(elements) > 1 or not first.shape:
        return None
    if any(
        each is None or (each.shape, each.batch_axis) != (first.shape, first.batch_axis)
        for each in layouts
    ):
        return None
    rank = len(first.shape)
    axes = {each.axis % rank for each in target.values if -rank <= each.axis < rank}
    arithmetic = Arithmetic.of(element)
    if arithmetic is None or len(axes) != 1 or not _open(model, target):
        return None
    axis = axes.pop()
    if target.channels not in (1, first.shape[axis]) or not first.elements:
        return None
    prefix = f"{unique_prefix(model)}{target.name}/shift/"
    rng = np.random.default_rng([seed, zlib.crc32(target.name.encode())])
    return ShiftPort(
        target=target,
        arithmetic=arithmetic,
        layout=first,
        axis=axis,
        amount_input=f"{prefix}amount",
        index_input=None if target.whole else f"{prefix}index",
        offsets=rng.random(target.channels),
    )


def opset_needed(ports: Sequence[ShiftPort]) -> int:
    """First opset that has the operators of some ports."""
    return _FIRST_OPSET if ports else 1


def shift_groups(model: Model, port: ShiftPort) -> tuple[NodeGroup, ...]:
    """The nodes of a port, a group for each of its values."""
    groups = []
    for number, value in enumerate(dict.fromkeys(each.value for each in port.target.values)):
        ends = endpoints(model, value)
        prefix = f"{unique_prefix(model)}{value}/shift/"
        build = _Build(prefix=prefix, port=port)
        if port.index_input is None:
            nodes = build.whole(ends.clean, ends.faulty)
        else:
            nodes = build.element(ends.clean, ends.faulty)
        groups.append(
            NodeGroup(
                value=value,
                nodes=tuple(nodes),
                constants=build.constants(),
                inputs=() if number else _inputs(port),
            )
        )
    return tuple(groups)


def _open(model: Model, target: Target) -> bool:
    """Whether nodes can be put behind all values of a target."""
    index, fed = model.index, {spec.name for spec in model.inputs}
    for each in target.values:
        owner, maker = index.home(each.value), index.producer(each.value)
        if owner is None or owner.scope:
            return False
        if maker is None and (each.value not in fed or index.returned(each.value)):
            return False
        if maker is not None and maker.domain == _BLOCKED and maker.op_type != "ReorderOutput":
            return False
    return True


def _inputs(port: ShiftPort) -> tuple[TensorSpec, ...]:
    work = port.arithmetic.work
    if port.index_input is None:
        shape = (None,) * len(port.layout.shape)
        return (TensorSpec(name=port.amount_input, element=work, shape=shape),)
    length = (f"{port.amount_input}s",)
    return (
        TensorSpec(name=port.amount_input, element=work, shape=length),
        TensorSpec(name=port.index_input, element=ElementType.INT64, shape=length),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """Builds the nodes of one value."""

    prefix: str
    port: ShiftPort

    def whole(self, clean: str, faulty: str) -> list[NodeSpec]:
        """Nodes that add to all of the value."""
        return self._sum(clean, faulty)

    def element(self, clean: str, faulty: str) -> list[NodeSpec]:
        """Nodes that add to some elements of it."""
        flat, shape, picked = self._name("flat"), self._name("shape"), self._name("picked")
        shifted, scattered = self._name("shifted"), self._name("scattered")
        assert self.port.index_input is not None
        index = self.port.index_input
        return [
            self._node("Shape", [clean], shape),
            self._node("Reshape", [clean, self._name("line")], flat),
            self._node("Gather", [flat, index], picked),
            *self._sum(picked, shifted),
            self._node("ScatterElements", [flat, index, shifted], scattered),
            self._node("Reshape", [scattered, shape], faulty),
        ]

    def constants(self) -> Mapping[str, NDArray[np.generic]]:
        """Initializers that the nodes read."""
        found: dict[str, NDArray[np.generic]] = {}
        arithmetic = self.port.arithmetic
        if self.port.index_input is not None:
            found[self._name("line")] = np.array([-1], np.int64)
        if arithmetic.bounds is not None:
            dtype = format_of(arithmetic.work).value
            for name, bound in zip(("low", "high"), arithmetic.bounds, strict=True):
                found[self._name(name)] = np.array(bound, dtype)
        return found

    def _sum(self, value: str, result: str) -> list[NodeSpec]:
        """Nodes that add the amounts to a value, in a type in which that can be done."""
        arithmetic, amount = self.port.arithmetic, self.port.amount_input
        if arithmetic.work is arithmetic.element:
            return [self._node("Add", [value, amount], result)]
        wide, added = self._name("wide"), self._name("added")
        nodes = [
            self._cast(value, wide, arithmetic.work),
            self._node("Add", [wide, amount], added),
        ]
        if arithmetic.bounds is not None:
            below, inside = self._name("below"), self._name("inside")
            nodes += [
                self._node("Min", [added, self._name("high")], below),
                self._node("Max", [below, self._name("low")], inside),
            ]
            added = inside
        return [*nodes, self._cast(added, result, arithmetic.element)]

    def _name(self, part: str) -> str:
        return f"{self.prefix}{part}"

    def _cast(self, value: str, result: str, element: ElementType) -> NodeSpec:
        node = self._node("Cast", [value], result)
        attributes = {"to": element_to_onnx(element)}
        return NodeSpec(
            op_type="Cast",
            name=node.name,
            inputs=node.inputs,
            outputs=node.outputs,
            attributes=attributes,
        )

    def _node(self, op_type: str, inputs: Sequence[str], result: str) -> NodeSpec:
        own = result if result.startswith(self.prefix) else self._name("result")
        return NodeSpec(op_type=op_type, name=f"{own}:node", inputs=inputs, outputs=(result,))
