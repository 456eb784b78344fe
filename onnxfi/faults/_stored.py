"""Stored sites: what each tensor in the file is to the network, or why it is left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import cached_property

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.faults._layout import SampleLayout
from onnxfi.faults._left_out import LeftOut, Reason, no_format
from onnxfi.faults._roles import Role, role_of, transparent
from onnxfi.faults._site import FaultSite, SiteKind
from onnxfi.graph import Form, GraphIndex, Initializer, Node, Use

_KINDS = {
    Role.BIAS: SiteKind.BIAS,
    Role.SCALE: SiteKind.SCALE,
    Role.ZERO_POINT: SiteKind.ZERO_POINT,
}
# Attributes of ai.onnx.ml operators that are added to what they compute.
_BIAS_LISTS = frozenset({"base_values", "base_values_as_tensor", "intercepts", "offset", "rho"})
_WHOLE = (ElementType.INT32, ElementType.INT64, ElementType.BOOL)
_MOVES = ("Concat", "Slice", "Split")
_PRODUCTS = ("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
_INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger")


# Not slotted: cached_property keeps its value in the instance.
@dataclass(frozen=True, kw_only=True)
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

    def site(self, data: Initializer) -> FaultSite | LeftOut:
        """The site of stored data, or why it is none.

        Anything whose numbers enter a computation is a site: of kind bias, scale or zero point
        where an operator takes it as such, else a weight. That includes integers and truth values
        that are added, compared or selected by, as much stored state as trained weights.
        """
        if data.form is Form.INDICES:
            return self._indices(data)
        reason = self._obstacle(data)
        if reason is not None or data.element is None:
            return _left_out(data, str(reason))
        if data.form is Form.ATTRIBUTE:
            owner = self._nodes[data.owner]
            kind = SiteKind.BIAS if data.attribute in _BIAS_LISTS else SiteKind.WEIGHT
            return _site(data, kind, owner, owner)
        reader, last = self._reader(data.name)
        if last is None:
            return _site(data, SiteKind.WEIGHT, reader, reader)
        site = _site(data, self._kind(data, last), reader, self._layer(last))
        return replace(site, gates=self.index.gates.get(data.name))

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.index.nodes}

    def _indices(self, data: Initializer) -> FaultSite | LeftOut:
        """Where the values of a sparse tensor belong: a site if the values are one."""
        values = self.site(self.index.initializers[data.owner])
        if isinstance(values, LeftOut) or data.element is None:
            return _left_out(data, getattr(values, "reason", str(Reason.UNKNOWN_TYPE)))
        layout = SampleLayout(shape=data.shape, batch_axis=None)
        return replace(
            values,
            name=data.name,
            kind=SiteKind.SPARSE_INDEX,
            element=data.element,
            layout=layout,
            form=data.form,
        )

    def _obstacle(self, data: Initializer) -> str | None:
        """Why stored data can't be a site, if it can't."""
        if data.element is None:
            return Reason.UNKNOWN_TYPE
        if not has_format(data.element):
            return no_format(data.element)
        attribute = data.form is Form.ATTRIBUTE
        readings = [] if attribute else list(self._structural_readings(data.name))
        if not readings and not attribute:
            return Reason.UNREAD
        if math.prod(data.shape) == 0:
            return Reason.EMPTY
        if attribute:
            return self._obstacle_of_attribute(data.element, self._nodes[data.owner])
        # An integer that is a shape in one place and a number in another would stop the run rather
        # than change an answer; a quantized weight whose shape is asked for is still a weight.
        judge = any if data.element in _WHOLE else all
        return Reason.STRUCTURE if judge(readings) else None

    def _obstacle_of_attribute(self, element: ElementType, owner: Node) -> str | None:
        if owner.name in self.structure:
            return Reason.STRUCTURE
        lists = owner.domain == "ai.onnx.ml" or owner.op_type == "TfIdfVectorizer"
        return Reason.LISTS if lists and "exponent" not in format_of(element).fields else None

    def _structural_readings(self, value: str) -> Iterator[bool]:
        """Of each reading of a value, whether it is for structure.

        What a control-flow body hands out is read by who reads the output of its node; what the
        model returns is read by its user.
        """
        for use in self.index.consumers(value):
            yield _structural(use, self.structure)
        handed = self.index.handed(value)
        for each in handed:
            # A loop goes on or not by its condition, which is no number.
            yield not each.value or each.node.name in self.structure or self._only(each.value)
        if self.index.returned(value) and not handed:
            yield False

    def _only(self, value: str) -> bool:
        """Whether a value is read for structure alone."""
        readings = list(self._structural_readings(value))
        return bool(readings) and all(readings)

    def _reader(self, value: str) -> tuple[Node | None, Use | None]:
        """The node that a value goes to first, and where it ends up; None where no node reads it.

        A value that a body hands out goes to the body's node.
        """
        for use in self.index.consumers(value):
            if not _structural(use, self.structure):
                return use.node, self._last(use)
        for handed in self.index.handed(value):
            if handed.value:
                return handed.node, self._reader(handed.value)[1]
        return None, None

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
        dense = self.index.shape_of(tensor.name) or ()
        rank = len(dense)
        if role is Role.BIAS and operator in ("Gemm", "FusedGemm"):
            # A Gemm adds any C that broadcasts; only one row of it is what is called a bias.
            row = rank <= 1 or (rank == 2 and dense[0] == 1)
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


def _site(data: Initializer, kind: SiteKind, reader: Node | None, layer: Node | None) -> FaultSite:
    assert data.element is not None
    return FaultSite(
        name=data.name,
        kind=kind,
        element=data.element,
        node="" if reader is None else reader.name,
        op_type="" if layer is None else layer.op_type,
        layer=data.name if layer is None else layer.name,
        layout=SampleLayout(shape=data.shape, batch_axis=None),
        form=data.form,
    )


def _left_out(data: Initializer, reason: str) -> LeftOut:
    elements, bits = math.prod(data.shape), 8 * data.nbytes
    if data.element is not None and has_format(data.element):
        bits = elements * format_of(data.element).width
    return LeftOut(name=data.name, reason=reason, elements=elements, bits=bits)
