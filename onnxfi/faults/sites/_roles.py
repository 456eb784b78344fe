"""Roles: what the input slots of operators are for, by operator."""

from __future__ import annotations

import enum

from onnxfi.graph import Node
from onnxfi.graph.ops import OPERATORS, is_a, operator


class Role(enum.Enum):
    """What an operator takes a value for."""

    DATA = "."
    BIAS = "b"
    SCALE = "s"
    ZERO_POINT = "z"
    CONSTANT = "c"
    """Bound, mask, exponent, table of angles, filling: a number that is no parameter."""
    STRUCTURE = "i"
    """Shape, axis, index, size or condition: it decides where numbers go, and is none itself."""


def transparent(node: Node) -> bool:
    """Whether a node only converts or moves its first input; layers are seen through it."""
    # A damaged file can have such a node without inputs.
    whole = bool(node.inputs) and bool(node.outputs)
    return whole and is_a(node.op_type, "transparent") and node.domain in _DOMAINS


def role_of(node: Node, slot: int) -> Role:
    """What a node takes its input ``slot`` (0-based) for."""
    if node.domain not in _DOMAINS and f"{node.domain}:{node.op_type}" not in OPERATORS:
        return Role.DATA
    if node.op_type == "QLinearConcat":
        return (Role.DATA, Role.SCALE, Role.ZERO_POINT)[(slot + 1) % 3]
    if node.op_type.startswith("Reduce"):
        return Role.STRUCTURE if slot == 1 else Role.DATA
    slots = operator(node.op_type, node.domain).slots
    return Role(slots[slot]) if slot < len(slots) else Role.DATA


_DOMAINS = ("", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")
