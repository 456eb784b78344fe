"""Stored sites: what each tensor in the file is to the network, or why it is left out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.faults.enumeration._kinds import ATTRIBUTE_BIASES, StoredKinds
from onnxfi.faults.enumeration._uses import WHOLE, Uses
from onnxfi.faults.sites import FaultSite, LeftOut, Reason, SampleLayout, SiteKind, no_format
from onnxfi.graph import Form, GraphIndex, Initializer, Node


# Not slotted: cached_property keeps its value in the instance.
@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is needed to judge stored tensors.

    Attributes:
        uses: How the graph reads its values.
    """

    uses: Uses

    @property
    def index(self) -> GraphIndex:
        """The graph."""
        return self.uses.index

    def site(self, data: Initializer) -> FaultSite | LeftOut:
        """The site of stored data, or why it is none.

        Anything whose numbers enter a computation is a site, integers and truth values that are
        added, compared or selected by included, as much stored state as trained weights.
        """
        if data.form is Form.INDICES:
            return self._indices(data)
        reason = self._obstacle(data)
        if reason is not None or data.element is None:
            return _left_out(data, str(reason))
        if data.form is Form.ATTRIBUTE:
            owner = self._nodes[data.owner]
            return _site(data, self._kind_of_attribute(data, owner), owner, owner)
        reader, end = self.uses.reader(data.name, data.element)
        if end is None:
            return _site(data, SiteKind.WEIGHT, reader, reader)
        kind = StoredKinds(uses=self.uses).of(data.element, end)
        site = _site(data, kind, reader, self.uses.layer(end.use))
        return replace(site, gates=self.index.gates.get(data.name))

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.index.nodes}

    def _kind_of_attribute(self, data: Initializer, owner: Node) -> SiteKind:
        if data.attribute in ATTRIBUTE_BIASES:
            return SiteKind.BIAS
        if owner.op_type != "ConstantOfShape" or data.element is None:
            return SiteKind.WEIGHT
        # The numbers of a tensor that is not spelled out are what that tensor is.
        end = self.uses.reader(owner.outputs[0], data.element)[1]
        return SiteKind.WEIGHT if end is None else StoredKinds(uses=self.uses).of(data.element, end)

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
        readings = [] if attribute else list(self.uses.readings(data.name, data.element))
        if not readings and not attribute:
            return Reason.UNREAD
        if math.prod(data.shape) == 0:
            return Reason.EMPTY
        if attribute:
            return self._obstacle_of_attribute(data.element, self._nodes[data.owner])
        # An integer that is a shape in one place and a number in another would stop the run rather
        # than change an answer; a quantized weight whose shape is asked for is still a weight.
        judge = any if data.element in WHOLE else all
        return Reason.STRUCTURE if judge(readings) else None

    def _obstacle_of_attribute(self, element: ElementType, owner: Node) -> str | None:
        if owner.name in self.uses.structure:
            return Reason.STRUCTURE
        lists = owner.domain == "ai.onnx.ml" or owner.op_type == "TfIdfVectorizer"
        return Reason.LISTS if lists and "exponent" not in format_of(element).fields else None


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
        in_bytes=data.in_bytes,
    )


def _left_out(data: Initializer, reason: str) -> LeftOut:
    elements, bits = math.prod(data.shape), 8 * data.nbytes
    if data.element is not None and has_format(data.element):
        bits = elements * format_of(data.element).width
    return LeftOut(name=data.name, reason=reason, elements=elements, bits=bits)
