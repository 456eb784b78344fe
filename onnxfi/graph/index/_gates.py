"""Gates: which parts of stored tensors belong to which gate of a recurrent operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from onnxfi.graph.ops import OPERATORS, operator

_LARGEST = 2**24  # elements: larger tensors are not followed through nodes
_SHIFT = 40  # elements of a source are numbered below it
_SAME = frozenset({"Identity", "Cast", "CastLike", "DequantizeLinear"})

Ids = NDArray[np.int64]


class Origins:
    """Follows values back to stored tensors through operators that only move elements.

    Args:
        producers: The node that makes a value, by value.
        tensors: Stored tensors by name.
        inputs: What the node that makes a value reads, by value.
    """

    def __init__(
        self,
        producers: Mapping[str, NodeProto],
        tensors: Mapping[str, TensorProto],
        inputs: Mapping[str, Sequence[str]],
    ) -> None:
        self._producers = producers
        self._tensors = tensors
        self._inputs = inputs
        self._numbers: dict[str, int] = {}

    def stored_shape(self, value: str) -> tuple[int, ...] | None:
        """Shape of a stored tensor; None for anything else."""
        tensor = self._tensors.get(value)
        return None if tensor is None else tuple(tensor.dims)

    def of(self, value: str) -> Ids | None:
        """A number for the stored element that each element of a value is; None if not known."""
        tensor = self._tensors.get(value)
        if tensor is not None:
            shape = tuple(tensor.dims)
            count = int(np.prod(shape, dtype=np.int64))
            if count > _LARGEST:
                return None
            number = self._numbers.setdefault(value, len(self._numbers))
            return (np.arange(count) + (number << _SHIFT)).reshape(shape)
        node = self._producers.get(value)
        if node is None:
            return None
        try:
            return self._moved(node, self._inputs[value])
        except (ValueError, IndexError, TypeError):  # not what its operator allows
            return None

    def spread(self, ids: Ids, codes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Codes of a value's elements, at the stored elements that they are.

        Returns:
            By stored tensor, in its shape; -1 where no element of the value comes from.
        """
        found: dict[str, NDArray[np.int64]] = {}
        numbers = ids >> _SHIFT
        for name, number in self._numbers.items():
            here = numbers == number
            if here.any():
                flat = np.full(int(np.prod(self._tensors[name].dims, dtype=np.int64)), -1)
                flat[ids[here] - (number << _SHIFT)] = codes[here]
                found[name] = flat.reshape(tuple(self._tensors[name].dims))
        return found

    def _moved(self, node: NodeProto, inputs: Sequence[str]) -> Ids | None:
        attributes = {item.name: item for item in node.attribute}
        if node.op_type == "Concat":
            parts = [self.of(name) for name in inputs]
            known = [part for part in parts if part is not None]
            axis = _value(attributes, "axis", 0)
            return np.concatenate(known, axis=axis) if len(known) == len(parts) else None
        data = self.of(inputs[0]) if inputs else None
        if data is None or node.op_type in _SAME:
            return data
        if node.op_type == "Transpose":
            return np.transpose(data, _value(attributes, "perm", None))
        rest = [self._constant(name) for name in inputs[1:]]
        if node.op_type in ("Unsqueeze", "Squeeze"):
            axes = _value(attributes, "axes", rest[0] if rest else None)
            if node.op_type == "Squeeze":
                return np.squeeze(data, None if axes is None else tuple(axes))
            return np.expand_dims(data, tuple(axes))
        if node.op_type == "Reshape" and rest and rest[0] is not None:
            shape = [dim or data.shape[place] for place, dim in enumerate(rest[0])]
            return data.reshape(shape)
        if node.op_type == "Slice":
            return _sliced(data, attributes, rest)
        return None

    def _constant(self, name: str) -> list[int] | None:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
            return None
        return [int(number) for number in numpy_helper.to_array(tensor).reshape(-1).tolist()]


def _sliced(
    data: Ids, attributes: Mapping[str, AttributeProto], rest: list[list[int] | None]
) -> Ids | None:
    given = dict(zip(("starts", "ends", "axes", "steps"), rest, strict=False))
    starts = _value(attributes, "starts", given.get("starts"))
    ends = _value(attributes, "ends", given.get("ends"))
    axes = _value(attributes, "axes", given.get("axes")) or range(len(starts))
    steps = given.get("steps") or [1] * len(starts)
    where = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            return None
        where[axis] = slice(start, end, step)
    return data[tuple(where)]


