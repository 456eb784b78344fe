"""Entries: where the faults of a stored tensor enter the flow of values."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class EntryKind(enum.Enum):
    """What the layer does with the stored tensor."""

    MULTIPLIED = "multiplied"
    """Elements are multiplied with elements of another operand and summed: Conv, Gemm, MatMul."""
    ADDED = "added"
    """Each element is added to the elements of one channel: biases."""
    STRETCHED = "stretched"
    """Each element is a factor of all that one channel holds: scales of norms and of quantized
    weights, operands of Mul."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Which axis of a run-time value holds its channels.

    Attributes:
        value: The value; in nested graphs it has no entry.
        axis: Its axis of channels, batch axis counted; negative from the end.
        zero: Stored number that stands for 0 in it, the zero point of integers; empty for 0.
    """

    value: str
    axis: int
    zero: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where faults of a stored tensor become shifts of a computed value.

    Attributes:
        site: Name of the stored tensor.
        kind: What is done with it.
        values: What the layer makes; one for each use of the tensor (each step of an unrolled
            network).
        sources: What it is multiplied with and summed over, one a use; empty where it is not.
        out: Axis of the stored tensor along which its entries belong to channels of the values;
            None if it is one number for all.
        into: Axis along which they belong to channels of the sources; None if there is none.
        groups: Groups of a convolution.
        scales: Stored tensors by which the words are multiplied on their way: quantization scales.
        steps: Stored tensors by which what is made of them is divided: scales of integer values.
        factor: What everything is multiplied with besides.
    """

    site: str
    kind: EntryKind
    values: tuple[Channels, ...]
    sources: tuple[Channels, ...] = ()
    out: int | None = None
    into: int | None = None
    groups: int = 1
    scales: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A value whose response is wanted.

    Attributes:
        values: The value, or the values of all steps, which are shifted together. The first
            one's name stands for all.
        channels: How many it has.
        spread: Standard deviation over the calibration samples.
        whole: Whether all elements of a channel are shifted alike (by a fault in a weight); else
            one element is (by a fault in the value itself).
        limit: Largest dose by which faults shift it; larger ones need not be known.
    """

    values: tuple[Channels, ...]
    channels: int
    spread: float
    whole: bool
    limit: float = math.inf

    @property
    def name(self) -> str:
        """Of the first value."""
        return self.values[0].value
