"""Gates: which parts of the packed weights of recurrent operators belong to which gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxfi.graph.index._origins import Origins

# In the order in which the operators pack them.
_ORDER = {"LSTM": "iofc", "DynamicQuantizeLSTM": "iofc", "GRU": "zrh", "RNN": "i"}
RECURRENT = frozenset(_ORDER)
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
    order = _ORDER.get(op_type)
    if order is None:
        return
    quantized = op_type == "DynamicQuantizeLSTM"
    yield _W, 2 if quantized else 1, order
    yield _R, 2 if quantized else 1, order
    yield _B, 1, 2 * order
    if order == _ORDER["LSTM"]:
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
