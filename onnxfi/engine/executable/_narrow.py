"""Narrow runs: of an operator whose stored tensor changes in a few output channels, only those.

A fault in a convolution's filter changes the output channels of that filter alone, and a slice of
its filters is a narrower convolution: in onnxruntime's blocked layout, where filters lie one behind
the other in blocks of channels, as well as in integer convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.executable._inputs import TensorChange
from onnxfi.engine.golden import Observation
from onnxfi.graph import Model, Node, Part
from onnxfi.graph.ops import operator

_BLOCKED = "com.microsoft.nchwc"
_WORTH = 1 / 2
# Inputs by position: of the blocked convolution, and of the integer one, whose scales and zero
# points may be of all channels at once.
_FILTER, _BIAS, _SUM = 1, 2, 3
_INTEGER_FILTER, _INTEGER_SLICED = 3, (4, 5, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """A convolution that can run for some of its output channels.

    Attributes:
        filter: Its filter, an initializer.
        lifted: Initializers that have to be inputs, for slices of them to be fed: the filter and
            others with an entry for each output channel, along axis 0.
        summed: A value that is added to its output; None if there is none.
        made: Its output.
        channels: Output channels.
        block: Channels that lie together.
        axis: Where they are in its output.
    """

    filter: str
    lifted: tuple[str, ...]
    summed: str | None
    made: str
    channels: int
    block: int
    axis: int = 1

    def part(self, image: NDArray[Any], channels: slice) -> NDArray[Any]:
        """Some channels of its output, not copied."""
        return image[(slice(None),) * self.axis + (channels,)]

    def touched(self, changes: Sequence[TensorChange], size: int) -> slice | None:
        """Output channels that changes to the filter touch; None where that are too many.

        Args:
            changes: All changes to the filter.
            size: Its elements.
        """
        each = size // self.channels * self.block
        blocks = np.concatenate([change.position // each for change in changes])
        if not blocks.size:
            return None
        low, high = int(blocks.min()) * self.block, (int(blocks.max()) + 1) * self.block
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
            found[name] = np.concatenate([each[name] for each in slices])
        return found


def find_narrow(model: Model, part: Part, seen: Observation, stored: set[str]) -> Narrow | None:
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
    else:
        return None
    if found is None or found.filter not in stored:
        return None
    read, made = seen.examples.get(node.inputs[0]), seen.examples.get(found.made)
    if read is None or made is None or made.shape[found.axis] != found.channels:
        return None
    grouped = read.shape[found.axis] != model.index.initializers[found.filter].shape[1]
    return None if grouped else found


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
