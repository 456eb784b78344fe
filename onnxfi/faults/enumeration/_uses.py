"""Where stored tensors end up: the operator that they belong to, and what they are to it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.faults.sites import Role, role_of, transparent
from onnxfi.faults.steps import COMPARISONS
from onnxfi.graph import GraphIndex, Node, Use

WHOLE = (ElementType.INT32, ElementType.INT64, ElementType.BOOL)
"""Types of numbers that count, point or choose; quantized weights have smaller ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a stored tensor ends up.

    Attributes:
        use: The last use on its way, where it meets what is computed from samples.
        way: The uses that led there, the last one included.
    """

    use: Use
    way: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """How the values of a graph are read.

    Attributes:
        index: The graph.
        structure: Names of the nodes that :func:`structural_nodes` finds.
        static: Values that no sample has a part in.
    """

    index: GraphIndex
    structure: Set[str]
    static: Set[str]

    def structural(self, use: Use, element: ElementType | None) -> bool:
        """Whether a reading is for structure: it decides where numbers go, and is none itself.

        A number that meets samples is none of structure, though the result only chooses: what is
        compared with a threshold, or multiplied by weights before the largest is looked for. Whole
        numbers that are reckoned with on the way to an index are.
        """
        node = use.node
        if role_of(node, use.slot) is Role.STRUCTURE:
            return True
        if node.name not in self.structure:
            return False
        meets = not self._fixed(node)
        return not (meets and (element not in WHOLE or node.op_type in (*COMPARISONS, "Equal")))

    def readings(self, value: str, element: ElementType | None) -> Iterator[bool]:
        """Of each reading of a value, whether it is for structure.

        What a control-flow body returns is read by who reads the output of its node; what the
        model returns is read by its user.
        """
        for use in self.index.consumers(value):
            yield self.structural(use, element)
        returned = self.index.handed(value)
        for each in returned:
            # A loop goes on or not by its condition, which is no number.
            yield (
                not each.value
                or each.node.name in self.structure
                or self._only(each.value, element)
            )
        if self.index.returned(value) and not returned:
            yield False

    def reader(self, value: str, element: ElementType | None) -> tuple[Node | None, End | None]:
        """The node that a value goes to first, and where it ends up; None where no node reads it.

        A value that a body returns goes to the body's node.
        """
        for use in self.index.consumers(value):
            if not self.structural(use, element):
                return use.node, self.end(use, element)
        for body in self.index.handed(value):
            if body.value:
                return body.node, self.reader(body.value, element)[1]
        return None, None

    def end(self, use: Use, element: ElementType | None) -> End:
        """Where a value ends up.

        It is followed through all that is made of stored tensors alone, and where it is only
        re-dressed; not as the scale or zero point of something else that is computed.
        """
        way = [use]
        while True:
            onward = self._onward(way[-1], element)
            if onward is None:
                return End(use=way[-1], way=tuple(way))
            way.append(onward)

    def layer(self, last: Use) -> Node:
        """The node that a tensor with this last use belongs to.

        A scale or zero point belongs where the value that it scales goes on to. Behind a
        quantizer at the end of the network nothing reads that value; then it is its maker.
        """
        if not self.transparent(last.node):
            return last.node
        uses = self.index.consumers(last.node.outputs[0])
        onward = self.end(uses[0], None).use.node if uses else last.node
        if not self.transparent(onward):
            return onward
        return self.maker(last.node.inputs[0]) or last.node

    def maker(self, value: str) -> Node | None:
        """The node that made a value, seen through transparent operators; None for inputs."""
        node = self.index.producer(value)
        while node is not None and self.transparent(node):
            node = self.index.producer(node.inputs[0])
        return node

    def transparent(self, node: Node) -> bool:
        """Whether a node only converts or reshapes its first input: layers are seen through it.

        So does the Clip between a quantizer and its dequantizer, which narrows integers to fewer
        bits.
        """
        return transparent(node) or (
            node.op_type == "Clip" and bool(node.inputs) and self.quantized(node.inputs[0])
        )

    def quantized(self, value: str) -> bool:
        """Whether a value holds small integers, as quantized tensors do."""
        element = self.index.element_of(value)
        return (
            element is not None
            and element not in WHOLE
            and has_format(element)
            and "exponent" not in format_of(element).fields
        )

    def _fixed(self, node: Node) -> bool:
        """Whether no sample has a part in what a node makes."""
        return all(value in self.static for value in node.outputs if value)

    def _onward(self, use: Use, element: ElementType | None) -> Use | None:
        if not self._fixed(use.node) and not (self.transparent(use.node) and use.slot == 0):
            return None
        for value in filter(None, use.node.outputs):
            for reading in self.index.consumers(value):
                if not self.structural(reading, element):
                    return reading
        return None

    def _only(self, value: str, element: ElementType | None) -> bool:
        """Whether a value is read for structure alone."""
        readings = list(self.readings(value, element))
        return bool(readings) and all(readings)


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
            and all(
                role_of(use.node, use.slot) is Role.STRUCTURE or use.node.name in found
                for use in uses
            )
        ):
            found.add(node.name)
    return frozenset(found)
