"""Elements below one byte that operators of onnxruntime pack into tensors of uint8."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onnx import NodeProto

from onnxfi.bits import ElementType
from onnxfi.graph.ops import is_a

_ELEMENTS = MappingProxyType({2: ElementType.UINT2, 4: ElementType.UINT4})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packing:
    """Inputs of an operator that are packed along their last axis, the first element lowest.

    Attributes:
        bits: The attribute that says how many bits an element has.
        default: What it is where the node has none.
        slots: The inputs.
    """

    bits: str
    default: int
    slots: Sequence[int]


_PACKINGS: Mapping[str, _Packing] = MappingProxyType(
    {
        "GatherBlockQuantized": _Packing(bits="bits", default=4, slots=(0, 3)),
        "MatMulNBits": _Packing(bits="bits", default=4, slots=(1, 3)),
        "MatMulNBitsMlp": _Packing(bits="bits", default=4, slots=(3, 6)),
        "MatMulNBitsQkv": _Packing(bits="bits", default=4, slots=(3, 6, 9)),
        "QMoE": _Packing(bits="expert_weight_bits", default=4, slots=(2, 5, 8, 11, 12, 13)),
    }
)
PACKING = frozenset(_PACKINGS)

# With one of these set, bytes lie as a kernel wants them, or inputs differ in their bits.
_OTHERWISE = (
    "weight_prepacked",
    "weights_prepacked",
    "fc1_expert_weight_bits",
    "fc2_expert_weight_bits",
    "fc3_expert_weight_bits",
)

Reading = tuple[NodeProto, int]
"""A node reads a value, as its input of this number."""


def packed_elements(
    names: Iterable[str],
    readings: Callable[[str], Iterable[tuple[Reading, Sequence[str]]]],
    kept: Callable[[str], bool],
) -> dict[str, ElementType]:
    """What some tensors of uint8 hold, of those that hold packed elements.

    Those are tensors that nothing but such operators reads, all alike, as they are or reshaped.

    Args:
        names: The tensors.
        readings: Who reads a value, and what is made of it: nodes and input numbers, outputs.
        kept: Whether a value leaves its graph, where anything may be done with its bytes.
    """

    def widths(name: str) -> set[int | None]:
        found: set[int | None] = {None} if kept(name) else set()
        for (node, slot), outputs in readings(name):
            packing = _PACKINGS.get(node.op_type) if node.domain == "com.microsoft" else None
            if packing is not None and slot in packing.slots:
                found.add(_width(node, packing))
            elif is_a(node.op_type, "keeps_bytes") and not slot and outputs:
                found |= widths(outputs[0])
            elif node.op_type != "Shape":
                found.add(None)
        return found

    told = {name: widths(name) for name in names}
    return {
        name: _ELEMENTS[bits]
        for name, several in told.items()
        if len(several) == 1
        for bits in several
        if bits is not None and bits in _ELEMENTS
    }


def _width(node: NodeProto, packing: _Packing) -> int | None:
    """Bits of an element; None where elements do not lie one behind the other."""
    given = {each.name: each.i for each in node.attribute}
    if any(given.get(name, 0) > 0 for name in _OTHERWISE):
        return None
    return int(given.get(packing.bits, packing.default))
