"""Stored sites: what each tensor in the file is to the network, or why it is left out."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.faults._layout import SampleLayout
from onnxfi.faults._left_out import LeftOut, Reason, no_format
from onnxfi.faults._roles import Role, role_of, transparent
from onnxfi.faults._site import FaultSite, SiteKind
from onnxfi.graph import GraphIndex, Initializer, Node, Use

_KINDS = {
    Role.BIAS: SiteKind.BIAS,
    Role.SCALE: SiteKind.SCALE,
    Role.ZERO_POINT: SiteKind.ZERO_POINT,
}
_WHOLE = (ElementType.INT32, ElementType.INT64, ElementType.BOOL)
_MOVES = ("Concat", "Slice", "Split")
_PRODUCTS = ("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
_INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is needed to judge stored tensors.

    Attributes:
        index: The graph.
        structure: Names of the nodes that :func:`structural_nodes` finds.
        static: Values that no sample has a part in.
    """

    index: GraphIndex
    structure: Set[str]
    static: Set[str]

    def site(self, tensor: Initializer) -> FaultSite | LeftOut:
        """The site of a stored tensor, or why it is none.

        Any tensor whose numbers enter a computation is a site: of kind bias, scale or zero point
        where an operator takes it as such, else a weight. That includes integers and truth values
        that are added, compared or selected by, as much stored state as trained weights.
        """
        reason = self._obstacle(tensor)
        if reason is not None or tensor.element is None:
            return _left_out(tensor, str(reason))
        uses = self.index.consumers(tensor.name)
        first = next(use for use in uses if not _structural(use, self.structure))
        last = self._last(first)
        layer = self._layer(last)
        return FaultSite(
            name=tensor.name,
            kind=self._kind(tensor, last),
            element=tensor.element,
            node=first.node.name,
            op_type=layer.op_type,
            layer=layer.name,
            layout=SampleLayout(shape=tensor.shape, batch_axis=None),
        )

    def _obstacle(self, tensor: Initializer) -> str | None:
        """Why a stored tensor can't be a site, if it can't."""
        if tensor.sparse:
            return Reason.SPARSE
        if tensor.element is None:
            return Reason.UNKNOWN_TYPE
        if not has_format(tensor.element):
            return no_format(tensor.element)
        uses = self.index.consumers(tensor.name)
        if not uses:
            handed_out = Reason.HANDED_OUT if tensor.scope else Reason.RETURNED
            return handed_out if self.index.returned(tensor.name) else Reason.UNREAD
        if math.prod(tensor.shape) == 0:
            return Reason.EMPTY
        # An integer that is a shape in one place and a number in another would stop the run rather
        # than change an answer; a quantized weight whose shape is asked for is still a weight.
        judge = any if tensor.element in _WHOLE else all
        return Reason.STRUCTURE if judge(_structural(use, self.structure) for use in uses) else None

    def _last(self, use: Use) -> Use:
        """Where a value ends up when it is only re-dressed, or cut and joined, on its way."""
        while True:
            node = use.node
            moved = node.op_type in _MOVES and node.outputs[0] in self.static
            uses = self.index.consumers(node.outputs[0]) if node.outputs else ()
            if not uses or not (moved or (transparent(node) and use.slot == 0)):
                return use
            use = uses[0]

    def _layer(self, last: Use) -> Node:
        """The node that a tensor with this last use belongs to.

        A scale or zero point belongs where the value that it dresses goes on to. Behind a
        quantizer at the end of the network nothing reads that value; then it is its maker.
        """
        if not transparent(last.node):
            return last.node
        uses = self.index.consumers(last.node.outputs[0])
        onward = self._last(uses[0]).node if uses else last.node
        if not transparent(onward):
            return onward
        return self._maker(last.node.inputs[0]) or last.node

    def _maker(self, value: str) -> Node | None:
        """The node that made a value, seen through transparent operators; None for inputs."""
        node = self.index.producer(value)
        while node is not None and transparent(node):
            node = self.index.producer(node.inputs[0])
        return node

    def _kind(self, tensor: Initializer, last: Use) -> SiteKind:
        role, operator = role_of(last.node, last.slot), last.node.op_type
        rank = len(tensor.shape)
        if role is Role.BIAS and operator in ("Gemm", "FusedGemm"):
            # A Gemm adds any C that broadcasts; only one row of it is what is called a bias.
            row = rank <= 1 or (rank == 2 and tensor.shape[0] == 1)
            return SiteKind.BIAS if row else SiteKind.WEIGHT
        if role is Role.DATA and operator == "Add" and rank == 1 and self._adds_to_product(last):
            return SiteKind.BIAS
        if role is Role.DATA and operator == "Mul" and self._scales_dynamically(last):
            return SiteKind.SCALE
        return _KINDS.get(role, SiteKind.WEIGHT)

    def _adds_to_product(self, use: Use) -> bool:
        """Whether the other summand is what a matrix product or integer convolution made."""
        made = self._maker(_other(use))
        if made is not None and made.op_type == "Mul":
            # Dynamic quantization rescales the integer product before it adds the bias.
            factors = [self._maker(value) for value in made.inputs]
            return any(node is not None and node.op_type in _INTEGER_PRODUCTS for node in factors)
        return made is not None and made.op_type in _PRODUCTS

    def _scales_dynamically(self, use: Use) -> bool:
        """Whether the other factor is the scale that DynamicQuantizeLinear found."""
        other = _other(use)
        node = self.index.producer(other)
        return (
            node is not None
            and node.op_type == "DynamicQuantizeLinear"
            and other == node.outputs[1]
        )


def structural_nodes(index: GraphIndex) -> frozenset[str]:
    """Names of the nodes all of whose results are shapes, indices or other structural inputs."""
    found: set[str] = set()
    # Readers follow what they read, so one pass from the end sees every reader first.
    for node in reversed(index.nodes):
        outputs = [value for value in node.outputs if value]
        uses = [use for value in outputs for use in index.consumers(value)]
        if (
            uses
            and not any(index.returned(value) for value in outputs)
            and all(_structural(use, found) for use in uses)
        ):
            found.add(node.name)
    return frozenset(found)


def _structural(use: Use, structure: Set[str]) -> bool:
    return role_of(use.node, use.slot) is Role.STRUCTURE or use.node.name in structure


def _other(use: Use) -> str:
    """The other input of a node with two inputs, else nothing."""
    return use.node.inputs[1 - use.slot] if len(use.node.inputs) == 2 else ""


def _left_out(tensor: Initializer, reason: str) -> LeftOut:
    bits = 8 * tensor.nbytes
    elements = math.prod(tensor.shape)
    if tensor.element is not None and has_format(tensor.element):
        width = format_of(tensor.element).width
        if tensor.sparse:
            elements = bits // (8 if tensor.element is ElementType.BOOL else width)
        bits = elements * width
    return LeftOut(name=tensor.name, reason=reason, elements=elements, bits=bits)
