"""What follows a value: the first operator behind it that bounds or cuts off what is shifted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.graph import Model, Node, Use, node_attributes
from onnxfi.graph.ops import is_a, operator
from onnxfi.sensitivity.rules._entries import stored_number, stored_numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Following:
    """The first operator behind a value that does not let all shifts pass.

    Attributes:
        value: What goes into it.
        low: Least number that comes out of it; -inf if there is none.
        high: Largest.
        slope: Of what lies below ``low``: the part that still comes through.
        fixed: Whether ``low`` and ``high`` bound its result whatever goes in, as those of a
            Sigmoid do; else it lets through what lies between.
        factor: float64 (channels,) or (1,): by how much a shift is multiplied on its way there.
    """

    value: str
    low: float = -np.inf
    high: float = np.inf
    slope: float = 0.0
    fixed: bool = False
    factor: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))


def following(model: Model, value: str) -> Following | None:
    """What bounds shifts of a value.

    Where several operators read it, that which bounds least.

    Returns:
        None if shifts reach an output, or an operator that nothing is known of, unbounded.
    """
    found: list[Following] = []
    seen: set[str] = set()
    waiting = [(value, np.ones(1))]
    while waiting:
        name, factor = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if model.index.returned(name):
            return None
        for use in model.index.consumers(name):
            bound = _bound(model, use.node, name)
            passed = None if use.node.scope else _passed(model, use)
            if bound is not None:
                found.append(replace(bound, factor=factor))
            elif passed is not None:
                waiting += [(made, factor * passed) for made in use.node.outputs if made]
            else:
                return None
    return max(found, key=lambda each: each.high - each.low, default=None)


def _passed(model: Model, use: Use) -> NDArray[np.float64] | None:
    """By how much an operator multiplies a shift; None if it does something else."""
    node = use.node
    if node.op_type == "Sub" and use.slot == 1:
        return np.array([-1.0])
    if node.op_type == "BatchNormalization" and use.slot == 0:
        scale, variance = (
            stored_numbers(model, node.inputs[1]),
            stored_numbers(model, node.inputs[4]),
        )
        if scale is None or variance is None:
            return None
        epsilon = float(node_attributes(model, node.name).get("epsilon", 1e-5))
        factor: NDArray[np.float64] = scale / np.sqrt(variance + epsilon)
        return factor
    return np.ones(1) if is_a(node.op_type, "passes") else None


def _bound(model: Model, node: Node, value: str) -> Following | None:
    kind = node.op_type
    known = operator(kind)
    if known.dip is not None:
        return Following(value=value, low=-known.dip)
    if known.slope is not None:
        slope = float(node_attributes(model, node.name).get("alpha", known.slope))
        return Following(value=value, low=0.0, slope=slope)
    if known.bounds is not None:
        low, high = known.bounds
        return Following(value=value, low=low, high=high, fixed=True)
    if kind == "Clip":
        low, high = _limits(model, node)
        return Following(value=value, low=low, high=high)
    if kind == "QuantizeLinear":
        return _quantized(model, node, value)
    return None


def _limits(model: Model, node: Node) -> tuple[float, float]:
    """Limits of a Clip: attributes in old versions, inputs in new ones."""
    given = node_attributes(model, node.name)
    inputs = dict(zip(("min", "max"), node.inputs[1:], strict=False))
    low = stored_number(model, inputs.get("min", ""))
    high = stored_number(model, inputs.get("max", ""))
    return (
        float(given.get("min", -np.inf)) if low is None else low,
        float(given.get("max", np.inf)) if high is None else high,
    )


def _quantized(model: Model, node: Node, value: str) -> Following | None:
    """The range that a QuantizeLinear of one scale can express."""
    index = model.index
    scale = stored_number(model, node.inputs[1])
    element = index.element_of(node.outputs[0])
    if scale is None or element is None or element.name not in ("INT8", "UINT8"):
        return None
    zero = stored_number(model, node.inputs[2]) if len(node.inputs) > 2 else 0.0
    least, most = (-128, 127) if element.name == "INT8" else (0, 255)
    return Following(
        value=value, low=(least - (zero or 0.0)) * scale, high=(most - (zero or 0.0)) * scale
    )