def _value(attributes: Mapping[str, AttributeProto], name: str, default: Any) -> Any:
    item = attributes.get(name)
    return default if item is None else helper.get_attribute_value(item)


RECURRENT = frozenset(name for name, row in OPERATORS.items() if row.gates)
_LSTM = "iofc"
_PEEPHOLES = "iof"
_W, _R, _B, _P = 1, 2, 3, 7
_QUANTIZATION = (8, 9, 10, 11)  # scales and zero points of W and R in DynamicQuantizeLSTM


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """How a stored tensor is divided into gates: blocks of one size along one axis.

    Attributes:
        axis: The axis.
        size: Entries of a block along it.
        blocks: The gate of each block, in order: i, o, f, c of an LSTM (input, output, forget,
            cell); z, r, h of a GRU (update, reset, hidden); i of an RNN. A tensor with the biases
            of W and of R has each gate twice.
    """

    axis: int
    size: int
    blocks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The gates, each once, in order."""
        return tuple(dict.fromkeys(self.blocks))


def find_gates(nodes: Sequence[tuple[str, Sequence[str]]], origins: Origins) -> dict[str, Gates]:
    """The gates of all stored tensors that recurrent operators read, directly or moved about.

    A tensor that two operators read in different ways has none.

    Args:
        nodes: Operator and inputs of each node.
        origins: Where values come from.
    """
    found: dict[str, Gates | None] = {}
    for op_type, inputs in nodes:
        for slot, axis, order in _slots(op_type):
            value = inputs[slot] if slot < len(inputs) else ""
            for name, gates in _of_value(value, axis, order, origins):
                found[name] = gates if found.get(name, gates) == gates else None
    return {name: gates for name, gates in found.items() if gates is not None}


def _slots(op_type: str) -> Iterator[tuple[int, int, str]]:
    """Inputs of an operator that are packed: slot, axis, and the gates along it."""
    order = operator(op_type).gates
    if not order:
        return
    quantized = op_type == "DynamicQuantizeLSTM"
    yield _W, 2 if quantized else 1, order
    yield _R, 2 if quantized else 1, order
    yield _B, 1, 2 * order
    if order == _LSTM:
        yield _P, 1, _PEEPHOLES
    if quantized:
        for slot in _QUANTIZATION:
            yield slot, 1, order


def _of_value(
    value: str, axis: int, order: str, origins: Origins
) -> Iterator[tuple[str, Gates | None]]:
    """The gates of the stored tensors that make a packed input."""
    shape = origins.stored_shape(value)
    if shape is not None:  # packed as it is stored, as most are
        yield value, _whole(shape, axis, order)
        return
    sources = origins.of(value)
    if sources is None or sources.ndim <= axis or sources.shape[axis] % len(order):
        return
    size = sources.shape[axis] // len(order)
    along = np.repeat(np.arange(len(order)), size)
    block = np.broadcast_to(
        along.reshape([-1 if each == axis else 1 for each in range(sources.ndim)]), sources.shape
    )
    for name, codes in origins.spread(sources, block).items():
        yield name, _divided(codes, order)


def _whole(shape: Sequence[int], axis: int, order: str) -> Gates | None:
    if len(shape) <= axis or not shape[axis] or shape[axis] % len(order):
        return None
    return Gates(axis=axis, size=shape[axis] // len(order), blocks=tuple(order))


def _divided(codes: NDArray[np.int64], order: str) -> Gates | None:
    """The gates of a tensor whose elements are known to belong to blocks; None if scattered."""
    if codes.size == 0 or (codes < 0).any():
        return None
    for axis in range(codes.ndim):
        lines = np.moveaxis(codes, axis, 0).reshape(codes.shape[axis], -1)
        if not (lines == lines[:, :1]).all():
            continue
        line = lines[:, 0]
        starts = [0, *(np.flatnonzero(np.diff(line)) + 1), len(line)]
        size = int(np.gcd.reduce(np.diff(starts)))
        blocks = tuple(order[code] for code in line[::size].tolist())
        if len(set(blocks)) == len(set(order)):
            return Gates(axis=axis, size=size, blocks=blocks)
    return None
