"""Splitting a graph behind a value: what depends on it, and which values stay live across."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from onnx import GraphProto, NodeProto

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.errors import ModelError
from onnxfi.graph._model import Model
from onnxfi.graph._walk import Scope, captures, scopes

# Operators whose results differ from call to call: they must run once, in front of the split.
_RANDOM = frozenset(
    {
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
        "Dropout",
    }
)
# Operators that only move or re-type values.
_CHEAP = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A graph in two parts; control-flow bodies stay with the node that owns them.

    Attributes:
        suffix: Names of the top-level nodes that depend on the value, and of those that are
            computed again behind the split.
        frontier: Values that the suffix reads and does not compute, in the order of the graph:
            residuals, captured values, graph inputs, and the value itself if it is computed
            (also if nothing but the model's outputs reads it). Stored tensors are not among them.
        prefix: Names of the top-level nodes that the frontier and ``independent`` need.
        dependent: Outputs of the model that the suffix changes.
        independent: The other ones, but for the value itself.
    """

    suffix: frozenset[str]
    frontier: tuple[str, ...]
    prefix: frozenset[str]
    dependent: tuple[str, ...]
    independent: tuple[str, ...]


def split(model: Model, value: str) -> Split:
    """Split a model behind a value: a computed one, a graph input, or a stored tensor.

    Nodes that would turn integers or constants into larger or derived values are computed again
    in the suffix: DequantizeLinear, so that the runtime still sees an integer operator and the
    frontier holds integers; what stored tensors alone decide; what makes values that can't be fed.

    Args:
        model: The model.
        value: Name of the value as in the index.

    Raises:
        ModelError: The model has no such value, or computes it in a control-flow body.
    """
    return _Splitter(model, value).split()


class _Splitter:
    """The facts about one graph that splitting needs, by node name."""

    def __init__(self, model: Model, value: str) -> None:
        self._model = model
        self._value = value
        graph = model._proto.graph
        self._graph = graph
        self._nodes: dict[str, NodeProto] = {node.name: node for node in graph.node}
        self._reads = {node.name: frozenset(captures(node)) for node in graph.node}
        self._makers = {made: node.name for node in graph.node for made in node.output if made}
        self._stored = {tensor.name for tensor in graph.initializer}
        self._stored |= {sparse.values.name for sparse in graph.sparse_initializer}
        self._fed = [entry.name for entry in graph.input if entry.name not in self._stored]

    def split(self) -> Split:
        """The split."""
        reached = self._downstream()
        changed = {made for name in reached for made in self._nodes[name].output if made}
        outputs = [spec.name for spec in self._model.outputs]
        dependent = tuple(name for name in outputs if name in changed)
        independent = tuple(n for n in outputs if n not in changed and n != self._value)
        suffix = self._pulled(set(reached))
        live = self._live(suffix)
        if self._value in outputs and self._value not in self._stored:
            live.add(self._value)
        order = [*self._fed, *self._makers]
        wanted = [name for name in (*live, *independent) if name in self._makers]
        return Split(
            suffix=frozenset(suffix),
            frontier=tuple(name for name in order if name in live),
            prefix=self._upstream(wanted),
            dependent=dependent,
            independent=independent,
        )

    def _downstream(self) -> list[str]:
        """Nodes that depend on the value, in the order of the graph."""
        owner, changed = self._start()
        reached = []
        for name, node in self._nodes.items():
            if name == owner or not changed.isdisjoint(self._reads[name]):
                reached.append(name)
                changed.update(filter(None, node.output))
        return reached

    def _start(self) -> tuple[str | None, set[str]]:
        """The node that owns the value's control-flow body, or the value at the top level."""
        value = self._value
        place = self._model.index._places.get(value)
        if place is not None and place.scope:
            return _owner(self._graph, place.scope), set()
        if value in self._makers or value in self._stored or value in self._fed:
            return None, {value}
        inside = self._model.index.producer(value) is not None
        why = "is in a control-flow body" if inside else "does not exist"
        raise ModelError(f"can't split the model behind {value!r}: it {why}")

    def _live(self, suffix: Collection[str]) -> set[str]:
        """Values that nodes of the suffix read from outside it; stored tensors are no values."""
        made = {value for name in suffix for value in self._nodes[name].output}
        read = {value for name in suffix for value in self._reads[name]}
        return read - made - self._stored

    def _pulled(self, suffix: set[str]) -> set[str]:
        """The suffix with the nodes that are better computed again than cut off."""
        static = self._static()
        while True:
            names = {
                self._makers[value]
                for value in self._live(suffix)
                if value != self._value and value in self._makers and self._again(value, static)
            }
            # A node that makes the faulted value too would compute it without the fault.
            names = {n for n in names if self._value not in self._nodes[n].output}
            if not names:
                return suffix
            suffix |= names

    def _again(self, value: str, static: AbstractSet[str]) -> bool:
        """Whether a frontier value is computed again instead."""
        node = self._nodes[self._makers[value]]
        if node.name in static:
            return True
        if node.op_type in _RANDOM:
            return False
        return self._dequantized(node) or not self._feedable(value)

    def _dequantized(self, node: NodeProto) -> bool:
        """Whether a node dequantizes, or only moves what was dequantized."""
        found: NodeProto | None = node
        while found is not None and found.op_type in _CHEAP and found.input:
            if found.input[0] == self._value:
                return False
            found = self._nodes.get(self._makers.get(found.input[0], ""))
        return found is not None and found.op_type == "DequantizeLinear"

    def _feedable(self, value: str) -> bool:
        """Whether a value can be an input: a tensor of a type that arrays hold."""
        index = self._model.index
        if index.kind_of(value) != "tensor":
            return False
        element = index.element_of(value)
        if element is None or element in (ElementType.BOOL, ElementType.STRING):
            return True
        return has_format(element) and format_of(element).width >= 8

    def _static(self) -> set[str]:
        """Nodes that depend on stored tensors alone; the faulted tensor is downstream anyway."""
        known = set(self._stored)
        static: set[str] = set()
        for name, node in self._nodes.items():
            constant = node.op_type == "Constant" or bool(self._reads[name])
            if constant and node.op_type not in _RANDOM and known.issuperset(self._reads[name]):
                static.add(name)
                known.update(filter(None, node.output))
        return static

    def _upstream(self, values: Iterable[str]) -> frozenset[str]:
        """Nodes that values need."""
        open_values, needed = list(values), set()
        while open_values:
            maker = self._makers.get(open_values.pop())
            if maker is not None and maker not in needed:
                needed.add(maker)
                open_values.extend(self._reads[maker])
        return frozenset(needed)


def _owner(graph: GraphProto, path: str) -> str:
    """Name of the top-level node in whose bodies a scope lies."""
    by_path: Mapping[str, Scope] = {scope.path: scope for scope in scopes(graph)}
    scope = by_path[path]
    while scope.parent is not None and scope.parent.path:
        scope = scope.parent
    assert scope.owner is not None
    name: str = graph.node[scope.owner].name
    return name
