"""Building the index of a model: types inferred, names qualified, stored data described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import onnx.shape_inference
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from onnxfi.bits import ElementType, format_of
from onnxfi.graph.forms import Form
from onnxfi.graph.index._attributes import attribute_data, settings_bits
from onnxfi.graph.index._gates import RECURRENT, Gates, Origins, find_gates
from onnxfi.graph.index._index import (
    Body,
    GraphIndex,
    Handover,
    Home,
    Initializer,
    Node,
    Place,
    Use,
)
from onnxfi.graph.index._packed import PACKING, Reading, packed_elements
from onnxfi.graph.proto import (
    Scope,
    TensorSpec,
    Unique,
    data_bytes,
    element_count,
    element_from_onnx,
    join,
    own_names,
    scopes,
    skeleton,
    spec_of,
)

Types = Mapping[tuple[str, str], TensorSpec]
"""Specs of values by scope and name within that scope."""


def build_index(graph: GraphProto, types: Types) -> GraphIndex:
    """Index a normalised graph (named nodes, sorted, every name defined once in its graph)."""
    builder = _Builder(types)
    for scope in scopes(graph):
        builder.visit(scope)
    return builder.index()


class _Names:
    """What local names mean in a scope: its own values first, then those of the scopes around."""

    def __init__(self, outer: _Names | None) -> None:
        self.outer = outer
        self.own: dict[str, str] = {}

    def define(self, local: str, qualified: str) -> None:
        self.own[local] = qualified

    def __contains__(self, local: str) -> bool:
        return local in self.own

    def __getitem__(self, local: str) -> str:
        names: _Names | None = self
        while names is not None:
            if local in names.own:
                return names.own[local]
            names = names.outer
        return local


class _Builder:
    def __init__(self, types: Types) -> None:
        self._known = types
        self._value_names = Unique()
        self._node_names = Unique()
        self._names: dict[str, _Names] = {}
        self._nodes: dict[str, list[Node]] = {}
        self._children: dict[tuple[str, int], list[str]] = {}
        self._initializers: dict[str, Initializer] = {}
        self._places: dict[str, Place] = {}
        self._producers: dict[str, Node] = {}
        # Of the messages themselves, for what is looked for only when asked for.
        self._makers: dict[str, NodeProto] = {}
        self._tensors: dict[str, TensorProto] = {}
        self._uses: dict[str, list[Use]] = {}
        self._types: dict[str, TensorSpec] = {}
        self._returned: set[str] = set()
        self._handed: dict[str, list[Handover]] = {}
        # Data without a name of its own in the file, by what it belongs to; named in the end.
        self._indices: dict[str, tuple[Initializer, Place]] = {}
        self._attributes: list[tuple[Initializer, Place]] = []
        self._settings: dict[str, int] = {}
        self._bodies: dict[str, Body] = {}
        self._homes: dict[str, Home] = {}

    def visit(self, scope: Scope) -> None:
        """Take in one graph; the graph around it has been visited before."""
        names = self._define(scope)
        if scope.parent is not None and scope.owner is not None:
            self._bodies[scope.path] = Body(
                path=scope.path,
                owner=self._nodes[scope.parent.path][scope.owner],
                inputs=tuple(names[value.name] for value in scope.graph.input),
                slices=_scanned(scope.parent.graph.node[scope.owner]),
                outputs=tuple(names[value.name] for value in scope.graph.output),
            )
        self._add_initializers(scope, names)
        self._nodes[scope.path] = nodes = []
        for position, node in enumerate(scope.graph.node):
            entry = self._node(node, scope.path, names)
            nodes.append(entry)
            self._add_attributes(node, entry, position)
        self._hand_out(scope, names)

    def index(self) -> GraphIndex:
        """The finished index."""
        every = [node for nodes in self._nodes.values() for node in nodes]
        if any(node.op_type in PACKING for node in every):
            self._unpack()
        stored = self._named()
        # Without a recurrent operator nothing of the message is kept alive for it.
        recurrent = any(node.op_type in RECURRENT for node in every)
        return GraphIndex(
            nodes=tuple(self._ordered("")),
            initializers=MappingProxyType(self._initializers),
            stored=MappingProxyType(stored),
            settings=MappingProxyType(self._settings),
            bodies=MappingProxyType(self._bodies),
            _homes=self._homes,
            _producers=self._producers,
            _uses={value: tuple(uses) for value, uses in self._uses.items()},
            _types=self._types,
            _returned=frozenset(self._returned),
            _handed={value: tuple(handed) for value, handed in self._handed.items()},
            places=self._places,
            _find_gates=cache(self._gates) if recurrent else dict,
        )

    def _unpack(self) -> None:
        """Describe stored tensors that operators pack for themselves in their real elements."""

        def readings(value: str) -> Iterator[tuple[Reading, Sequence[str]]]:
            for use in self._uses.get(value, ()):
                node = self._makers[next(filter(None, use.node.outputs))]
                yield (node, use.slot), use.node.outputs

        def kept(value: str) -> bool:
            return value in self._returned or value in self._handed

        entries = self._initializers
        bytes_ = [
            name
            for name, each in entries.items()
            if each.element is ElementType.UINT8 and each.shape and each.form is Form.TENSOR
        ]
        for name, element in packed_elements(bytes_, readings, kept).items():
            entry = entries[name]
            last = entry.shape[-1] * (
                format_of(ElementType.UINT8).width // format_of(element).width
            )
            shape = (*entry.shape[:-1], last)
            entries[name] = replace(entry, element=element, shape=shape, in_bytes=True)

    def _gates(self) -> Mapping[str, Gates]:
        """Gates of stored tensors; only looked for when somebody asks."""
        nodes = [(node.op_type, node.inputs) for each in self._nodes.values() for node in each]
        inputs = {value: node.inputs for value, node in self._producers.items()}
        return find_gates(nodes, Origins(self._makers, self._tensors, inputs))

    def _define(self, scope: Scope) -> _Names:
        outer = None
        if scope.parent is not None and scope.owner is not None:
            outer = self._names[scope.parent.path]
            self._children.setdefault((scope.parent.path, scope.owner), []).append(scope.path)
        names = self._names[scope.path] = _Names(outer)
        for local in own_names(scope.graph):
            if local not in names:
                # Another scope's path can make the same text.
                qualified = self._value_names.take(join(scope.path, local))
                names.define(local, qualified)
                self._homes[qualified] = Home(scope=scope.path, local=local)
                if (scope.path, local) in self._known:
                    self._types[qualified] = self._known[scope.path, local]
        return names

    def _ordered(self, path: str) -> Iterator[Node]:
        """Nodes of a graph, those of nested graphs behind their owner."""
        for position, node in enumerate(self._nodes[path]):
            yield node
            for child in self._children.get((path, position), ()):
                yield from self._ordered(child)

    def _node(self, node: NodeProto, path: str, names: _Names) -> Node:
        entry = Node(
            name=self._node_names.take(join(path, node.name)),
            op_type=node.op_type,
            domain="" if node.domain == "ai.onnx" else node.domain,
            inputs=tuple(names[local] if local else "" for local in node.input),
            outputs=tuple(names[local] if local else "" for local in node.output),
            scope=path,
        )
        self._add_node(entry)
        self._makers.update((value, node) for value in entry.outputs if value)
        return entry

    def _add_node(self, node: Node) -> None:
        for slot, value in enumerate(node.inputs):
            if value:
                self._uses.setdefault(value, []).append(Use(node=node, slot=slot))
        for value in node.outputs:
            if value:
                self._producers[value] = node

    def _hand_out(self, scope: Scope, names: _Names) -> None:
        """Take note of what a graph returns, and to which outputs of its owner."""
        outputs = [names[value.name] for value in scope.graph.output]
        self._returned.update(outputs)
        if scope.parent is None or scope.owner is None:
            return
        owner = self._nodes[scope.parent.path][scope.owner]
        # The first thing that the body of a Loop returns is whether to go on.
        theirs = ("", *owner.outputs) if owner.op_type == "Loop" else owner.outputs
        for value, received in zip(outputs, theirs, strict=False):
            self._handed.setdefault(value, []).append(Handover(node=owner, value=received))

    def _add_attributes(self, node: NodeProto, entry: Node, position: int) -> None:
        bits = settings_bits(node)
        if bits:
            self._settings[entry.name] = bits
        for data in attribute_data(node, entry.name, entry.scope):
            place = Place(
                scope=entry.scope,
                position=position,
                local=node.name,
                form=Form.ATTRIBUTE,
                attribute=data.attribute,
            )
            self._attributes.append((data, place))

    def _named(self) -> dict[str, Initializer]:
        """All stored data by name. Names of the file come first: they never change."""
        found: dict[str, Initializer] = {}
        for name, entry in self._initializers.items():
            found[name] = entry
            if name in self._indices:
                self._name(*self._indices[name], found)
        for data, place in self._attributes:
            self._name(data, place, found)
        return found

    def _name(self, entry: Initializer, place: Place, found: dict[str, Initializer]) -> None:
        name = self._value_names.take(entry.name)
        found[name] = replace(entry, name=name)
        self._places[name] = place

    def _add_initializers(self, scope: Scope, names: _Names) -> None:
        for position, tensor in enumerate(scope.graph.initializer):
            entry = _entry(names[tensor.name], tensor, scope.path, Form.TENSOR)
            self._add(entry, tensor.name, position, tuple(tensor.dims))
            self._tensors[entry.name] = tensor
        for position, sparse in enumerate(scope.graph.sparse_initializer):
            local = sparse.values.name
            entry = _entry(names[local], sparse.values, scope.path, Form.SPARSE)
            self._add(entry, local, position, tuple(sparse.dims))
            indices = _entry(f"{entry.name}/indices", sparse.indices, scope.path, Form.INDICES)
            place = Place(scope=scope.path, position=position, local=local, form=Form.INDICES)
            self._indices[entry.name] = (replace(indices, owner=entry.name), place)

    def _add(self, entry: Initializer, local: str, position: int, dense: tuple[int, ...]) -> None:
        self._initializers[entry.name] = entry
        self._places[entry.name] = Place(
            scope=entry.scope, position=position, local=local, form=entry.form
        )
        self._types[entry.name] = TensorSpec(name=entry.name, element=entry.element, shape=dense)


def _scanned(owner: NodeProto) -> int:
    """How many inputs of its body a Scan slices; 0 for other operators."""
    if owner.op_type != "Scan":
        return 0
    return sum(entry.i for entry in owner.attribute if entry.name == "num_scan_inputs")


def _entry(name: str, tensor: TensorProto, scope: str, form: Form) -> Initializer:
    element = element_from_onnx(tensor.data_type)
    size = None if element is None else data_bytes(element, element_count(tensor))
    if size is None:
        size = sum(len(text) for text in tensor.string_data)
    return Initializer(
        name=name, element=element, shape=tuple(tensor.dims), nbytes=size, scope=scope, form=form
    )


def infer_types(proto: ModelProto) -> Types:
    """Specs by scope and name; what can't be inferred is left out.

    That is what operators compute that only onnxruntime knows, and what is computed from it
    (:func:`untyped` finds it). The result feeds the index only and is never written into the model:
    declared shapes may be wrong, and what is inferred from them too, and onnxruntime plans memory
    by what a model declares.
    """
    bare = skeleton(proto)
    # The C++ pass raises whatever it meets; what is declared still counts.
    with suppress(Exception):
        # Not with data_prop: it makes one dimension object per element of any 1-D value,
        # gigabytes for a bias of a million elements or a declared shape that lies.
        bare = onnx.shape_inference.infer_shapes(bare)
    return _collect(bare)


def _collect(proto: ModelProto) -> Types:
    types: dict[tuple[str, str], TensorSpec] = {}
    for scope in scopes(proto.graph):
        graph = scope.graph
        for value in (*graph.value_info, *graph.output, *graph.input):
            types[scope.path, value.name] = spec_of(value)
        for tensor in graph.initializer:
            element = element_from_onnx(tensor.data_type)
            types[scope.path, tensor.name] = TensorSpec(
                name=tensor.name, element=element, shape=tuple(tensor.dims)
            )
    return types
