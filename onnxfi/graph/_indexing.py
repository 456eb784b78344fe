"""Building the graph index of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto

from onnxfi.graph._elements import data_bytes, element_from_onnx
from onnxfi.graph._index import GraphIndex, Initializer, Node, Place, Use
from onnxfi.graph._spec import TensorSpec
from onnxfi.graph._tensors import element_count
from onnxfi.graph._walk import Scope, Unique, join, own_names, scopes

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
        self._outer = outer
        self._own: dict[str, str] = {}

    def define(self, local: str, qualified: str) -> None:
        self._own[local] = qualified

    def __contains__(self, local: str) -> bool:
        return local in self._own

    def __getitem__(self, local: str) -> str:
        names: _Names | None = self
        while names is not None:
            if local in names._own:
                return names._own[local]
            names = names._outer
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
        self._uses: dict[str, list[Use]] = {}
        self._types: dict[str, TensorSpec] = {}
        self._returned: set[str] = set()

    def visit(self, scope: Scope) -> None:
        """Take in one graph; the graph around it has been visited before."""
        names = self._define(scope)
        self._add_initializers(scope, names)
        self._nodes[scope.path] = [self._node(node, scope.path, names) for node in scope.graph.node]
        self._returned.update(names[value.name] for value in scope.graph.output)

    def index(self) -> GraphIndex:
        """The finished index."""
        return GraphIndex(
            nodes=tuple(self._ordered("")),
            initializers=MappingProxyType(self._initializers),
            _producers=self._producers,
            _uses={value: tuple(uses) for value, uses in self._uses.items()},
            _types=self._types,
            _returned=frozenset(self._returned),
            _places=self._places,
        )

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
        return entry

    def _add_node(self, node: Node) -> None:
        for slot, value in enumerate(node.inputs):
            if value:
                self._uses.setdefault(value, []).append(Use(node=node, slot=slot))
        for value in node.outputs:
            if value:
                self._producers[value] = node

    def _add_initializers(self, scope: Scope, names: _Names) -> None:
        for position, tensor in enumerate(scope.graph.initializer):
            self._add(_dense(names[tensor.name], tensor, scope.path), tensor.name, position)
        for position, sparse in enumerate(scope.graph.sparse_initializer):
            local = sparse.values.name
            self._add(_sparse(names[local], sparse, scope.path), local, position)

    def _add(self, entry: Initializer, local: str, position: int) -> None:
        self._initializers[entry.name] = entry
        self._places[entry.name] = Place(
            scope=entry.scope, position=position, local=local, sparse=entry.sparse
        )
        self._types[entry.name] = TensorSpec(
            name=entry.name, element=entry.element, shape=entry.shape
        )


def _dense(name: str, tensor: TensorProto, scope: str) -> Initializer:
    element = element_from_onnx(tensor.data_type)
    size = None if element is None else data_bytes(element, element_count(tensor))
    if size is None:
        size = sum(len(text) for text in tensor.string_data)
    return Initializer(
        name=name, element=element, shape=tuple(tensor.dims), nbytes=size, scope=scope
    )


def _sparse(name: str, sparse: SparseTensorProto, scope: str) -> Initializer:
    values = _dense(name, sparse.values, scope)
    return Initializer(
        name=name,
        element=values.element,
        shape=tuple(sparse.dims),
        nbytes=values.nbytes,
        scope=scope,
        sparse=True,
    )
