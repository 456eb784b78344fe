"""Computed sites: graph inputs and node outputs, or why they are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from onnxfi.bits import ElementType
from onnxfi.faults.sites import (
    FaultSite,
    LeftOut,
    Reason,
    SampleLayout,
    SiteKind,
    no_port,
    not_a_tensor,
    transparent,
)
from onnxfi.graph import TAPPED, Body, GraphIndex, Node, TensorSpec
from onnxfi.graph.ops import is_a

PORT_TYPES = frozenset(
    {
        ElementType.FLOAT,
        ElementType.DOUBLE,
        ElementType.FLOAT16,
        ElementType.BFLOAT16,
        ElementType.INT8,
        ElementType.INT16,
        ElementType.INT32,
        ElementType.INT64,
        ElementType.UINT8,
        ElementType.UINT16,
        ElementType.UINT32,
        ElementType.UINT64,
        ElementType.BOOL,
    }
)
"""Element types of computed tensors whose bits ONNX operators can change."""

_HOST_TYPES = frozenset(
    {
        ElementType.FLOAT8E4M3FN,
        ElementType.FLOAT8E4M3FNUZ,
        ElementType.FLOAT8E5M2,
        ElementType.FLOAT8E5M2FNUZ,
        ElementType.FLOAT8E8M0,
        ElementType.INT2,
        ElementType.INT4,
        ElementType.UINT2,
        ElementType.UINT4,
    }
)
"""Those whose bits only the host can change, between two runs: the graph is cut there."""

_READS_SHAPE = ("Shape", "Size")


# Number and condition, which a Loop gives its body before the state.
_LOOP_CONTROL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a computed value comes from: a node, its layer, and the graph that the value is in."""

    node: Node
    layer: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What is needed to judge computed values.

    Attributes:
        index: The graph.
        outputs: Names of the graph outputs.
        needed: Values that they depend on.
        static: Values that no sample has a part in.
        layouts: Run-time layouts, None before a profile.
        unseen: Why a profile found no layout, by value.
        states: Graph inputs that hold the state of a streaming model.
    """

    index: GraphIndex
    outputs: Set[str]
    needed: Set[str]
    static: Set[str]
    layouts: Mapping[str, SampleLayout] | None
    unseen: Mapping[str, str]
    states: Set[str] = frozenset()

    def input_site(self, spec: TensorSpec) -> FaultSite | LeftOut:
        """The site of a graph input, or why it is none."""
        element = spec.element if spec.kind == "tensor" else None
        kind = SiteKind.STATE if spec.name in self.states else SiteKind.INPUT
        passed = Reason.PASSED if self.index.returned(spec.name) else None
        reason = passed or self._obstacle(spec.name, spec.kind, element)
        if reason is not None or element is None:
            return LeftOut(name=spec.name, reason=str(reason), elements=None, bits=0, kind=kind)
        return FaultSite(
            name=spec.name,
            kind=kind,
            element=element,
            node="",
            op_type="",
            layer=spec.name,
            layout=self._layout(spec.name),
            repeated=bool(self.states),
        )

    def output_sites(self, node: Node) -> Iterator[FaultSite | LeftOut]:
        """The sites of a node's outputs, or why they are none."""
        for value in filter(None, node.outputs):
            reason = Reason.STATIC if value in self.static else None
            origin = Origin(node=node, layer=self._layer(node), scope=node.scope)
            yield self._site(value, SiteKind.ACTIVATION, origin, reason)

    def body_sites(self, body: Body) -> Iterator[FaultSite | LeftOut]:
        """The sites of what comes into a body anew in each iteration, or why they are none.

        The state that an iteration gets from the one before, and the slices that a Scan reads.
        """
        slices = len(body.inputs) - body.slices
        for place, value in enumerate(body.inputs):
            kind = SiteKind.STATE if place < slices else SiteKind.ACTIVATION
            origin = Origin(node=body.owner, layer=body.owner.name, scope=body.path)
            reason = Reason.PASSED if self.index.returned(value) else None
            if body.owner.op_type == "Loop" and place < _LOOP_CONTROL:
                reason = Reason.STRUCTURE
            yield self._site(value, kind, origin, reason)

    def _site(
        self, value: str, kind: SiteKind, origin: Origin, reason: Reason | None
    ) -> FaultSite | LeftOut:
        element = self.index.element_of(value)
        around = self.index.around(origin.scope)
        if any(body.owner.op_type not in TAPPED or body.owner.domain for body in around):
            reason = Reason.BODY
        found = reason or self._obstacle(value, self.index.kind_of(value), element)
        if found is not None or element is None:
            return LeftOut(
                name=value,
                reason=str(found),
                elements=None,
                bits=0,
                kind=kind,
                op_type=origin.node.op_type,
            )
        return FaultSite(
            name=value,
            kind=kind,
            element=element,
            node=origin.node.name,
            op_type=origin.node.op_type,
            layer=origin.layer,
            layout=self._layout(value),
            repeated=bool(self.states) or any(body.repeats for body in around),
            body=origin.scope,
        )

    def _layer(self, node: Node) -> str:
        """Name of the layer: the node, or what a transparent node's first input comes from."""
        while transparent(node):
            before = self.index.producer(node.inputs[0])
            if before is None:
                return node.inputs[0]
            node = before
        return node.name

    def _layout(self, value: str) -> SampleLayout | None:
        return None if self.layouts is None else self.layouts.get(value)

    def _obstacle(self, value: str, kind: str, element: ElementType | None) -> str | None:
        """Why a computed value can't be a site, if it can't."""
        if kind != "tensor":
            return not_a_tensor(kind)
        handed_out = value in self.outputs or self.index.returned(value)
        if not (self.index.consumers(value) or handed_out):
            return Reason.UNREAD
        if element is None:
            return Reason.UNTOLD_TYPE
        if element not in PORT_TYPES | _HOST_TYPES:
            return no_port(element)
        if value not in self.needed:
            return Reason.UNUSED
        if self.layouts is None:
            return None
        layout = self.layouts.get(value)
        if layout is None:
            return self.unseen.get(value, Reason.UNSEEN)
        return Reason.EMPTY if layout.elements == 0 else None


def static_values(index: GraphIndex) -> frozenset[str]:
    """Values made from stored tensors and shapes alone, in nested graphs too."""
    static = set(index.initializers)
    for node in index.nodes:
        if is_a(node.op_type, "varies"):
            continue
        read = [value for value in node.inputs if value]
        fixed = bool(read) or node.op_type == "Constant"
        if node.op_type in _READS_SHAPE or (fixed and static.issuperset(read)):
            static.update(filter(None, node.outputs))
    return frozenset(static)
