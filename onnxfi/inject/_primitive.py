"""The fault primitive as nodes: words of gathered elements, AND, XOR, and back to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.graph import NodeSpec

# The words of floats, and the numbers by which ONNX's BitCast names element types.
_FLOAT_WORDS: Mapping[ElementType, ElementType] = MappingProxyType(
    {
        ElementType.FLOAT: ElementType.UINT32,
        ElementType.DOUBLE: ElementType.UINT64,
        ElementType.FLOAT16: ElementType.UINT16,
        ElementType.BFLOAT16: ElementType.UINT16,
    }
)
_NUMBERS: Mapping[ElementType, int] = MappingProxyType(
    {
        ElementType.FLOAT: 1,
        ElementType.UINT16: 4,
        ElementType.FLOAT16: 10,
        ElementType.DOUBLE: 11,
        ElementType.UINT32: 12,
        ElementType.UINT64: 13,
        ElementType.BFLOAT16: 16,
    }
)
_INTEGERS = frozenset(
    {
        ElementType.INT8,
        ElementType.INT16,
        ElementType.INT32,
        ElementType.INT64,
        ElementType.UINT8,
        ElementType.UINT16,
        ElementType.UINT32,
        ElementType.UINT64,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Names of what the primitive reads: the gathered elements and both masks, all alike."""

    elements: str
    and_mask: str
    xor_mask: str


def supported(element: ElementType) -> bool:
    """Whether operators exist for the primitive on this element type.

    float8 and types below one byte have none: ONNX's Gather and Scatter exclude them.
    """
    return element in _FLOAT_WORDS or element in _INTEGERS or element is ElementType.BOOL


def mask_element(element: ElementType) -> ElementType:
    """Element type of the masks: the words of a float, an integer or bool itself."""
    return _FLOAT_WORDS.get(element, element)


def opset_needed(element: ElementType) -> int:
    """First opset that has the operators: BitCast came with 26, BitwiseAnd with 18.

    bool needs 14, for Reshape's ``allowzero``.
    """
    if element in _FLOAT_WORDS:
        return 26
    return 14 if element is ElementType.BOOL else 18


def masks_as_values(masks: NDArray[np.uint64], element: ElementType) -> NDArray[Any]:
    """Masks in the dtype that the nodes take, low bits kept; int8 masks are bit patterns."""
    if element is ElementType.BOOL:
        return (masks & np.uint64(1)).astype(np.bool_)
    form = format_of(element)
    return masks.astype(form.word).view(format_of(mask_element(element)).value)


def primitive(chain: Chain, element: ElementType, prefix: str) -> tuple[list[NodeSpec], str]:
    """Nodes for ``(x & and_mask) ^ xor_mask`` on the gathered elements.

    Args:
        chain: What is read.
        element: Element type of the elements.
        prefix: Start of all names that are made.

    Returns:
        The nodes, and the name of the faulty elements.
    """
    if element is ElementType.BOOL:
        return _masked(chain, ("And", "Xor"), prefix)
    if element in _INTEGERS:
        return _masked(chain, ("BitwiseAnd", "BitwiseXor"), prefix)
    words, values = f"{prefix}words", f"{prefix}values"
    inner = Chain(elements=words, and_mask=chain.and_mask, xor_mask=chain.xor_mask)
    nodes, flipped = _masked(inner, ("BitwiseAnd", "BitwiseXor"), prefix)
    to_words = {"to": _NUMBERS[mask_element(element)]}
    to_values = {"to": _NUMBERS[element]}
    return [
        node("BitCast", prefix, [chain.elements], words, to_words),
        *nodes,
        node("BitCast", prefix, [flipped], values, to_values),
    ], values


def node(
    op_type: str,
    prefix: str,
    inputs: list[str],
    output: str,
    attributes: Mapping[str, int] | None = None,
) -> NodeSpec:
    """A node named after what it makes, so that profiles map back to the site."""
    name = output if output.startswith(prefix) else f"{prefix}{op_type}"
    return NodeSpec(
        op_type=op_type,
        name=f"{name}:node",
        inputs=tuple(inputs),
        outputs=(output,),
        attributes=dict(attributes or {}),
    )


def _masked(chain: Chain, operators: tuple[str, str], prefix: str) -> tuple[list[NodeSpec], str]:
    kept, flipped = f"{prefix}kept", f"{prefix}flipped"
    return [
        node(operators[0], prefix, [chain.elements, chain.and_mask], kept),
        node(operators[1], prefix, [kept, chain.xor_mask], flipped),
    ], flipped
