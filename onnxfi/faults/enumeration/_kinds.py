"""Kinds of stored tensors: parameters of the network, of its quantization, or plain constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.faults.enumeration._uses import WHOLE, End, Uses
from onnxfi.faults.sites import Role, SiteKind, role_of, transparent
from onnxfi.faults.steps import COMPARISONS, reach
from onnxfi.graph import Node, Shape, Use

_BY_ROLE = {
    Role.BIAS: SiteKind.BIAS,
    Role.SCALE: SiteKind.SCALE,
    Role.ZERO_POINT: SiteKind.ZERO_POINT,
    Role.CONSTANT: SiteKind.CONSTANT,
}
_PRODUCTS = ("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
_INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger")
_GATHERS = ("Gather", "GatherElements", "GatherND")
_SUMS = ("Add", "Sub")
# Operators that take each element for itself, with one operand for all of them or each its own.
_ELEMENTWISE = frozenset({"Add", "Div", "Mean", "Mul", "Sub", "Sum", "Where"})
# What only asks of numbers or bounds them: no operand of these is a parameter.
_ASKING = COMPARISONS | frozenset({"And", "Equal", "Max", "Min", "Mod", "Not", "Or", "Xor"})
_BOUNDING = frozenset({"Clip", "Max", "Min"})
_MOVES = frozenset({"Concat", "Expand", "Neg", "Slice", "Split", "Tile", *_GATHERS})
_WAVES = frozenset({"Cos", "Sin"})
_HEADS = -3  # axis of an attention's scores: batch, heads, queries, keys


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKinds:
    """What stored tensors are to the network, found from what is done with them alone.

    Attributes:
        uses: How the graph reads its values.
    """

    uses: Uses

    def of(self, element: ElementType, end: End) -> SiteKind:
        """The kind of a stored tensor.

        Args:
            element: Its element type.
            end: Where it ends up.
        """
        known = next(filter(None, map(self._quantizing_kind, end.way)), None)
        if known is not None:
            return known
        use = end.use
        first = end.way[0]
        dense = self.uses.index.shape_of(first.node.inputs[first.slot]) or ()
        role, operator = role_of(use.node, use.slot), use.node.op_type
        if role is Role.BIAS and operator in ("Gemm", "FusedGemm"):
            # A Gemm adds any C that broadcasts; only one row of it is what is called a bias.
            row = len(dense) <= 1 or (len(dense) == 2 and dense[0] == 1)
            return SiteKind.BIAS if row else SiteKind.WEIGHT
        if role in _BY_ROLE:
            return _BY_ROLE[role]
        if operator == "Add" and len(dense) == 1 and self._adds_to_product(use):
            return SiteKind.BIAS
        return SiteKind.CONSTANT if self._constant(element, use) else SiteKind.WEIGHT

    def _quantizing_kind(self, use: Use) -> SiteKind | None:
        """What a tensor is to a quantized one that it dresses on its way, if it does."""
        role = role_of(use.node, use.slot)
        if role in (Role.SCALE, Role.ZERO_POINT, Role.CONSTANT):
            return _BY_ROLE[role]
        operator = use.node.op_type
        fixed = use.node.outputs[0] in self.uses.static
        if operator == "Mul" and (self._dequantizes(use) or self._scales_dynamically(use)):
            return SiteKind.SCALE
        if operator == "Div" and use.slot == 1 and self._dequantizes(use):
            return SiteKind.SCALE
        # What is added to an accumulator once it has been scaled is a bias.
        offset = (operator == "Sub" and use.slot == 1) or (operator == "Add" and fixed)
        if offset and self._dequantizes(use, scaled=fixed):
            return SiteKind.ZERO_POINT
        return None

    def _dequantizes(self, use: Use, *, scaled: bool = True) -> bool:
        """Whether the other operand holds what small integers stand for, and this one does not.

        Args:
            use: A use in an operator of two operands.
            scaled: Whether it may have been scaled before.
        """
        other = _other(use)
        if not other or not self._from_integers(other, scaled=scaled):
            return False
        own = use.node.inputs[use.slot]
        if not self._from_integers(own, scaled=scaled):
            return True
        # Scales and zero points may be stored as small integers, too: there are fewer of them.
        return self._size(own) < self._size(other)

    def _from_integers(self, value: str, *, scaled: bool) -> bool:
        """Whether a value is a cast of small integers, with zero point and scale applied or not."""
        through = ("Mul", "Div", "Sub", "Add") if scaled else ()
        while True:
            node = self.uses.index.producer(value)
            if node is None or not node.inputs:
                return False
            if node.op_type == "Cast":
                return self.uses.quantized(node.inputs[0]) or self._accumulated(node.inputs[0])
            if not transparent(node) and node.op_type not in through:
                return False
            if node.op_type == "DequantizeLinear":
                return False
            value = node.inputs[0]

    def _accumulated(self, value: str) -> bool:
        node = self.uses.index.producer(value)
        return node is not None and node.op_type in _INTEGER_PRODUCTS

    def _size(self, value: str) -> float:
        shape = self.uses.index.shape_of(value)
        known = [dim for dim in shape or () if isinstance(dim, int)]
        return math.inf if shape is None or len(known) < len(shape) else math.prod(known)

    def _adds_to_product(self, use: Use) -> bool:
        """Whether the other summand is what a matrix product or integer convolution made."""
        made = self.uses.maker(_other(use))
        if made is not None and made.op_type == "Mul":
            # Dynamic quantization rescales the integer product before it adds the bias.
            factors = [self.uses.maker(value) for value in made.inputs]
            return any(node is not None and node.op_type in _INTEGER_PRODUCTS for node in factors)
        return made is not None and made.op_type in _PRODUCTS

    def _scales_dynamically(self, use: Use) -> bool:
        """Whether the other factor is the scale that DynamicQuantizeLinear found."""
        other = _other(use)
        node = self.uses.index.producer(other)
        return (
            node is not None
            and node.op_type == "DynamicQuantizeLinear"
            and other == node.outputs[1]
        )

    def _constant(self, element: ElementType, use: Use) -> bool:
        """Whether a tensor is none of the numbers that a network learns."""
        node = use.node
        if node.domain:
            return False
        if node.op_type in _ASKING or (node.op_type == "Where" and use.slot == 0):
            return True
        if node.op_type in _ELEMENTWISE and element in WHOLE:
            return True
        if node.op_type in _ELEMENTWISE and self._one_for_all(use):
            return not self._affine(use)
        return self._hides(use) or self._rotates(use) or self._becomes_waves(use)

    def _one_for_all(self, use: Use) -> bool:
        """Whether one number meets all elements alike; a channel's own is not for all of them."""
        shape = self.uses.index.shape_of(use.node.inputs[use.slot])
        if shape is None or any(dim != 1 for dim in shape):
            return False
        others = [name for slot, name in enumerate(use.node.inputs) if slot != use.slot]
        met = [self.uses.index.shape_of(name) for name in others if name]
        return not shape or not any(each is not None and _ends_alike(each, shape) for each in met)

    def _affine(self, use: Use) -> bool:
        """Whether one number scales what another is added to: an affine layer of a single channel.

        Not what is bounded next, which is a piece of an activation function, and not what is done
        to the network's own input, which is how a picture is normalised.
        """
        node, index = use.node, self.uses.index
        first = node if node.op_type == "Mul" else index.producer(_other(use))
        uses = () if first is None or first.op_type != "Mul" else index.consumers(first.outputs[0])
        if first is None or len(uses) != 1 or uses[0].node.op_type != "Add":
            return False
        scaled = [name for name in first.inputs if name not in self.uses.static]
        if len(scaled) != 1 or self.uses.maker(scaled[0]) is None:
            return False
        for name in {*first.inputs, _other(uses[0])}.difference(scaled):
            if name not in self.uses.static or set(index.shape_of(name) or ()) - {1}:
                return False
        onward = index.consumers(uses[0].node.outputs[0])
        return not any(each.node.op_type in _BOUNDING for each in onward)

    def _hides(self, use: Use) -> bool:
        """Whether a tensor is added to attention scores, alike for all heads: a mask.

        What differs by head is a table of learned biases.
        """
        node, index = use.node, self.uses.index
        shape = index.shape_of(node.inputs[use.slot]) or ()
        several = len(shape) >= -_HEADS and shape[_HEADS] != 1
        if node.op_type not in _SUMS or len(shape) < 2 or several:
            return False
        onward = list(self._onward(node.outputs[0], lambda each: each.op_type == "Where"))
        return bool(onward) and all(each.node.op_type == "Softmax" for each in onward)

    def _rotates(self, use: Use) -> bool:
        """Whether a tensor is a table of sines or cosines that encode positions.

        It is multiplied with a value, a second table with the same value rotated, and the products
        are added.
        """
        products = [each.node for each in self._met(use) if each.node.op_type == "Mul"]
        return bool(products) and all(self._rotated(node) for node in products)

    def _met(self, use: Use) -> Iterator[Use]:
        """The use itself; of rows that are picked out of a table, the uses of these."""
        if use.node.op_type in _GATHERS and use.slot == 0:
            yield from self._onward(use.node.outputs[0], lambda node: node.op_type in _MOVES)
        else:
            yield use

    def _rotated(self, product: Node) -> bool:
        index = self.uses.index
        sums = [use for use in index.consumers(product.outputs[0]) if use.node.op_type in _SUMS]
        if not sums:
            return False
        for use in sums:
            other = index.producer(_other(use))
            if other is None or other is product or other.op_type != "Mul":
                return False
            shared = self._roots(product) & self._roots(other)
            if not shared:
                return False
        return True

    def _roots(self, product: Node) -> set[str]:
        """What the computed factors of a product are, before they were cut and turned."""
        index = self.uses.index

        def before(value: str) -> list[str]:
            node = index.producer(value)
            if node is None or not (transparent(node) or node.op_type in _MOVES):
                return []
            return [*(node.inputs if node.op_type == "Concat" else node.inputs[:1])]

        found = reach([value for value in product.inputs if value not in self.uses.static], before)
        return {value for value in found if not before(value) and value not in self.uses.static}

    def _becomes_waves(self, use: Use) -> bool:
        """Whether sines and cosines are all that is made with a tensor: angles of positions."""
        if use.node.op_type not in (*_PRODUCTS, "Mul", *_GATHERS):
            return False
        onward = list(self._onward(use.node.outputs[0], lambda node: node.op_type in _MOVES))
        return bool(onward) and all(each.node.op_type in _WAVES for each in onward)

    def _onward(self, value: str, through: Callable[[Node], bool]) -> Iterator[Use]:
        """The uses of a value, seen through transparent operators, and some more."""
        for use in self.uses.index.consumers(value):
            node = use.node
            if node.outputs and (through(node) or (transparent(node) and use.slot == 0)):
                yield from self._onward(node.outputs[0], through)
            else:
                yield use


def _other(use: Use) -> str:
    """The other input of a node with two inputs, else nothing."""
    return use.node.inputs[1 - use.slot] if len(use.node.inputs) == 2 else ""


def _ends_alike(shape: Shape, end: Shape) -> bool:
    return len(shape) >= len(end) and shape[len(shape) - len(end) :] == end


ATTRIBUTE_BIASES = frozenset(
    {"base_values", "base_values_as_tensor", "intercepts", "offset", "rho"}
)
"""Attributes of ai.onnx.ml operators that are added to what they compute."""
