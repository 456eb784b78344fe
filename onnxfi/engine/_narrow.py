"""Narrow runs: of an operator whose stored tensor changes in a few output channels, only those.

A fault in a convolution's filter changes the output channels of that filter alone. Filters in
onnxruntime's blocked layout lie one behind the other in blocks of channels, so that a slice of
them is the filter of a narrower convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine._lifted import Change
from onnxfi.engine._observe import Observation
from onnxfi.graph import Model, Part

_DOMAIN = "com.microsoft.nchwc"
_INPUT, _FILTER, _BIAS, _SUM = range(4)
_CHANNELS = 1  # axis of the channels in a value
_WORTH = 1 / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """A convolution that can run for some of its output channels.

    Attributes:
        filter: Its filter, an initializer; output channels along axis 0.
        bias: Its bias, an initializer; None if it has none.
        summed: A value that is added to its output; None if there is none.
        made: Its output.
        channels: Output channels.
        block: Channels that lie together.
    """

    filter: str
    bias: str | None
    summed: str | None
    made: str
    channels: int
    block: int

    @property
    def lifted(self) -> tuple[str, ...]:
        """Initializers that have to be inputs, for slices of them to be fed."""
        return (self.filter,) if self.bias is None else (self.filter, self.bias)

    def touched(self, changes: Sequence[Change], size: int) -> slice | None:
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
            found[self.summed] = whole[self.summed][:, : self.block]
        return found

    def feeds(
        self,
        values: Mapping[str, NDArray[Any]],
        lifted: Mapping[str, NDArray[Any]],
        channels: slice,
    ) -> dict[str, NDArray[Any]]:
        """What the narrow convolution reads, from what the whole one reads."""
        found = dict(values)
        if self.summed is not None:
            found[self.summed] = np.ascontiguousarray(values[self.summed][:, channels])
        return {**found, **{name: lifted[name][channels] for name in self.lifted}}


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
    if node is None or node.domain != _DOMAIN or node.op_type != "Conv":
        return None
    inputs = [*node.inputs, "", "", ""][: _SUM + 1]
    read, kernel, bias, summed = inputs
    entry = model.index.initializers.get(kernel)
    if entry is None or kernel not in stored or read not in seen.examples:
        return None
    made = seen.examples.get(node.outputs[0])
    grouped = seen.examples[read].shape[_CHANNELS] != entry.shape[1]
    if made is None or grouped or made.shape[_CHANNELS] != entry.shape[0]:
        return None
    if bias and bias not in model.index.initializers:
        return None
    block = _block(entry.shape[0])
    if block is None or (summed and summed in model.index.initializers):
        return None
    return Narrow(
        filter=kernel,
        bias=bias or None,
        summed=summed or None,
        made=node.outputs[0],
        channels=entry.shape[0],
        block=block,
    )


def _block(channels: int) -> int | None:
    """Channels that can be told apart, whatever blocks this processor's kernels use."""
    return next((size for size in (16, 8) if channels % size == 0), None)
