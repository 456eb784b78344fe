"""Narrow runs: of an operator whose stored tensor changes in a few output channels, only those.

A fault in a convolution's filter changes the output channels of that filter alone, and a slice of
its filters is a narrower convolution: in onnxruntime's blocked layout, where filters lie one behind
the other in blocks of channels, as well as in integer convolutions. A fault in a matrix of weights
changes the output columns of its own column alone, and a few columns are a narrower matrix. How
many there are decides how the kernel adds: see :func:`_width`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType
from onnxfi.engine.executable._inputs import TensorChange
from onnxfi.engine.golden import Observation
from onnxfi.graph import Model, Node, Part, node_attributes
from onnxfi.graph.ops import operator

_BLOCKED = "com.microsoft.nchwc"
_CONVOLUTIONS = ("convolution", "quantized_convolution")
_WORTH = 1 / 2
# Inputs by position: of the blocked convolution, and of the integer one, whose scales and zero
# points may be of all channels at once.
_FILTER, _BIAS, _SUM = 1, 2, 3
_INTEGER_FILTER, _INTEGER_SLICED = 3, (4, 5, 8)
# Operators that multiply by a matrix, which may be transposed; some of them add a bias.
_PRODUCTS = {"MatMul": "", "FusedMatMul": "transB", "Gemm": "transB", "FusedGemm": "transB"}
_MATRIX = 1
# Rows of a constant matrix whose products onnxruntime sums up before it adds them to the others,
# and columns of one that is no constant with which it does the same.
_DEPTH = 256
_COLUMNS = 48
_FEW_COLUMNS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """A convolution or product that can run for some of its output channels.

    Attributes:
        filter: Its filter or matrix, an initializer.
        lifted: Initializers that have to be inputs, for slices of them to be fed: the filter and
            others with an entry for each output channel.
        summed: A value that is added to its output; None if there is none.
        made: Its output.
        channels: Output channels.
        block: Channels that run together.
        axis: Where they are in its output.
        across: Whether they are along the last axis of what is lifted, and not the first.
        fixed: Whether runs hold one block, and not several next to each other.
        rows: What a product multiplies, if it may be a single row; None elsewhere.
    """

    filter: str
    lifted: tuple[str, ...]
    summed: str | None
    made: str
    channels: int
    block: int
    axis: int = 1
    across: bool = False
    fixed: bool = False
    rows: str | None = None

    @property
    def blocks(self) -> Sequence[slice]:
        """All blocks; the last one may overlap with the one before."""
        last = self.channels - self.block
        starts = (min(low, last) for low in range(0, self.channels, self.block))
        return [slice(low, low + self.block) for low in starts]

    @property
    def trials(self) -> Sequence[slice]:
        """Blocks of which each has to be that of the whole: all, or of a product some.

        A kernel for products does the same with each column, wherever it is.
        """
        blocks = self.blocks
        some = {*range(4), *range(0, len(blocks), max(1, len(blocks) // 8)), len(blocks) - 1}
        return [blocks[at] for at in sorted(some) if at < len(blocks)] if self.fixed else blocks

    def part(self, image: NDArray[Any], channels: slice) -> NDArray[Any]:
        """Some channels of its output, not copied."""
        if self.axis < 0:
            return image[..., channels]
        return image[(slice(None),) * self.axis + (channels,)]

    def touched(self, changes: Sequence[TensorChange], size: int) -> slice | None:
        """Output channels that changes to the filter touch; None where that are too many.

        Args:
            changes: All changes to the filter.
            size: Its elements.
        """
        each = 1 if self.across else size // self.channels
        channels = [change.position // each % self.channels for change in changes]
        blocks = np.concatenate(channels) // self.block
        if not blocks.size:
            return None
        first, last = int(blocks.min()), int(blocks.max())
        if self.fixed and first != last:
            return None
        high = min((last + 1) * self.block, self.channels)
        low = min(first * self.block, high - self.block)
        return slice(low, high) if high - low <= _WORTH * self.channels else None

    def examples(self, whole: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What values of a narrow run look like; a graph's own declarations may be too wide."""
        found = dict(whole)
        if self.summed is not None:
            image = whole[self.summed]
            found[self.summed] = np.zeros((0,) * image.ndim, image.dtype)  # of any size
        return found

    def slices(
        self, lifted: Mapping[str, NDArray[Any]], channels: slice
    ) -> dict[str, NDArray[Any]]:
        """What some output channels take of the stored tensors, not copied."""
        if self.across:
            return {name: lifted[name][..., channels] for name in self.lifted}
        return {name: lifted[name][channels] for name in self.lifted}

    def feeds(
        self,
        values: Mapping[str, NDArray[Any]],
        slices: Sequence[Mapping[str, NDArray[Any]]],
        channels: Sequence[slice],
    ) -> dict[str, NDArray[Any]]:
        """What one narrow run reads for several lists of output channels, one behind the other.

        Args:
            values: What the whole convolution reads.
            slices: The stored tensors' share of each list, as :meth:`slices` gives it.
            channels: The lists.
        """
        found = dict(values)
        if self.summed is not None:
            whole = values[self.summed]
            found[self.summed] = np.concatenate([whole[:, some] for some in channels], axis=1)
        for name in self.lifted:
            along = -1 if self.across else 0
            found[name] = np.concatenate([each[name] for each in slices], axis=along)
        return found

    def padded(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """The same feeds where a product has no single row, for which there is another kernel."""
        if self.rows is None:
            return feeds
        rows = feeds[self.rows]
        if rows.size != rows.shape[-1]:
            return feeds
        return {**feeds, self.rows: np.concatenate([rows, rows])}


def may_be_narrow(model: Model, stored: Collection[str]) -> frozenset[str]:
    """Nodes that had better be parts of their own, since they may run narrow.

    Args:
        model: The executable graph.
        stored: Initializers that may change.
    """
    return frozenset(
        use.node.name
        for name in stored
        for use in model.index.consumers(name)
        if operator(use.node.op_type).layout in _CONVOLUTIONS
        or (use.node.op_type in _PRODUCTS and _product(model, use.node) is not None)
    )


def find_narrow(
    model: Model, part: Part, seen: Observation, stored: Collection[str]
) -> Narrow | None:
    """How a part can run for some output channels, None if it can't.

    Args:
        model: The executable graph.
        part: One of its parts.
        seen: What its values look like.
        stored: Initializers that may change.
    """
    if len(part.nodes) != 1 or len(part.makes) != 1:
        return None
    node = model.index.producer(part.makes[0])
    if node is None:
        return None
    layout = operator(node.op_type).layout
    if layout == "convolution" and node.domain == _BLOCKED:
        found = _blocked(model, node)
    elif layout == "quantized_convolution":
        found = _integer(model, node, seen)
    elif node.op_type in _PRODUCTS:
        found = _product(model, node)
    else:
        return None
    if found is None or found.filter not in stored:
        return None
    read, made = seen.examples.get(node.inputs[0]), seen.examples.get(found.made)
    if read is None or made is None or made.shape[found.axis] != found.channels:
        return None
    if node.op_type in _PRODUCTS:
        # Where what is multiplied is transposed, its rows are no first dimension to be padded.
        return found if found.rows is not None or read.ndim > _MATRIX + 1 else None
    grouped = read.shape[found.axis] != model.index.initializers[found.filter].shape[1]
    return None if grouped else found


def _product(model: Model, node: Node) -> Narrow | None:
    """A product of floats and a constant matrix."""
    rows, matrix, bias = [*node.inputs, ""][:3]
    initializers = model.index.initializers
    entry = initializers.get(matrix)
    if entry is None or entry.element is not ElementType.FLOAT or len(entry.shape) != 2:
        return None
    attributes = node_attributes(model, node.name)
    turned = bool(attributes.get(_PRODUCTS[node.op_type], 0))
    depth, columns = entry.shape[::-1] if turned else entry.shape
    lifted: tuple[str, ...] = (matrix,)
    if bias:
        each = initializers.get(bias)
        if each is None or (turned and len(each.shape) != 1):
            return None
        if each.shape and each.shape[-1] == columns:
            lifted = (matrix, bias)
    width = _width(depth)
    if width > _WORTH * columns or attributes.get("transBatchB", 0):
        return None
    return Narrow(
        filter=matrix,
        lifted=lifted,
        summed=None,
        made=node.outputs[0],
        channels=columns,
        block=width,
        axis=-1,
        across=not turned,
        fixed=True,
        rows=None if attributes.get("transA", 0) else rows,
    )


def _width(depth: int) -> int:
    """Columns of a narrow product.

    onnxruntime's kernel sums over a matrix that is a constant in pieces of 256 rows. Over one that
    is an input it does so if there are 33 to 64 columns, and in one piece if there are fewer: the
    same up to 256 rows. For a single row there is another kernel in the latter case.
    """
    return _FEW_COLUMNS if depth <= _DEPTH else _COLUMNS


def _blocked(model: Model, node: Node) -> Narrow | None:
    """A float convolution in the blocked layout."""
    _, kernel, bias, summed = [*node.inputs, "", "", ""][: _SUM + 1]
    initializers = model.index.initializers
    entry = initializers.get(kernel)
    if entry is None or (bias and bias not in initializers) or summed in initializers:
        return None
    # Channels that can be told apart, whatever blocks this processor's kernels use.
    block = next((size for size in (16, 8) if entry.shape[0] % size == 0), None)
    if block is None:
        return None
    return Narrow(
        filter=kernel,
        lifted=(kernel, bias) if bias else (kernel,),
        summed=summed or None,
        made=node.outputs[0],
        channels=entry.shape[0],
        block=block,
    )


def _integer(model: Model, node: Node, seen: Observation) -> Narrow | None:
    """An integer convolution, channels first or last."""
    initializers = model.index.initializers
    entry = initializers.get(node.inputs[_INTEGER_FILTER])
    made = seen.examples.get(node.outputs[0])
    if entry is None or made is None:
        return None
    channels = entry.shape[0]
    axes = [axis for axis in (1, made.ndim - 1) if made.shape[axis] == channels]
    others = [node.inputs[slot] for slot in _INTEGER_SLICED if slot < len(node.inputs)]
    named = [name for name in others if name]
    if len(axes) != 1 or not all(name in initializers for name in named):
        return None
    sliced = [name for name in named if initializers[name].shape == (channels,)]
    return Narrow(
        filter=entry.name,
        lifted=(entry.name, *dict.fromkeys(sliced)),
        summed=None,
        made=node.outputs[0],
        channels=channels,
        block=1,
        axis=axes[0],
    )
