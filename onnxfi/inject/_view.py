"""A computed tensor seen as (samples, elements of a sample), and back."""

from __future__ import annotations

import math
from dataclasses import replace

from onnxfi.faults import FaultSite
from onnxfi.graph import Endpoints, NodeSpec
from onnxfi.inject._columns import layout_of
from onnxfi.inject._primitive import node


def sample_view(
    site: FaultSite, prefix: str, ends: Endpoints
) -> tuple[list[NodeSpec], list[NodeSpec], dict[str, list[int]]]:
    """Nodes from the tensor to ``rows`` (samples, elements) and from ``scattered`` back.

    Also gives the constant shapes that they read, by name.
    """
    layout = layout_of(site)
    axis = layout.batch_axis or 0
    before, block = math.prod(layout.shape[:axis]), math.prod(layout.shape[axis:])
    shape, rows, scattered = f"{prefix}shape", f"{prefix}rows", f"{prefix}scattered"
    to_rows, whole = f"{prefix}to_rows", {"allowzero": 1}
    shapes = {to_rows: [-1, layout.elements]}
    remember = node("Shape", prefix, [ends.clean], shape)
    if before == 1:
        view = [remember, node("Reshape", prefix, [ends.clean, to_rows], rows)]
        undo = [node("Reshape", prefix, [scattered, shape], ends.faulty, whole)]
        return view, undo, shapes
    # Samples are not outermost: (before, samples, block), turned to put samples first.
    blocks, to_blocks, turned = f"{prefix}blocks", f"{prefix}to_blocks", f"{prefix}turned"
    unflat, to_turned, back = f"{prefix}unflat", f"{prefix}to_turned", f"{prefix}back"
    shapes |= {to_blocks: [before, -1, block], to_turned: [-1, before, block]}
    view = [
        remember,
        node("Reshape", prefix, [ends.clean, to_blocks], blocks),
        _swapped(prefix, blocks, turned),
        node("Reshape", prefix, [turned, to_rows], rows),
    ]
    undo = [
        node("Reshape", prefix, [scattered, to_turned], unflat),
        _swapped(prefix, unflat, back),
        node("Reshape", prefix, [back, shape], ends.faulty, whole),
    ]
    return view, undo, shapes


def _swapped(prefix: str, source: str, output: str) -> NodeSpec:
    plain = node("Transpose", prefix, [source], output)
    return replace(plain, attributes={"perm": (1, 0, 2)})
