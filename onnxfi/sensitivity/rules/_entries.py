"""Entries: where the faults of a stored tensor enter the flow of values, operator by operator."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import from_words, has_format
from onnxfi.faults import FaultSite
from onnxfi.graph import Form, Model, Operand, initializer_words, operands
from onnxfi.graph.ops import operator


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
class ValueChannels:
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
    values: tuple[ValueChannels, ...]
    sources: tuple[ValueChannels, ...] = ()
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

    values: tuple[ValueChannels, ...]
    channels: int
    spread: float
    whole: bool
    limit: float = math.inf

    @property
    def name(self) -> str:
        """Of the first value."""
        return self.values[0].value


def stored_numbers(model: Model, name: str) -> NDArray[np.float64] | None:
    """A stored tensor decoded, flat float64; None for anything else."""
    stored = model.index.initializers.get(name)
    if stored is None or stored.element is None or not has_format(stored.element):
        return None
    words = initializer_words(model, name)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return from_words(words, stored.element, words.shape).astype(np.float64)


def stored_number(model: Model, name: str) -> float | None:
    """A stored tensor of one element; None for anything else."""
    values = stored_numbers(model, name)
    return float(values[0]) if values is not None and len(values) == 1 else None


_LAST = -1
_DOMAINS = ("", "com.microsoft")
_Rule = Callable[[str, Operand, tuple[int, ...]], Entry | None]


def find_entry(model: Model, site: FaultSite) -> Entry | None:
    """Where faults of a stored tensor enter the flow of values.

    Args:
        model: The model.
        site: A site of a stored tensor.

    Returns:
        None where it is not one of: weight or bias of Conv, ConvTranspose, Gemm, MatMul, of their
        quantized forms, and scales of such weights; scale or bias of a norm; operand of Mul, Add,
        Sub along channels; or where it is used in several such ways, read in nested graphs, or
        moved about before.
    """
    if site.form is not Form.TENSOR or site.gate is not None or site.layout is None:
        return None
    uses = operands(model, site.tensor)
    if uses is None:
        return None
    entries = [_entry(model, site, use) for use in uses]
    first = entries[0]
    if first is None:
        return None
    for other in entries[1:]:
        # Weights that several layers share count as one entry if all treat them alike.
        if other is None or replace(other, values=first.values, sources=first.sources) != first:
            return None
    known = [entry for entry in entries if entry is not None]
    return replace(
        first,
        values=tuple(value for entry in known for value in entry.values),
        sources=tuple(source for entry in known for source in entry.sources),
    )


def _entry(model: Model, site: FaultSite, use: Operand) -> Entry | None:
    if use.dressing == 1:
        return _of_scale(model, site, use)
    if use.dressing or site.layout is None or use.node.domain not in _DOMAINS:
        return None
    rule = _RULES.get(operator(use.node.op_type).layout)
    found = None if rule is None else rule(site.name, use, site.layout.shape)
    if found is None:
        return None
    entry = replace(found, scales=(use.scale,)) if use.scale else found
    if any(name not in model.index.initializers for name in (*entry.scales, *entry.steps)):
        return None
    return _in_stored_axes(entry, use.axes)


def _of_scale(model: Model, site: FaultSite, use: Operand) -> Entry | None:
    """The scales of a quantized weight: one a channel of what the weight makes."""
    weight = model.index.initializers.get(use.data)
    if weight is None or site.layout is None or len(site.layout.shape) != 1:
        return None
    rule = _RULES.get(operator(use.node.op_type).layout)
    found = None if rule is None else rule(site.name, use, weight.shape)
    if found is None or found.out is None or found.kind is not EntryKind.MULTIPLIED:
        return None
    found = _in_stored_axes(found, use.axes)
    if found.out is None or weight.shape[found.out] != site.layout.shape[0]:
        return None
    return Entry(site=site.name, kind=EntryKind.STRETCHED, values=found.values, out=0)


def _in_stored_axes(entry: Entry, axes: tuple[int, ...] | None) -> Entry:
    """The entry with axes as the tensor is stored, not as it reaches the operator."""
    if axes is None:
        return entry
    out = None if entry.out is None else axes[entry.out]
    into = None if entry.into is None else axes[entry.into]
    return replace(entry, out=out, into=into)


def _conv(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    made = (ValueChannels(value=use.node.outputs[0], axis=1),)
    if use.slot == 2:
        return Entry(site=site, kind=EntryKind.ADDED, values=made, out=0)
    if use.slot != 1 or len(shape) < 3:
        return None
    source = (ValueChannels(value=use.node.inputs[0], axis=1),)
    groups = int(use.attributes.get("group", 1))
    plain = operator(use.node.op_type).layout == "convolution"
    out, into = (0, 1) if plain else (1, 0)
    if groups > 1 and not plain:
        return None  # its filters are laid out by group of inputs
    return Entry(
        site=site,
        kind=EntryKind.MULTIPLIED,
        values=made,
        sources=source,
        out=out,
        into=into,
        groups=groups,
    )


def _gemm(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    made = (ValueChannels(value=use.node.outputs[0], axis=_LAST),)
    if use.slot == 2:
        factor = float(use.attributes.get("beta", 1.0))
        along = _only_axis(shape)
        if along != len(shape) - 1:
            return None
        return Entry(site=site, kind=EntryKind.ADDED, values=made, out=along, factor=factor)
    if use.slot != 1 or use.attributes.get("transA"):
        return None
    out, into = (0, 1) if use.attributes.get("transB") else (1, 0)
    return Entry(
        site=site,
        kind=EntryKind.MULTIPLIED,
        values=made,
        sources=(ValueChannels(value=use.node.inputs[0], axis=_LAST),),
        out=out,
        into=into,
        factor=float(use.attributes.get("alpha", 1.0)),
    )


def _quantized_conv(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    return _quantized(site, use, shape, _conv, bias=8)


def _quantized_gemm(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    return _quantized(site, use, shape, _gemm, bias=6)


def _quantized_matmul(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    return _quantized(site, use, shape, _matmul, bias=-1)


def _quantized(
    site: str, use: Operand, shape: tuple[int, ...], rule: _Rule, *, bias: int
) -> Entry | None:
    """As the operator of floats, between integers with scales and zero points of their own.

    Inputs are data, its scale and zero point, weight, its scale and zero point, then the scale and
    zero point of the result and the bias, in an order that differs.
    """
    inputs = use.node.inputs
    data, data_scale, data_zero, _, scale, _ = inputs[:6]
    step, zero = [name for place, name in enumerate(inputs[6:], 6) if place != bias][:2]
    slots = {3: 1, bias: 2}
    if use.slot not in slots:
        return None
    node = replace(use.node, inputs=(data, inputs[3]))
    entry = rule(site, replace(use, node=node, slot=slots[use.slot]), shape)
    if entry is None:
        return None
    return replace(
        entry,
        values=tuple(replace(each, zero=zero) for each in entry.values),
        sources=tuple(replace(each, zero=data_zero) for each in entry.sources),
        scales=(scale, data_scale),
        steps=(step,),
    )


def _matmul(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    if len(shape) != 2:
        return None
    axis, out = (_LAST, 1) if use.slot == 1 else (_LAST - 1, 0)
    return Entry(
        site=site,
        kind=EntryKind.MULTIPLIED,
        values=(ValueChannels(value=use.node.outputs[0], axis=axis),),
        sources=(ValueChannels(value=use.node.inputs[1 - use.slot], axis=axis),),
        out=out,
        into=1 - out,
    )


def _batch_norm(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    made = (ValueChannels(value=use.node.outputs[0], axis=1),)
    kinds = {1: EntryKind.STRETCHED, 2: EntryKind.ADDED}
    if use.slot not in kinds or len(shape) != 1:
        return None
    return Entry(site=site, kind=kinds[use.slot], values=made, out=0)


def _layer_norm(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    made = (ValueChannels(value=use.node.outputs[0], axis=_LAST),)
    kinds = {1: EntryKind.STRETCHED, 2: EntryKind.ADDED}
    if use.slot not in kinds or len(shape) != 1:
        return None
    return Entry(site=site, kind=kinds[use.slot], values=made, out=0)


def _elementwise(site: str, use: Operand, shape: tuple[int, ...]) -> Entry | None:
    """An operand along one axis; which one is counted from the end, as in broadcasting."""
    along = _only_axis(shape)
    if along is None or (use.node.op_type == "Sub" and use.slot == 0):
        return None
    kind = EntryKind.STRETCHED if use.node.op_type == "Mul" else EntryKind.ADDED
    return Entry(
        site=site,
        kind=kind,
        values=(ValueChannels(value=use.node.outputs[0], axis=along - len(shape)),),
        out=along,
        factor=-1.0 if use.node.op_type == "Sub" else 1.0,
    )


def _only_axis(shape: tuple[int, ...]) -> int | None:
    """The one axis of more than one entry; None for scalars and for tables."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    return axes[0] if len(axes) == 1 else None


_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "convolution": _conv,
        "transposed_convolution": _conv,
        "gemm": _gemm,
        "matmul": _matmul,
        "quantized_convolution": _quantized_conv,
        "quantized_gemm": _quantized_gemm,
        "quantized_matmul": _quantized_matmul,
        "normalization": _batch_norm,
        "layer_normalization": _layer_norm,
        "elementwise": _elementwise,
    }
)
