"""Fault sites: the named tensors whose stored bits can be corrupted."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.faults._layout import SampleLayout


class SiteKind(enum.StrEnum):
    """What a site's tensor is to the network."""

    WEIGHT = "weight"
    BIAS = "bias"
    ACTIVATION = "activation"
    INPUT = "input"
    SCALE = "scale"
    ZERO_POINT = "zero_point"
    SPARSE_INDEX = "sparse_index"
    STATE = "state"

    @property
    def stored(self) -> bool:
        """True for a tensor in the file: its faults are in memory, there for every sample."""
        return self not in (SiteKind.ACTIVATION, SiteKind.INPUT, SiteKind.STATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSite:
    """A named tensor whose stored bits can be corrupted.

    Attributes:
        name: The tensor's name in the file (``node/branch/value`` inside a subgraph).
        kind: What the tensor is to the network.
        element: Element type of the tensor as stored or computed.
        node: First consumer of a stored tensor, producer of a computed one; ``Conv#3`` if unnamed.
            Empty for a graph input.
        op_type: Operator of that node for a computed tensor, of the layer for a stored one (a
            quantized Conv weight is read by DequantizeLinear, but belongs to a Conv).
        layer: The node that the tensor belongs to, looking through quantization, casts and
            reshapes.
        layout: Elements of the tensor (of one sample of it); None for a computed tensor whose
            run-time shape is not known because no workload was given.
        step: Time step in an unrolled network, else None.
    """

    name: str
    kind: SiteKind
    element: ElementType
    node: str
    op_type: str
    layer: str
    layout: SampleLayout | None
    step: int | None = None
