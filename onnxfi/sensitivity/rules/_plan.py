"""The plan of a measurement: for each site, how its scores can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxfi.bits import has_format
from onnxfi.faults import FaultSite, SampleLayout
from onnxfi.graph import Model
from onnxfi.sensitivity.rules._entries import Entry, ValueChannels, find_entry
from onnxfi.sensitivity.rules._following import Following, following
from onnxfi.sensitivity.scores import Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringPlan:
    """What is looked at for which site.

    Attributes:
        entries: Stored tensors whose faults shift channels of a known value, by site name.
        computed: Computed tensors that can be looked at, with their channels.
        rest: Sites whose scores only trial faults can tell.
        bounds: By the first value of an entry: what follows it.
    """

    entries: dict[str, Entry]
    computed: dict[str, ValueChannels]
    rest: tuple[FaultSite, ...]
    bounds: dict[str, Following | None]

    @property
    def looked_at(self) -> tuple[ValueChannels, ...]:
        """Values whose statistics are needed."""
        found: dict[str, ValueChannels] = {}
        for entry in self.entries.values():
            for each in (*entry.values, *entry.sources):
                found.setdefault(each.value, each)
            bound = self.bounds[entry.values[0].value]
            if bound is not None:
                axis = entry.values[0].axis
                found.setdefault(bound.value, ValueChannels(value=bound.value, axis=axis))
        for each in self.computed.values():
            found.setdefault(each.value, each)
        return tuple(found.values())


def plan(
    model: Model, sites: Sequence[FaultSite], *, stream: bool, alone: bool = False
) -> ScoringPlan:
    """How the scores of sites can be had.

    Args:
        model: The model.
        sites: The sites.
        stream: The model runs step by step; what it computes can't be looked at one by one.
        alone: Each run holds one sample, so that what exists once per run is a sample's own.
    """
    entries: dict[str, Entry] = {}
    computed: dict[str, ValueChannels] = {}
    rest: list[FaultSite] = []
    for site in sites:
        entry = None if stream or not site.kind.stored else find_entry(model, site)
        channels = None if stream or site.kind.stored else _channels(site, alone=alone)
        if entry is not None and all(_visible(model, each) for each in _values(entry)):
            entries[site.name] = entry
        elif channels is not None and _visible(model, channels):
            computed[site.name] = channels
        else:
            rest.append(site)
    firsts = {entry.values[0].value for entry in entries.values()}
    bounds = {value: following(model, value) for value in firsts}
    return ScoringPlan(entries=entries, computed=computed, rest=tuple(rest), bounds=bounds)


def _values(entry: Entry) -> tuple[ValueChannels, ...]:
    return (*entry.values, *entry.sources)


def _visible(model: Model, channels: ValueChannels) -> bool:
    """Whether a value can be returned by a run, and is a tensor of numbers."""
    index = model.index
    element = index.element_of(channels.value)
    if element is None or not has_format(element):
        return False
    node = index.producer(channels.value)
    if node is not None:
        return not node.scope
    return any(spec.name == channels.value for spec in model.inputs)


def _channels(site: FaultSite, *, alone: bool) -> ValueChannels | None:
    """The channels of a computed tensor: axis 1 of images, else the last."""
    layout = site.layout
    if layout is None or not layout.shape or layout.steps is not None:
        return None
    if layout.batch_axis is None and not alone:
        return None
    if site.body or site.repeated or site.members:
        return None
    return ValueChannels(value=site.tensor, axis=channel_axis(layout))


def channel_axis(layout: SampleLayout) -> int:
    """The axis of a computed tensor that holds its channels."""
    return 1 if len(layout.shape) > 3 else len(layout.shape) - 1


_BLOCK_SLOTS = (1, 2, 3)


def output_channels(model: Model, site: FaultSite) -> Axis | None:
    """The axis of a site's tensor along which its elements belong to output channels.

    Of a stored tensor those of what its layer makes of it (the filters of a convolution, the
    columns of a matrix that is multiplied from the right); of a computed tensor its own.

    Args:
        model: The model.
        site: The site, its layout known.

    Returns:
        None where elements belong to no channel, or to which is not known.
    """
    layout = site.layout
    if layout is None or not layout.shape or site.gate is not None or site.members:
        return None
    if not site.kind.stored:
        return None if layout.batch_axis is None else _axis(site, channel_axis(layout))
    if _in_blocks(model, site):
        return _axis(site, 0)
    entry = find_entry(model, site)
    return None if entry is None or entry.out is None else _axis(site, entry.out)


def _in_blocks(model: Model, site: FaultSite) -> bool:
    """Whether a tensor holds weights, scales or zero points of MatMulNBits: a row a channel."""
    uses = model.index.consumers(site.tensor)
    return bool(uses) and all(
        use.node.op_type == "MatMulNBits"
        and use.node.domain == "com.microsoft"
        and use.slot in _BLOCK_SLOTS
        for use in uses
    )


def _axis(site: FaultSite, axis: int) -> Axis | None:
    """The axis of the tensor; None if it is the one that samples follow each other along."""
    assert site.layout is not None
    shape, samples = site.layout.shape, site.layout.batch_axis
    place = axis % len(shape)
    return None if place == samples else Axis.of_shape(shape, place)
