"""The graph index: plain facts about nodes, values and initializers, nested graphs included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from onnxfi.bits import ElementType
from onnxfi.graph.forms import Form
from onnxfi.graph.index._gates import Gates
from onnxfi.graph.proto import Shape, TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator call.

    Attributes:
        name: Unique in the model: the file's name, ``Conv#3`` if unnamed (third Conv of its graph
            in file order), ``name#2`` if repeated; in a nested graph ``scope/name``.
        op_type: Operator.
        domain: Operator domain, ``""`` for ai.onnx.
        inputs: Value names as the index calls them (qualified in nested graphs); ``""`` for an
            omitted input.
        outputs: Likewise.
        scope: ``""`` at the top level, else ``node/branch``.
    """

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A value is read: by which node, as which input (0-based)."""

    node: Node
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A control-flow body hands a value to the node that owns it.

    Attributes:
        node: The owner.
        value: Which output of the owner it becomes; ``""`` for the condition of a loop.
    """

    node: Node
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Initializer:
    """Stored data: a tensor, or a part of one, or what a node holds in an attribute.

    Attributes:
        name: The file's name; ``node/branch/name`` in a nested graph. Indices are ``NAME/indices``,
            attributes ``node/attribute``.
        element: Element type, None if onnxfi doesn't know it.
        shape: Dimensions of the data as it is stored; (k,) for k values of a sparse tensor; in
            elements where these are packed.
        nbytes: Bytes of its data, packed.
        scope: ``""`` at the top level, else ``node/branch``.
        form: How it is stored.
        owner: Of indices the name of the sparse tensor, of an attribute that of the node.
        attribute: Name of the attribute, else ``""``.
        in_bytes: Whether the file has a tensor of uint8 with several elements in each byte along
            its last axis, as operators of onnxruntime pack them.
    """

    name: str
    element: ElementType | None
    shape: tuple[int, ...]
    nbytes: int
    scope: str = ""
    form: Form = Form.TENSOR
    owner: str = ""
    attribute: str = ""
    in_bytes: bool = False

    @property
    def sparse(self) -> bool:
        """Whether it is a tensor in sparse form; its words are those of the non-zero values."""
        return self.form is Form.SPARSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where stored data lies.

    Attributes:
        scope: The graph.
        position: Position in the graph's list of initializers, sparse initializers or nodes.
        local: Name in that graph: of the tensor (of the sparse tensor, for indices) or node.
        form: Which of the lists it is.
        attribute: Name of the attribute, else ``""``.
    """

    scope: str
    position: int
    local: str
    form: Form
    attribute: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A nested graph.

    Attributes:
        path: Its scope, ``node/branch``.
        owner: The node that it belongs to.
        inputs: Its inputs by their names in the index, in order.
        slices: How many of them, the last ones, are slices that a Scan reads.
        outputs: What it returns, by names in the index, in order.
    """

    path: str
    owner: Node
    inputs: tuple[str, ...]
    slices: int = 0
    outputs: tuple[str, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether it runs once for each iteration of its owner."""
        return self.owner.op_type in ("Loop", "Scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a value lies: the scope that defines it, and its name there."""

    scope: str
    local: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphIndex:
    """Facts about a model's graph; values are named as in the file, qualified in nested graphs.

    Attributes:
        nodes: All nodes in topological order; the nodes of nested graphs follow their owner.
        initializers: Stored tensors by name, in file order, outer graphs first.
        stored: All stored data by name: the initializers, those in sparse form followed by their
            indices; then what nodes hold in attributes.
        settings: Bits of the numbers in attributes that are no such data (kernel sizes, axes), by
            node; nodes without any are not there.
        bodies: Nested graphs by scope, outer ones first.
    """

    nodes: tuple[Node, ...]
    initializers: Mapping[str, Initializer]
    stored: Mapping[str, Initializer]
    settings: Mapping[str, int]
    bodies: Mapping[str, Body]
    _producers: Mapping[str, Node] = field(repr=False)
    _uses: Mapping[str, tuple[Use, ...]] = field(repr=False)
    _types: Mapping[str, TensorSpec] = field(repr=False)
    _returned: frozenset[str] = field(repr=False)
    _handed: Mapping[str, tuple[Handover, ...]] = field(repr=False)
    places: Mapping[str, Place] = field(repr=False)
    _homes: Mapping[str, Home] = field(repr=False)
    _find_gates: Callable[[], Mapping[str, Gates]] = field(repr=False)

    @property
    def gates(self) -> Mapping[str, Gates]:
        """Stored tensors that recurrent operators read gate by gate, and how they are divided."""
        return self._find_gates()

    def producer(self, value: str) -> Node | None:
        """The node that computes a value; None for graph inputs, initializers, unknown names."""
        return self._producers.get(value)

    def consumers(self, value: str) -> tuple[Use, ...]:
        """All reads of a value, those in nested graphs included; graph outputs are no reads."""
        return self._uses.get(value, ())

    def returned(self, value: str) -> bool:
        """Whether a value is an output of the model, or of the nested graph that holds it."""
        return value in self._returned

    def handed(self, value: str) -> tuple[Handover, ...]:
        """To whom a control-flow body hands a value of its own."""
        return self._handed.get(value, ())

    def home(self, value: str) -> Home | None:
        """Where a value lies; None for unknown names."""
        return self._homes.get(value)

    def around(self, scope: str) -> tuple[Body, ...]:
        """The nested graphs that a scope lies in, the innermost (itself) first."""
        found: list[Body] = []
        while scope in self.bodies:
            found.append(self.bodies[scope])
            scope = found[-1].owner.scope
        return tuple(found)

    def element_of(self, value: str) -> ElementType | None:
        """Element type of a tensor value; None if unknown or not a tensor."""
        spec = self._types.get(value)
        return spec.element if spec is not None and spec.kind == "tensor" else None

    def shape_of(self, value: str) -> Shape | None:
        """Declared or inferred shape; None if unknown. Declared shapes may be wrong."""
        spec = self._types.get(value)
        return spec.shape if spec is not None and spec.kind == "tensor" else None

    def kind_of(self, value: str) -> str:
        """``tensor``, ``sequence``, ``map``, ``optional``, ``sparse``; ``tensor`` if unknown."""
        spec = self._types.get(value)
        return spec.kind if spec is not None else "tensor"
