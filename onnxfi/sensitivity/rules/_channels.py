"""Output channels of sites, as far as the graph tells."""

from __future__ import annotations

from onnxfi.faults import FaultSite
from onnxfi.graph import Model
from onnxfi.sensitivity.rules._entries import find_entry
from onnxfi.sensitivity.rules._plan import channel_axis
from onnxfi.sensitivity.scores import Axis

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
