"""The form of the user's file: an edited model with all else as the file has it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from onnxfi.errors import RewriteError
from onnxfi.graph.index import Endpoints, Form, Model, set_literal
from onnxfi.graph.io import Limits, read_source
from onnxfi.graph.proto import (
    Key,
    Scope,
    TensorSpec,
    bodies,
    call_key,
    captures,
    function_key,
    join,
    known_element,
    own_names,
    rename_outputs,
    rename_reads,
    scopes,
    unique_names,
    value_info,
)

if TYPE_CHECKING:
    from onnx_graphsurgeon.ir.graph import Graph

# Below, every initializer of the graph must be among its inputs.
_FREE_INITIALIZERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class InFile:
    """An edited model in the form of the file it was loaded from.

    Attributes:
        model: The model, to be written; Constants and functions are in it, nodes may be unnamed.
        inlined: Why the model's functions are inlined all the same; ``""`` if they are not.
    """

    model: Model
    inlined: str = ""


def as_in_file(model: Model, source: str | os.PathLike[str] | bytes | ModelProto | Graph) -> InFile:
    """Carry the edits of a model out in the file that it was loaded from.

    Constant nodes, functions, names, metadata, declarations and the order of everything stay;
    what changes are the edited tensors, the nodes that were added, and with a raised opset the
    nodes that have another form there.

    Args:
        model: A model with replaced data and node groups, its opset raised or not.
        source: What it was loaded from.

    Raises:
        RewriteError: It was edited in another way, or ``source`` holds another model.
    """
    if model.edits.lifted or model.edits.exposed:
        raise RewriteError("lifted initializers and exposed values have no form in the file")
    given = read_source(source, Limits()).proto
    raised = _versions(given).get("", 0) != _versions(model.proto).get("", 0)
    if given.functions and raised:
        return InFile(model=model, inlined=f"its opset was raised to {model.opset}")
    restorer = _Restorer(model, raised=raised)
    restorer.run(given)
    if not restorer.missed:
        return InFile(model=replace(model, proto=given))
    if given.functions:
        return InFile(model=model, inlined="a fault lies inside of one, and in one call only")
    scope, name, _ = min(restorer.missed)
    raise RewriteError(f"the file has no {join(scope, name)!r}; it holds another model")


def _versions(proto: ModelProto) -> dict[str, int]:
    return {
        "" if entry.domain == "ai.onnx" else entry.domain: entry.version
        for entry in proto.opset_import
    }


class _Restorer:
    """Carries edits out in a message; ``missed`` are those that it has no place for."""

    def __init__(self, model: Model, *, raised: bool) -> None:
        self._model = model
        self._edits = model.edits
        self._raised = raised
        self._places = [model.index.places[name] for name in sorted(model.edits.replaced)]
        # By scope and name; nodes and values may be called alike.
        self.missed = {
            (place.scope, place.local, place.form is Form.ATTRIBUTE) for place in self._places
        }
        self.missed |= {(each.scope, each.faulty, False) for each in model.edits.endpoints}
        self._functions: set[Key] = set()
        self._children: dict[tuple[str, int], list[Scope]] = defaultdict(list)

    def run(self, given: ModelProto) -> None:
        """Change the message in place."""
        whole, *nested = scopes(self._model.proto.graph)
        for scope in nested:
            if scope.parent is not None and scope.owner is not None:
                self._children[scope.parent.path, scope.owner].append(scope)
        self._functions = {function_key(function) for function in given.functions}
        before = len(given.graph.initializer)
        self._graph(given.graph, whole)
        if given.ir_version < _FREE_INITIALIZERS:
            _declare(given.graph, given.graph.initializer[before:])
        known = {entry.domain: entry for entry in given.opset_import}
        for entry in self._model.proto.opset_import:
            if entry.domain in known:
                known[entry.domain].version = entry.version
            elif entry.domain in self._edits.domains or (self._raised and not entry.domain):
                given.opset_import.add().CopyFrom(entry)

    def _graph(self, given: GraphProto, edited: Scope) -> None:
        names = unique_names(given)
        ends = [each for each in self._edits.endpoints if each.scope == edited.path]
        self._rename(given, ends)
        self._replace(given, edited)
        self._store(given, edited)
        _take_interface(given, edited.graph)
        self._nodes(given, edited, names)

    def _rename(self, given: GraphProto, ends: Iterable[Endpoints]) -> None:
        fed = {value.name for value in given.input}
        made = {name for node in given.node for name in node.output}
        found = [each for each in ends if each.clean in fed or each.faulty in made]
        rename_reads(given, {each.clean: each.faulty for each in found if each.clean in fed})
        rename_outputs(given, {each.faulty: each.clean for each in found if each.faulty in made})
        self.missed -= {(each.scope, each.faulty, False) for each in found}

    def _replace(self, given: GraphProto, edited: Scope) -> None:
        """Give stored tensors their new data, as initializers or in Constant nodes."""
        for place in self._places:
            if place.scope != edited.path or place.form is Form.ATTRIBUTE:
                continue
            if place.form is Form.TENSOR:
                dense = next(t for t in edited.graph.initializer if t.name == place.local)
                # Of initializers with one name the last one counts.
                ours = [t for t in given.initializer if t.name == place.local]
                found = _put_dense(given, ours, dense)
            else:
                every = edited.graph.sparse_initializer
                sparse = next(s for s in every if s.values.name == place.local)
                found = _put_sparse(given, sparse)
            if found:
                self.missed.discard((place.scope, place.local, False))

    def _store(self, given: GraphProto, edited: Scope) -> None:
        """Add the initializers that groups, or operators in their new form, need."""
        known = set(own_names(given))
        for tensor in edited.graph.initializer:
            added = self._raised or (not edited.path and tensor.name in self._edits.constants)
            if added and tensor.name not in known:
                given.initializer.add().CopyFrom(tensor)

    def _nodes(self, given: GraphProto, edited: Scope, names: list[str]) -> None:
        """Take over changed nodes in their places, and put new ones behind what they read."""
        new: list[NodeProto] = []
        others: dict[str, int] = {}
        for position, node in enumerate(edited.graph.node):
            if join(edited.path, node.name) in self._edits.nodes:
                new.append(node)
            elif self._raised:
                others[node.name] = position
            else:
                others.update((name, position) for name in node.output if name)
        whole: list[NodeProto] = []
        matched: set[int] = set()
        made_now = {name for node in edited.graph.node for name in node.output if name}
        for node, name in zip(given.node, names, strict=True):
            keys = [name] if self._raised else list(node.output)
            if call_key(node) in self._functions:
                keys = []  # the last node of the inlined function makes its output
            found = next((others[key] for key in keys if key in others), None)
            if found is None:
                # A Constant, or a call of a function; not what became other nodes.
                if not (self._raised and made_now.intersection(node.output)):
                    whole.append(node)
                continue
            matched.add(found)
            self.missed.discard((edited.path, edited.graph.node[found].name, True))
            whole.append(self._node(node, edited, found))
        if self._raised:
            new = [n for p, n in enumerate(edited.graph.node) if p not in matched]
        nodes = _behind(whole, new)
        del given.node[:]
        given.node.extend(nodes)
        made = {name for node in new for name in node.output if name}
        declared = {value.name for value in given.value_info}
        given.value_info.extend(
            value for value in edited.graph.value_info if value.name in made - declared
        )

    def _node(self, given: NodeProto, edited: Scope, position: int) -> NodeProto:
        """A node as it is after the edits, with its name and its bodies as in the file."""
        node = NodeProto()
        node.CopyFrom(edited.graph.node[position])
        node.ClearField("name")
        if given.HasField("name"):
            node.name = given.name
        inner = zip(bodies(given), bodies(node), strict=True)
        scoped = zip(inner, self._children[edited.path, position], strict=True)
        for ((_, ours), (_, theirs)), scope in scoped:
            self._graph(ours, scope)
            theirs.CopyFrom(ours)
        return node


def _declare(graph: GraphProto, tensors: Iterable[TensorProto]) -> None:
    """List new initializers among the inputs, as old files have them."""
    for tensor in tensors:
        element = known_element(tensor)
        spec = TensorSpec(name=tensor.name, element=element, shape=tuple(tensor.dims))
        graph.input.append(value_info(spec))


def _behind(nodes: list[NodeProto], new: Iterable[NodeProto]) -> list[NodeProto]:
    """Nodes with new ones, each right behind the last node that makes something it reads."""
    made = {name: p for p, node in enumerate(nodes) for name in node.output if name}
    behind: dict[int, list[NodeProto]] = defaultdict(list)
    for node in new:
        place = max((made[name] for name in captures(node) if name in made), default=-1)
        behind[place].append(node)
        made.update((name, place) for name in node.output if name)
    order = list(behind[-1])
    for position, node in enumerate(nodes):
        order += [node, *behind[position]]
    return order


def _take_interface(given: GraphProto, edited: GraphProto) -> None:
    """Inputs and outputs that a counter has added."""
    for ours, theirs in ((given.input, edited.input), (given.output, edited.output)):
        if [value.name for value in ours] != [value.name for value in theirs]:
            del ours[:]
            ours.extend(theirs)


def _put_dense(given: GraphProto, ours: list[TensorProto], edited: TensorProto) -> bool:
    if ours:
        ours[-1].CopyFrom(edited)
        return True
    node = _constant_of(given, edited.name)
    if node is None:
        return False
    attribute = node.attribute[0]
    if attribute.name != "value":
        set_literal(node, edited)
        return True
    before = TensorProto()
    before.CopyFrom(attribute.t)
    attribute.t.CopyFrom(edited)
    _keep_name(attribute.t, before)
    return True


def _put_sparse(given: GraphProto, edited: SparseTensorProto) -> bool:
    for ours in given.sparse_initializer:
        if ours.values.name == edited.values.name:
            ours.CopyFrom(edited)
            return True
    node = _constant_of(given, edited.values.name)
    if node is None:
        return False
    target = node.attribute[0].sparse_tensor
    before = TensorProto()
    before.CopyFrom(target.values)
    target.CopyFrom(edited)
    _keep_name(target.values, before)
    return True


def _keep_name(tensor: TensorProto, before: TensorProto) -> None:
    """In a Constant node the tensor may have any name, or none."""
    tensor.ClearField("name")
    if before.HasField("name"):
        tensor.name = before.name


def _constant_of(graph: GraphProto, value: str) -> NodeProto | None:
    """The Constant node that makes a value."""
    every = (node for node in graph.node if list(node.output) == [value])
    return next((node for node in every if node.op_type == "Constant"), None)
